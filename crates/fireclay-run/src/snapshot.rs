//! A run as it was at one of its checkpoints: the files of a finished run, in a folder of their own.

use std::path::Path;

use burn::tensor::Device;
use fireclay_data::Tokenizer;
use fireclay_guard::{LARGEST, read};
use fireclay_train::checkpoint::{Checkpoint, Store};
use fireclay_train::parameters::Rates;
use fireclay_train::run_folder::{io, write_whole};
use fireclay_train::scratch::Scratch;
use fireclay_train::strategy::{At, TrainError, find, restore_weights};
use fireclay_train::weights::Kept;

use crate::artifacts::{
    COMPANIONS, FinishedError, MODEL_PATH, POSTPROCESS, PREPROCESS, RESULTS, TOKENIZER, read_json,
    to_json,
};
use crate::config::Mitigation;
use crate::edited::load_unedited;
use crate::lock;
use crate::postprocess::Postprocess;
use crate::results::weights_files;
use crate::run::{Base, RunError};
use crate::start::begin;
use crate::workload::{
    Dataset, Model, ModelFamily, Shape, WithWorkload, Workload, own, postprocess, with_workload,
};

/// The files, gone when this is dropped.
pub(crate) struct Snapshot {
    pub folder: Scratch,
    /// What is to be said of it.
    pub notes: Vec<String>,
}

impl Snapshot {
    /// Writes the files of the run in the folder `run`, with the weights of a checkpoint.
    pub fn take(run: &Path, at: At, device: &Device) -> Result<Self, RunError> {
        let base = Base {
            loaded: load_unedited(run)?,
            folder: run.to_path_buf(),
            run: run.to_path_buf(),
            device: device.clone(),
            scratch: None,
        };
        let store = Store::new(run.join("checkpoints"));
        let (checkpoint, mut notes) = find(&store, at).map_err(TrainError::from)?;
        let step = checkpoint.manifest.step;
        notes.push(format!("{}: weights of step {step}", run.display()));
        let folder = Scratch::new().map_err(RunError::Scratch)?;
        let take = Take {
            base: &base,
            store: &store,
            checkpoint: &checkpoint,
            into: folder.path(),
        };
        with_workload(base.config(), take)?;
        Ok(Self { folder, notes })
    }
}

struct Take<'a> {
    base: &'a Base,
    store: &'a Store,
    checkpoint: &'a Checkpoint,
    into: &'a Path,
}

impl WithWorkload for Take<'_> {
    type Output = Result<(), RunError>;

    fn with<W: Workload>(self) -> Result<(), RunError> {
        let run = &self.base.folder;
        for name in ["config.toml", "run.lock"] {
            self.copy(&run.join(name), name)?;
        }
        for name in [PREPROCESS, TOKENIZER] {
            if let Some(path) = lock::begun_file(run, name)? {
                self.copy(&path, name)?;
            }
        }
        for name in COMPANIONS {
            let path = run.join(name);
            if path.exists() {
                self.copy(&path, name)?;
            }
        }
        let description = lock::model::<ModelFamily<W>>(run)?;
        let shape = match description {
            Some(description) => description.shape,
            // The run began before this was written down.
            None => W::shape(self.base.config(), &own::<W>(self.base)?),
        };
        let model = self.weights::<W>(shape)?;
        if let Some(answer) = self.answer::<W>(model)? {
            write_whole(&self.into.join(POSTPROCESS), &to_json(&answer))?;
        }
        let results = RESULTS.into_iter();
        let results = results.filter(|name| self.into.join(name).exists());
        Ok(lock::seal_again(self.into, results)?)
    }
}

impl Take<'_> {
    fn copy(&self, from: &Path, name: &str) -> Result<(), RunError> {
        let bytes = read(from, LARGEST).map_err(|source| io("read", from, source))?;
        Ok(write_whole(&self.into.join(name), &bytes)?)
    }

    /// Writes the weights of the checkpoint, and gives the model that has them.
    fn weights<W: Workload>(&self, shape: Shape<W>) -> Result<Model<W>, RunError> {
        let (config, device) = (self.base.config(), &self.base.device);
        let begun = begin(W::table(config), &shape, config, (device, true));
        let begun = begun.map_err(|problem| self.base.loaded.problems(vec![problem]))?;
        let kept = match &begun.adapters {
            None => Kept::All,
            Some(_) => Kept::Paths(Rates::new(&begun.model, &begun.rates).moving(&begun.model)),
        };
        let place = (self.store, self.checkpoint);
        let model = restore_weights(place, begun.model, &kept, MODEL_PATH);
        let model = model.map_err(TrainError::from)?;
        let tokenizer = self.into.join(TOKENIZER);
        let tokenizer = tokenizer.exists().then(|| Tokenizer::load(&tokenizer));
        let tokenizer = tokenizer.transpose().map_err(FinishedError::from)?;
        let known = (config, tokenizer.as_ref());
        for (name, bytes) in weights_files::<W>(known, &model, shape, begun.adapters)? {
            write_whole(&self.into.join(name), &bytes)?;
        }
        Ok(model)
    }

    /// What the outputs mean, if samples have labels. What the validation split decides is decided anew,
    /// because it depends on the weights.
    fn answer<W: Workload>(&self, model: Model<W>) -> Result<Option<Postprocess>, RunError> {
        let (run, config) = (&self.base.folder, self.base.config());
        if config.task.target_kind().is_none() {
            return Ok(None);
        }
        let mitigated = config.fairness.as_ref();
        let mitigated = mitigated.is_some_and(|it| it.mitigation == Mitigation::Thresholds);
        let tunes = mitigated || !config.task.task().needs_validation().is_empty();
        if !tunes && let Some(path) = lock::begun_file(run, POSTPROCESS)? {
            return Ok(Some(read_json(&path)?));
        }
        let data = own::<W>(self.base)?;
        let objective = config.task.objective(&data.target());
        let answer = objective.map(|objective| postprocess(config, &data, objective.answer));
        match answer {
            Some(answer) if tunes => {
                let tuned = W::tuned(config, &data, model, (answer, &self.base.device))?;
                Ok(Some(tuned))
            }
            answer => Ok(answer),
        }
    }
}
