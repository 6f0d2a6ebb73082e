//! Where pretrained weights lie: in a file, in a folder of the hub of Hugging Face, in a run, or in a
//! checkpoint of a run.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::Preprocess;
use fireclay_guard as guard;
use fireclay_models::pretrained::weights_file;
use fireclay_models::{Family, ModelDescription};
use fireclay_train::checkpoint::Store;
use fireclay_train::run_folder::{typed, write_whole};
use fireclay_train::scratch::Scratch;
use fireclay_train::strategy::{At, find, restore_weights};
use fireclay_train::weights::Kept;
use serde_json::Map;

use crate::artifacts::{ADAPTERS, MODEL, MODEL_PATH, PREPROCESS, TOKENIZER, model_files};
use crate::lock;

/// A file or a folder with weights.
pub(crate) struct StoredWeights {
    pub path: PathBuf,
    /// What keeps it, if it is there for the time being.
    _scratch: Option<Scratch>,
}

/// A checkpoint: the run that it is of, and its step.
pub(crate) struct Saved {
    pub run: PathBuf,
    pub step: u64,
}

impl StoredWeights {
    /// The weights at `path`. Those of a checkpoint are written as a run writes its weights at its end.
    pub fn open<F: Family>(path: &Path, device: &Device) -> Result<Self, String> {
        let Some(saved) = saved(path)? else {
            check_whole(path)?;
            return Ok(Self {
                path: path.to_path_buf(),
                _scratch: None,
            });
        };
        let folder = Scratch::new().map_err(|error| error.to_string())?;
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
    if run_of(path).is_some_and(|run| run.join(ADAPTERS).exists()) {
        return check_finished(path);
    }
    check_finished(path)?;
    let file = weights_file(path).map_err(|error| format!("cannot be used: {error}"))?;
    let file = std::path::absolute(&file).unwrap_or(file);
    match guard::open(&file) {
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

/// The checkpoint at `path`, if it is one of adapters.
pub(crate) fn saved_adapters(path: &Path) -> Option<Saved> {
    let saved = saved(path).ok()??;
    lock::is_adapted(&saved.run)
        .unwrap_or(false)
        .then_some(saved)
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

/// The run whose results are at `path`: its folder, or the file of its weights.
fn run_of(path: &Path) -> Option<PathBuf> {
    let is_results = || {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| [MODEL, ADAPTERS].contains(&name))
    };
    let run = match path.is_dir() {
        true => path.to_path_buf(),
        false => path.parent().filter(|_| is_results())?.to_path_buf(),
    };
    run.join("run.lock").is_file().then_some(run)
}

/// Refuses the results of a run that has not ended, or goes on since: its weights would be others than those that
/// are meant.
pub(crate) fn check_finished(path: &Path) -> Result<(), String> {
    let Some(run) = run_of(path) else {
        return Ok(());
    };
    let unusable = |error: &dyn std::fmt::Display| format!("cannot be used: {error}");
    let Some(why) = lock::not_ended(&run).map_err(|error| unusable(&error))? else {
        return Ok(());
    };
    let store = Store::new(run.join("checkpoints"));
    let best = find(&store, At::Best).or_else(|_| find(&store, At::Last));
    let name = match best {
        Ok((best, _)) => format!(
            "name one of its checkpoints, such as {}",
            store.path(best.manifest.step).display()
        ),
        Err(_) => format!("go on with `fireclay resume {}` first", typed(&run)),
    };
    Err(format!(
        "cannot be used: the run {} {why}; {name}",
        run.display()
    ))
}

/// The same, which also looks whether the results are what the run wrote.
pub(crate) fn check_whole(path: &Path) -> Result<(), String> {
    check_finished(path)?;
    match run_of(path) {
        Some(run) => {
            let verified = lock::verified(&run, &[]);
            verified.map(drop).map_err(|error| error.to_string())
        }
        None => Ok(()),
    }
}

impl Saved {
    /// The model that it is of.
    pub fn description<F: Family>(&self) -> Result<ModelDescription<F>, String> {
        let run = self.run.display();
        let model = lock::model::<F>(&self.run);
        let model =
            model.map_err(|error| format!("{run} trained another kind of model: {error}"))?;
        model.ok_or_else(|| {
            format!(
                "{run} was trained by an older version, whose checkpoints do not say what they are of; `fireclay \
                 export {} --checkpoint {} --output model` does",
                typed(&self.run),
                self.step
            )
        })
    }

    fn write<F: Family>(&self, folder: &Path, device: &Device) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let description = self.description::<F>()?;
        let store = Store::new(self.run.join("checkpoints"));
        let checkpoint = store.load(self.step).map_err(|error| text(&error))?;
        let model = description.config.init(&description.shape, 0, device);
        let place = (&store, &checkpoint);
        let model = restore_weights(place, model, &Kept::All, MODEL_PATH);
        let model = model.map_err(|error| text(&error))?;
        let mut files =
            model_files::<F>(&model, &description, Map::new()).map_err(|error| text(&error))?;
        if let Ok(tokenizer) = guard::read(&self.run.join(TOKENIZER), guard::LARGEST) {
            files.push((TOKENIZER, tokenizer));
        }
        for (name, bytes) in files {
            write_whole(&folder.join(name), &bytes).map_err(|error| text(&error))?;
        }
        Ok(())
    }
}
