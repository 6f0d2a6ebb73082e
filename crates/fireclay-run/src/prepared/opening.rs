//! A run that was trained, ready to answer.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_train::run_folder;
use fireclay_train::strategy::At;

use crate::config::Loaded;
use crate::edited::load_unedited;
use crate::published;
use crate::read::load_run;
use crate::run::{Base, Run, RunError};
use crate::snapshot::Snapshot;
use crate::workload::{WithWorkload, Workload, with_workload};

/// Whether there is a run at `path`, or a folder of runs, and no model of others.
///
/// # Errors
///
/// If there is a folder with several models of others.
pub fn is_run(path: &Path) -> Result<bool, RunError> {
    Ok(!published::is_at(path)?)
}

/// The configuration of what [`open`] opens: that of a run, or one that is made of what a model of others says.
///
/// # Errors
///
/// If there is neither, or what says it is damaged.
pub fn load_model(path: &Path) -> Result<Loaded, RunError> {
    match published::is_at(path)? {
        true => published::load(path),
        false => load_run(path),
    }
}

/// Opens the finished run at `path`, or the model of others, ready to answer: a folder of the hub of Hugging Face, a
/// file of weights with a `config.json` beside it, or a GGUF.
///
/// # Errors
///
/// If there is neither, the run has not finished, or a file is missing or damaged.
pub fn open(path: &Path, device: &Device) -> Result<Box<dyn Run>, RunError> {
    if published::is_at(path)? {
        return opened(published::base(path, device)?);
    }
    let run = run_folder::find(path)?;
    opened(Base {
        loaded: load_unedited(&run)?,
        folder: run.clone(),
        run,
        device: device.clone(),
        scratch: None,
    })
}

/// Opens the run at `path` with the weights of one of its checkpoints, whether or not it has finished.
///
/// # Errors
///
/// If there is no such checkpoint, or a file of the run is missing or damaged.
pub fn open_at(
    path: &Path,
    at: At,
    device: &Device,
) -> Result<(Box<dyn Run>, Vec<String>), RunError> {
    if published::is_at(path)? {
        let message = "was not trained here and has no checkpoints; open it without --checkpoint";
        return Err(RunError::Usage(format!("{} {message}", path.display())));
    }
    let run = run_folder::find(path)?;
    let snapshot = Snapshot::take(&run, at, device)?;
    let folder = snapshot.folder.path().to_path_buf();
    let opened = opened(Base {
        loaded: load_run(&folder)?,
        folder,
        run,
        device: device.clone(),
        scratch: Some(Arc::new(snapshot.folder)),
    })?;
    Ok((opened, snapshot.notes))
}

fn opened(base: Base) -> Result<Box<dyn Run>, RunError> {
    struct Open(Base);

    impl WithWorkload for Open {
        type Output = Result<Box<dyn Run>, RunError>;

        fn with<W: Workload>(self) -> Self::Output {
            W::open(self.0)
        }
    }

    let config = base.config().clone();
    with_workload(&config, Open(base))
}
