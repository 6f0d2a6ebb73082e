//! One run, from its configuration to its evaluated weights.

mod causal;
mod data;
mod error;
mod execute;
mod locate;
mod masked;
mod preflight;
pub mod shape;
pub mod shards;
pub mod start;
mod task;
mod translated;

pub use crate::device::RunDevice;
pub use data::RunData;
pub use error::RunError;
pub use locate::locate;
pub use preflight::{LARGEST, fits, preflight};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use fireclay_data::{DataError, Note};
use fireclay_metrics::Report;
use fireclay_train::StopReason;
use fireclay_train::cost::{Cost, Speed};
use fireclay_train::loader::Samples;
use fireclay_train::observer::Observer;
use fireclay_train::run_folder::{self, FolderError, RunFolder, write_whole};
use fireclay_train::strategy::{LoopState, evaluation_rows};

use crate::config::{Loaded, RunConfig};
use crate::finished::{POSTPROCESS, to_json};
use crate::lock;
use crate::predictor::{Answer, Pass, Predictor};
use crate::task::{Batch, Network};

/// Who watches a run, and who may stop it.
pub struct Hooks {
    /// Told about the configuration, every step and every evaluation.
    pub observers: Vec<Box<dyn Observer>>,
    /// One of Burn's renderers, or none.
    pub renderer: Option<Box<dyn MetricsRenderer>>,
    /// Stops the run after its current step.
    pub interrupter: Interrupter,
    /// Whether to write `trace.json`.
    pub profile: bool,
}

/// A key, dotted from the top of the configuration, and what is wrong with its value.
pub type Refusal = (String, String);

/// Whom a run asks about its size and its speed: `fireclay_plan::PLANNER`.
#[derive(Clone, Copy, Debug)]
pub struct Planner {
    /// Puts a number in the place of `train.batch_size = "auto"`, or says why not.
    pub settle: fn(&mut RunConfig, &RunData) -> Result<(), Refusal>,
    /// How fast a training that cost this computed, if that is known.
    pub speed: fn(&RunConfig, &RunData, &RunDevice, &Cost) -> Option<Speed>,
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
    /// What this process's part of it cost, the last evaluation included.
    pub cost: Cost,
    /// Metrics of the chosen weights on valid and test; empty after an interruption.
    pub evaluation: Evaluations,
    /// Parameters, as PyTorch counts them: running statistics are none.
    pub parameters: usize,
}

/// A configuration whose data has been read and found to fit it.
pub struct Prepared {
    loaded: Loaded,
    data: RunData,
    planner: Planner,
}

impl Prepared {
    /// Reads the data and checks everything that can be checked before the first step.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, or the configuration does not fit it.
    pub fn new(loaded: Loaded, planner: Planner) -> Result<Self, RunError> {
        let data = RunData::load(&loaded.config);
        Self::checked(loaded, data, planner)
    }

    /// As [`new`](Self::new) for the run in the folder `run`, whose tokenizer is taken as it is.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if the tokenizer is not what the run wrote.
    pub fn again(loaded: Loaded, run: &Path, planner: Planner) -> Result<Self, RunError> {
        let data = match lock::tokenizer(run)? {
            Some(path) => RunData::load_again(&loaded.config, &path),
            None => RunData::load(&loaded.config),
        };
        Self::checked(loaded, data, planner)
    }

    fn checked(
        mut loaded: Loaded,
        data: Result<RunData, DataError>,
        planner: Planner,
    ) -> Result<Self, RunError> {
        let data = data.map_err(|error| locate(&loaded, error))?;
        let settled = (planner.settle)(&mut loaded.config, &data);
        settled.map_err(|problem| loaded.problems(vec![problem]))?;
        let config = &loaded.config;
        let problems = preflight(config, &data, LARGEST);
        if !problems.is_empty() {
            return Err(loaded.problems(problems).into());
        }
        Ok(Self {
            loaded,
            data,
            planner,
        })
    }

    /// What the user should know about the data.
    pub fn notes(&self) -> &[Note] {
        self.data.notes()
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
        let changed = lock::changed_files(self.data.hashes()?, run)?;
        match changed.is_empty() {
            true => Ok(()),
            false => Err(RunError::DataChanged(changed.join(", "))),
        }
    }

    /// The data, made ready.
    pub fn data(&self) -> &RunData {
        &self.data
    }

    /// Trains in a new run folder.
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    pub fn train(self, device: &RunDevice, hooks: Hooks) -> Result<Outcome, RunError> {
        self.execute(None, device, hooks)
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
        self.execute(Some(folder), device, hooks)
    }
}

/// A model at the end of its training, and what its outputs mean.
struct Trained<'a, N, A> {
    model: N,
    answer: A,
    device: &'a Device,
    folder: &'a RunFolder,
}

/// Tunes, evaluates and writes down what came of it.
fn conclude<N, S>(
    config: &RunConfig,
    trained: Trained<'_, N, Answer>,
    [valid, test]: [S; 2],
) -> Result<Evaluations, RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let Trained { model, answer, .. } = trained;
    let mut predictor = Predictor::new(model, answer, trained.device.clone());
    let pass = pass::<S>(config);
    let mut evaluation = Evaluations::new();
    // The validation split first: what is tuned on it holds for the test.
    for (name, split) in [("valid", valid), ("test", test)] {
        if split.is_empty() {
            continue;
        }
        let (answers, truth) = predictor.pass(split, pass)?;
        if name == "valid" {
            task::tune(&config.task, &answers, &truth, &mut predictor.answer);
        }
        let report = predictor.report(&answers, &truth, config.seed);
        evaluation.insert(name.into(), report);
    }
    write_json(&trained.folder.file(POSTPROCESS), &predictor.answer)?;
    Ok(evaluation)
}

/// The report of each split that holds something; of the validation split it may be known already.
fn evaluate_each<S: Samples>(
    [valid, test]: [S; 2],
    mut known: Option<Report>,
    mut evaluate: impl FnMut(S) -> Result<Report, RunError>,
) -> Result<Evaluations, RunError> {
    let mut evaluations = Evaluations::new();
    for (name, split) in [("valid", valid), ("test", test)] {
        if split.is_empty() {
            continue;
        }
        let report = match known.take_if(|_| name == "valid") {
            Some(report) => report,
            None => evaluate(split)?,
        };
        evaluations.insert(name.into(), report);
    }
    Ok(evaluations)
}

/// How whole splits go through the model of a run.
pub fn pass<S: Samples>(config: &RunConfig) -> Pass {
    Pass {
        batch_size: evaluation_rows(&config.eval, config.batch_size()),
        threads: config.train.loader_threads.unwrap_or_else(S::threads),
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

fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), FolderError> {
    write_whole(path, &to_json(value))
}
