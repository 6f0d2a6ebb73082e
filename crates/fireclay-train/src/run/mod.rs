//! One run, from its configuration to its evaluated weights.

mod locate;
mod preflight;
mod task;

pub use locate::locate;
pub use preflight::preflight;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use fireclay_data::{DataError, Note, TableData, TargetKind};
use fireclay_models::{ModelDescription, TabularShape, weights};

use crate::config::{ConfigError, Loaded, RunConfig, TaskConfig};
use crate::lock;
use crate::metrics::Report;
use crate::observer::Observer;
use crate::predictor::{MODEL, POSTPROCESS, PREPROCESS, Predictor};
use crate::run_folder::{self, FolderError, RunFolder, write_whole};
use crate::strategy::{LoopState, StopReason, TrainError};

/// The device that a run uses, and what to call it.
#[derive(Clone, Debug)]
pub struct RunDevice {
    /// The device itself, without autodiff.
    pub device: Device,
    /// Its backend, as in `[device] backend`.
    pub backend: String,
    /// What the hardware says of itself.
    pub description: String,
}

/// Who watches a run, and who may stop it.
pub struct Hooks {
    /// Told about every step.
    pub observer: Box<dyn Observer>,
    /// One of Burn's renderers, or none.
    pub renderer: Option<Box<dyn MetricsRenderer>>,
    /// Stops the run after its current step.
    pub interrupter: Interrupter,
}

/// Metrics by split: `evaluation.json`.
pub type Evaluations = BTreeMap<String, Report>;

/// A run that ended without an error.
#[derive(Debug)]
pub struct Outcome {
    /// The run folder.
    pub folder: PathBuf,
    /// Why training ended.
    pub reason: StopReason,
    /// Where training ended.
    pub state: LoopState,
    /// Wall-clock time of training, in seconds.
    pub seconds: f64,
    /// Metrics of the chosen weights on valid and test; empty after an interruption.
    pub evaluation: Evaluations,
    /// Trainable parameters.
    pub parameters: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The data is not what the run was trained on.
    #[error(
        "the data has changed since the run was trained ({0}), so its splits are gone; evaluate other rows with --data FILE"
    )]
    DataChanged(String),
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] weights::WeightsError),
}

/// A configuration whose data has been read and found to fit it.
pub struct Prepared {
    loaded: Loaded,
    data: TableData,
}

impl Prepared {
    /// Reads the data and checks everything that can be checked before the first step.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, or the configuration does not fit it.
    pub fn new(loaded: Loaded) -> Result<Self, RunError> {
        let config = &loaded.config;
        let data = TableData::load(
            config.data.format,
            &config.data.table,
            config.seed,
            target_kind(&config.task),
        )
        .map_err(|error| locate(&loaded, error))?;
        let problems = preflight(config, &data);
        if !problems.is_empty() {
            return Err(loaded.problems(problems).into());
        }
        Ok(Self { loaded, data })
    }

    /// What the user should know about the data.
    pub fn notes(&self) -> &[Note] {
        &self.data.notes
    }

    /// The configuration.
    pub fn config(&self) -> &RunConfig {
        &self.loaded.config
    }

    /// Refuses data that is not what `run` was trained on: its splits and its preprocessing would
    /// be others.
    ///
    /// # Errors
    ///
    /// If a data file has changed, or `run.lock` cannot be read.
    pub fn unchanged_since(&self, run: &Path) -> Result<(), RunError> {
        let changed = lock::changed_files(&self.data, run)?;
        match changed.is_empty() {
            true => Ok(()),
            false => Err(RunError::DataChanged(changed.join(", "))),
        }
    }

    /// The encoded data.
    pub fn data(&self) -> &TableData {
        &self.data
    }

    /// Trains in a new run folder.
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    pub fn train(self, device: &RunDevice, hooks: Hooks) -> Result<Outcome, RunError> {
        let output_dir = Path::new(&self.loaded.config.output_dir);
        let folder = RunFolder::create(output_dir, &self.loaded.name)?;
        write_whole(
            &folder.file("config.toml"),
            self.config().to_toml().as_bytes(),
        )?;
        write_whole(
            &folder.file(PREPROCESS),
            self.data.preprocess.to_json().as_bytes(),
        )?;
        let lock = lock::describe(self.config(), &self.data, &shape(&self.data), device)?;
        write_whole(&folder.file("run.lock"), lock.as_bytes())?;
        self.execute(&folder, device, hooks, false)
    }

    /// Goes on with the run in `folder`, from its newest whole checkpoint.
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    pub fn resume(
        self,
        folder: &RunFolder,
        device: &RunDevice,
        hooks: Hooks,
    ) -> Result<Outcome, RunError> {
        self.execute(folder, device, hooks, true)
    }

    fn execute(
        self,
        folder: &RunFolder,
        device: &RunDevice,
        hooks: Hooks,
        resume: bool,
    ) -> Result<Outcome, RunError> {
        let Self { loaded, data } = self;
        let config = &loaded.config;
        let shape = shape(&data);
        let model = config.model.init(&shape, config.seed, &device.device);
        let parameters = burn::module::Module::num_params(&model);
        let trained = task::train(config, &data, model, &device.device, hooks, folder, resume)?;
        let mut outcome = Outcome {
            folder: folder.path().to_path_buf(),
            reason: trained.reason,
            state: trained.state,
            seconds: trained.seconds,
            evaluation: Evaluations::new(),
            parameters,
        };
        if outcome.reason == StopReason::Interrupted {
            return Ok(outcome);
        }
        let description = ModelDescription {
            config: config.model.clone(),
            shape,
        };
        let bytes = weights::encode(&trained.model, &description)?;
        write_whole(&folder.file(MODEL), &bytes)?;
        let device = device.device.clone();
        let mut predictor = Predictor::new(
            data.preprocess.clone(),
            trained.model,
            trained.answer,
            device,
        );
        task::tune(&mut predictor, &config.task, &data.valid);
        write_json(&folder.file(POSTPROCESS), &predictor.answer)?;
        for (name, split) in data.named() {
            if name != "train" && !split.is_empty() {
                outcome
                    .evaluation
                    .insert(name.into(), predictor.evaluate(split, config.seed));
            }
        }
        write_json(&folder.file("evaluation.json"), &outcome.evaluation)?;
        lock::seal(folder.path())?;
        Ok(outcome)
    }
}

/// Reads the configuration of an existing run.
///
/// # Errors
///
/// If there is no run, or its configuration was damaged.
pub fn load_run(run: &Path) -> Result<Loaded, RunError> {
    let run = run_folder::find(run)?;
    Ok(RunConfig::load(&run.join("config.toml"), &[])?)
}

/// What the target column holds, for a task.
pub fn target_kind(task: &TaskConfig) -> TargetKind {
    match task {
        TaskConfig::Classification(_) => TargetKind::Class,
        TaskConfig::Regression(_) => TargetKind::Number,
    }
}

/// What the data determines of the model.
fn shape(data: &TableData) -> TabularShape {
    TabularShape {
        numeric: data.preprocess.numeric_width(),
        categories: data.preprocess.cardinalities(),
        outputs: data.preprocess.classes().len().max(1),
    }
}

fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), FolderError> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data");
    text.push(b'\n');
    write_whole(path, &text)
}
