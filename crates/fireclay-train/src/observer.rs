//! What a training tells those who watch it: the terminal, a log, a test.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Watches a training. Every method has an empty default.
pub trait Observer: Send {
    /// A run of this configuration, in TOML with every default written out, is about to begin or to
    /// go on.
    fn configured(&mut self, _toml: &str) {}
    /// Training begins, or goes on after `step` updates.
    fn started(&mut self, _start: &Start) {}
    /// One update was made.
    fn stepped(&mut self, _step: &Step) {}
    /// The validation split was evaluated.
    fn evaluated(&mut self, _evaluation: &Evaluation) {}
    /// Something that the user should read, such as a skipped batch.
    fn noticed(&mut self, _message: &str) {}
    /// Training ended.
    fn ended(&mut self, _reason: StopReason) {}
}

/// Several observers, each of which is told everything in turn.
impl Observer for Vec<Box<dyn Observer>> {
    fn configured(&mut self, toml: &str) {
        self.iter_mut().for_each(|one| one.configured(toml));
    }

    fn started(&mut self, start: &Start) {
        self.iter_mut().for_each(|one| one.started(start));
    }

    fn stepped(&mut self, step: &Step) {
        self.iter_mut().for_each(|one| one.stepped(step));
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        self.iter_mut().for_each(|one| one.evaluated(evaluation));
    }

    fn noticed(&mut self, message: &str) {
        self.iter_mut().for_each(|one| one.noticed(message));
    }

    fn ended(&mut self, reason: StopReason) {
        self.iter_mut().for_each(|one| one.ended(reason));
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All updates were made.
    Completed,
    /// The monitored metric stopped improving.
    EarlyStopped,
    /// Somebody asked; the run can be resumed.
    Interrupted,
}

/// How a training begins.
#[derive(Clone, Debug)]
pub struct Start {
    /// The folder of the run.
    pub run: PathBuf,
    /// Updates already made: 0, or more for a resumed run.
    pub step: u64,
    /// Updates in all.
    pub total_steps: u64,
    /// Updates in an epoch.
    pub steps_per_epoch: u64,
    /// Samples in the training split.
    pub samples: usize,
}

/// One update.
#[derive(Clone, Debug)]
pub struct Step {
    /// Updates made.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: u64,
    /// Loss of its batch.
    pub loss: f64,
    /// Learning rate used.
    pub learning_rate: f64,
    /// L2 norm of all gradients, before clipping.
    pub grad_norm: f64,
}

/// One evaluation of the validation split.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Updates made.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: u64,
    /// Mean training loss of the epoch so far.
    pub train_loss: f64,
    /// Metrics by name, in the order in which they are shown.
    pub metrics: Vec<(String, f64)>,
    /// Whether the monitored metric is the best so far.
    pub improved: bool,
    /// Since training began, or was resumed.
    pub elapsed: Duration,
}
