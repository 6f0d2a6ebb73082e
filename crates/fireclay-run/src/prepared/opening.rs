//! A run that was trained, ready to answer.

use std::path::Path;

use burn::tensor::Device;
use fireclay_train::run_folder;
use fireclay_train::strategy::At;

use crate::edited::load_unedited;
use crate::read::load_run;
use crate::run::{Base, Run, RunError};
use crate::snapshot::Snapshot;
use crate::workload::{WithWorkload, Workload, with_workload};

/// Opens the finished run at `path`, ready to answer.
///
/// # Errors
///
/// If there is no finished run, or a file of it is missing or damaged.
pub fn open(path: &Path, device: &Device) -> Result<Box<dyn Run>, RunError> {
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
    let run = run_folder::find(path)?;
    let snapshot = Snapshot::take(&run, at, device)?;
    let folder = snapshot.folder.path().to_path_buf();
    let opened = opened(Base {
        loaded: load_run(&folder)?,
        folder,
        run,
        device: device.clone(),
        scratch: Some(snapshot.folder),
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
