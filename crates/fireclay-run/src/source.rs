//! Where pretrained weights lie: in a file, in a folder of the hub of Hugging Face, in a run, or in a
//! checkpoint of a run.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::Preprocess;
use fireclay_models::Family;
use fireclay_models::pretrained::weights_file;
use fireclay_train::checkpoint::Store;
use fireclay_train::run_folder::write_whole;
use fireclay_train::strategy::{At, find, restore_weights};
use fireclay_train::weights::Kept;
use serde_json::Map;
use tempfile::TempDir;

use crate::artifacts::{MODEL_PATH, PREPROCESS, TOKENIZER, model_files};
use crate::lock;

/// A file or a folder with weights.
pub(crate) struct Source {
    pub path: PathBuf,
    /// What keeps it, if it is there for the time being.
    _scratch: Option<TempDir>,
}

/// A checkpoint: the run that it is of, and its step.
struct Saved {
    run: PathBuf,
    step: u64,
}

impl Source {
    /// The weights at `path`. Those of a checkpoint are written as a run writes its weights at its end.
    pub fn open<F: Family>(path: &Path, device: &Device) -> Result<Self, String> {
        let Some(saved) = saved(path)? else {
            check_finished(path)?;
            return Ok(Self {
                path: path.to_path_buf(),
                _scratch: None,
            });
        };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        saved.write::<F>(folder.path(), device)?;
        Ok(Self {
            path: folder.path().to_path_buf(),
            _scratch: Some(folder),
        })
    }
}

/// Refuses what holds no weights, without reading any.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    if saved(path)?.is_some() {
        return Ok(());
    }
    check_finished(path)?;
    let file = weights_file(path).map_err(|error| format!("cannot be used: {error}"))?;
    let file = std::path::absolute(&file).unwrap_or(file);
    match std::fs::File::open(&file) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot be read: {}: {error}", file.display())),
    }
}

/// The preprocessing of the run that the weights at `path` are of.
pub(crate) fn preprocess(path: &Path) -> Result<Preprocess, String> {
    let run = match saved(path)? {
        Some(saved) => saved.run,
        None if path.is_dir() => path.to_path_buf(),
        None => path.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    let file = run.join(PREPROCESS);
    Preprocess::load(&file).map_err(|error| {
        format!(
            "cannot be used: a model for tables starts from a run, whose {PREPROCESS} says how it reads \
             columns: {error}"
        )
    })
}

/// What `path` is, if it is a checkpoint.
fn saved(path: &Path) -> Result<Option<Saved>, String> {
    if !path.join("manifest.json").is_file() {
        return Ok(None);
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let step = path.file_name().and_then(|name| name.to_str());
    let step = step.and_then(|name| name.strip_prefix("step-")?.parse().ok());
    let run = path.parent().and_then(Path::parent);
    let run = run.filter(|run| run.join("run.lock").is_file());
    match run.zip(step) {
        Some((run, step)) => Ok(Some(Saved {
            run: run.to_path_buf(),
            step,
        })),
        None => Err(format!(
            "cannot be used: {} is a checkpoint outside of its run, which says what model it is of",
            path.display()
        )),
    }
}

/// Refuses the folder of a run that has checkpoints and no model yet.
fn check_finished(path: &Path) -> Result<(), String> {
    let is_run = path.join("run.lock").is_file();
    let store = Store::new(path.join("checkpoints"));
    let steps = store.steps();
    if !is_run || steps.is_empty() || weights_file(path).is_ok() {
        return Ok(());
    }
    let best = find(&store, At::Best).map(|(best, _)| best.manifest.step);
    let step = best.unwrap_or(steps[steps.len() - 1]);
    Err(format!(
        "cannot be used: the run {} did not finish; name one of its checkpoints, such as {}",
        path.display(),
        store.path(step).display()
    ))
}

impl Saved {
    fn write<F: Family>(&self, folder: &Path, device: &Device) -> Result<(), String> {
        let run = self.run.display();
        let text = |error: &dyn std::fmt::Display| error.to_string();
        if lock::is_adapted(&self.run).map_err(|error| text(&error))? {
            return Err(format!(
                "it holds adapters alone; `fireclay export {run} --checkpoint {} --merge --output DIR` makes \
                 a whole model of it",
                self.step
            ));
        }
        let model = lock::model::<F>(&self.run);
        let model =
            model.map_err(|error| format!("{run} trained another kind of model: {error}"))?;
        let description = model.ok_or_else(|| {
            format!(
                "{run} was trained by an older version, whose checkpoints do not say what they are of; `fireclay \
                 export {run} --checkpoint {} --output DIR` does",
                self.step
            )
        })?;
        let store = Store::new(self.run.join("checkpoints"));
        let checkpoint = store.load(self.step).map_err(|error| text(&error))?;
        let model = description.config.init(&description.shape, 0, device);
        let place = (&store, &checkpoint);
        let model = restore_weights(place, model, &Kept::All, MODEL_PATH);
        let model = model.map_err(|error| text(&error))?;
        let mut files =
            model_files::<F>(&model, &description, Map::new()).map_err(|error| text(&error))?;
        if let Ok(tokenizer) = std::fs::read(self.run.join(TOKENIZER)) {
            files.push((TOKENIZER, tokenizer));
        }
        for (name, bytes) in files {
            write_whole(&folder.join(name), &bytes).map_err(|error| text(&error))?;
        }
        Ok(())
    }
}
