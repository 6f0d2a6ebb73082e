//! One run, from its configuration to its evaluated weights.

mod changing;
mod execute;
mod opening;
mod preflight;
mod reference;
mod same_files;
pub mod shards;
mod together;
mod training;

pub use opening::{is_run, load_model, open, open_at};
use preflight::batch_size;
pub use preflight::{LARGEST, fits, preflight};

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use fireclay_data::{DataError, DataReport};
use fireclay_track::Tracker;
use fireclay_train::StopReason;
use fireclay_train::checkpoint::{Difference, Store};
use fireclay_train::cluster::Exchange;
use fireclay_train::cost::{Cost, Speed};
use fireclay_train::observer::Observer;
use fireclay_train::run_folder::RunFolder;
use fireclay_train::strategy::{At, LoopState, TrainError, find};

use crate::changes;
use crate::config::{BatchSize, Loaded, Refusal, RunConfig};
use crate::device::RunDevice;
use crate::edited::refuse_edits;
use crate::lock;
use crate::pretrained::{BLANK, unsaid};
use crate::read::load_run;
use crate::run::{Evaluations, RunError, locate};
use crate::workload::{Inspected, RunData};
use execute::Execute;

/// Who watches a run, and who may stop it.
pub struct Hooks {
    /// Told about the configuration, every step and every evaluation.
    pub observers: Vec<Box<dyn Observer>>,
    /// Told of the run by its files, beside those that `[logging]` names.
    pub trackers: Vec<Box<dyn Tracker>>,
    /// One of Burn's renderers, or none.
    pub renderer: Option<Box<dyn MetricsRenderer>>,
    /// Stops the run after its current step.
    pub interrupter: Interrupter,
    /// Whether to write `trace.json`.
    pub profile: bool,
    /// How this process talks to those that train with it: `Alone`, if it is.
    pub exchange: Box<dyn Exchange>,
}

/// Answers a run's questions about its size and its speed: `fireclay_plan::PLANNER`.
#[derive(Clone, Copy, Debug)]
pub struct Planner {
    /// Replaces `train.batch_size = "auto"` with a number, or says why it cannot, as a key and a
    /// message.
    pub settle: fn(&mut RunConfig, &RunData) -> Result<(), Refusal>,
    /// Why there is no memory for it, as a key and a message, if there is none.
    pub refuse: fn(&RunConfig, &RunData) -> Option<Refusal>,
    /// How many operations a second a training with this cost computed, if that is known.
    pub speed: fn(&RunConfig, &RunData, &RunDevice, &Cost) -> Option<Speed>,
    /// Hands work a device on which tensors have shapes and no numbers, so that a model takes no memory.
    pub blank: fn(Work<'_>),
}

/// What a device is handed to.
pub type Work<'a> = &'a mut dyn FnMut(&Device);

/// A planner that plans nothing: "auto" is refused, no speed is known, and weights are not looked at before training.
impl Default for Planner {
    fn default() -> Self {
        Self {
            settle: |config, _| match config.batch_size() {
                BatchSize::Auto => Err((
                    "train.batch_size".into(),
                    "is \"auto\", which a planner settles; name a number".into(),
                )),
                _ => Ok(()),
            },
            refuse: |_, _| None,
            speed: |_, _, _, _| None,
            blank: BLANK,
        }
    }
}

impl Planner {
    /// The same, which refuses nothing for want of memory if it is `forced`.
    #[must_use]
    pub fn forced(self, forced: bool) -> Self {
        match forced {
            true => Self {
                refuse: |_, _| None,
                ..self
            },
            false => self,
        }
    }
}

/// A run that ended without an error.
#[derive(Debug)]
pub struct Outcome {
    /// The run folder.
    pub folder: PathBuf,
    /// Why training ended.
    pub reason: StopReason,
    /// Where training ended.
    pub state: LoopState,
    /// What it cost, in all processes that it took, the last evaluation included.
    pub cost: Cost,
    /// Updates of this process.
    pub steps: u64,
    /// Metrics of the chosen weights on valid and test; empty after an interruption.
    pub evaluation: Evaluations,
    /// Parameters, as PyTorch counts them: running statistics are none.
    pub parameters: usize,
    /// What the user should know of those who followed the run.
    pub notes: Vec<String>,
}

/// A configuration whose data has been read and found to fit it.
pub struct Prepared {
    loaded: Loaded,
    data: RunData,
    planner: Planner,
    /// What is to be said of the weights that it starts from.
    weights: Vec<String>,
    /// What is changed on purpose in a run that goes on.
    changed: Vec<Difference>,
    /// The step to go back to.
    back_to: Option<u64>,
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

    /// As [`new`](Self::new), but calls `report` first. It gets the report on the table that the data comes
    /// from, if there is a table. The table is read once.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and whatever `report` refuses.
    pub fn inspected<E: From<RunError>>(
        loaded: Loaded,
        planner: Planner,
        report: impl FnOnce(&Loaded, Option<&DataReport>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let inspected = RunData::inspect(&loaded.config);
        let inspected = inspected.map_err(|error| locate(&loaded, error))?;
        let Inspected {
            report: found,
            data,
        } = inspected;
        report(&loaded, found.as_ref())?;
        Ok(Self::checked(loaded, data, planner)?)
    }

    /// As [`new`](Self::new) for the run in the folder `run`, with the tokenizer that the run wrote. Where
    /// `loaded` is not the configuration that is there, the difference is a deliberate change.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), if the tokenizer is not what the run wrote, or a change makes another run.
    pub fn again(mut loaded: Loaded, run: &Path, planner: Planner) -> Result<Self, RunError> {
        let before = load_run(run)?.config;
        let unwritten = refuse_edits(run, &before)?;
        loaded.notes.extend(unwritten.iter().map(|key| {
            format!("the last change of {key} was cut short and does not count; give it again with --set")
        }));
        changes::check(&changes::found(&before, &loaded.config), &loaded)?;
        let tokenizer = lock::tokenizer(run)?;
        let data = RunData::load_again(&loaded.config, tokenizer.as_deref());
        let prepared = Self::checked(loaded, data, planner)?;
        Ok(Self {
            changed: changes::found(&before, &prepared.loaded.config),
            ..prepared
        })
    }

    /// Goes back to a checkpoint when it is resumed; without this it goes on from the newest.
    ///
    /// # Errors
    ///
    /// If the run in the folder `run` has no such checkpoint.
    pub fn back_to(self, run: &Path, at: At) -> Result<Self, RunError> {
        let store = Store::new(run.join("checkpoints"));
        let (checkpoint, _) = find(&store, at).map_err(TrainError::from)?;
        Ok(Self {
            back_to: Some(checkpoint.manifest.step),
            ..self
        })
    }

    /// Takes data that is in memory already, such as the splits of one of k folds.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit the data.
    pub fn with_data(loaded: Loaded, data: RunData, planner: Planner) -> Result<Self, RunError> {
        Self::checked(loaded, Ok(data), planner)
    }

    fn checked(
        mut loaded: Loaded,
        data: Result<RunData, DataError>,
        planner: Planner,
    ) -> Result<Self, RunError> {
        let data = data.map_err(|error| locate(&loaded, error))?;
        let said = preflight::said(&loaded.config, &data);
        let said = said.map_err(|problems| loaded.problems(problems))?;
        loaded.notes.extend(said);
        loaded.notes.extend(same_files::told(&loaded.config));
        let settled = (planner.settle)(&mut loaded.config, &data);
        settled.map_err(|problem| loaded.problems(vec![problem]))?;
        let mut problems = preflight(&loaded.config, &data, LARGEST);
        if problems.is_empty() {
            problems.extend((planner.refuse)(&loaded.config, &data));
        }
        if !problems.is_empty() {
            return Err(loaded.problems(problems).into());
        }
        let weights = preflight::weights(&loaded.config, &data, planner.blank);
        let weights = weights.map_err(|problems| loaded.problems(problems))?;
        let start = loaded.config.model.section().start;
        let unsaid = start.and_then(|start| unsaid(&loaded.config, start));
        loaded.notes.extend(unsaid);
        loaded
            .notes
            .extend(preflight::length(&loaded.config, &data));
        loaded.notes.extend(preflight::parts(&loaded.config, &data));
        Ok(Self {
            loaded,
            data,
            planner,
            weights,
            changed: Vec::new(),
            back_to: None,
        })
    }

    /// What was taken from pretrained weights beside their numbers, and what they do not say.
    pub fn notes(&self) -> &[String] {
        &self.loaded.notes
    }

    /// What will be said of the tensors of pretrained weights when the training starts.
    pub fn weights(&self) -> &[String] {
        &self.weights
    }

    /// The configuration.
    pub fn config(&self) -> &RunConfig {
        &self.loaded.config
    }

    /// The data, made ready.
    pub fn data(&self) -> &RunData {
        &self.data
    }

    /// Whether the run in the folder `run` was trained on this data.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn has_data_of(&self, run: &Path) -> Result<bool, RunError> {
        let hashes = self.data.dataset().hashes()?;
        Ok(lock::changed_files(hashes, run)?.is_empty())
    }

    /// Trains in a new run folder.
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    pub fn train(self, device: &RunDevice, hooks: Hooks) -> Result<Outcome, RunError> {
        self.execute(None, device, hooks)
    }

    /// Resumes the run in `folder` from its newest whole checkpoint.
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

    fn execute(
        self,
        resumed: Option<&RunFolder>,
        device: &RunDevice,
        hooks: Hooks,
    ) -> Result<Outcome, RunError> {
        self.data.with(Execute {
            prepared: &self,
            resumed,
            device,
            hooks,
        })
    }
}
