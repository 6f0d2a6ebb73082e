//! Everything a training remembers apart from its weights and its optimizer, and what it ends with.

use serde::{Deserialize, Serialize};

use super::evaluation::Scores;
use super::scaling::LossScale;
use crate::cost::Cost;
use crate::observer::StopReason;
use crate::schedule::PlateauState;

/// The state of the loop, saved in every checkpoint as `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    /// Updates made, and those left out because something was not finite.
    pub step: u64,
    /// The epoch that the next batch belongs to, from 0.
    pub epoch: u64,
    /// Micro-batches of that epoch already used.
    pub batch: usize,
    /// Sum of the losses of this epoch, each times its weight.
    pub epoch_loss: f64,
    /// Sum of the weights of this epoch.
    pub epoch_weight: f64,
    /// The best evaluation by the checkpoint's metric.
    pub best: Option<Best>,
    /// The best evaluation by the early stopping's metric.
    pub early_best: Option<f64>,
    /// Evaluations since then.
    pub early_bad: u64,
    /// The state of a schedule that waits for a plateau.
    pub plateau: PlateauState,
    /// Batches skipped because they were not finite.
    pub skipped: u64,
    /// What losses are multiplied by, in `f16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
    /// Bytes of metrics.jsonl that belong to this state.
    pub metrics_bytes: u64,
    /// SHA-256 of these bytes; older versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_sha256: Option<String>,
    /// Updates made beyond those that its epochs would have counted, if all batches had been of the size
    /// that they have now; not 0 after a change of that size.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moved: i64,
    /// Why the training ended, once it has.
    pub stopped: Option<StopReason>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The best evaluation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Updates made by then.
    pub step: u64,
    /// Value of the monitored metric.
    pub value: f64,
}

impl LoopState {
    /// Before the first update.
    pub(super) fn new(loss_scale: Option<LossScale>) -> Self {
        Self {
            loss_scale,
            ..Self::default()
        }
    }

    /// The mean training loss of the epoch so far.
    pub fn train_loss(&self) -> Option<f64> {
        (self.epoch_weight > 0.0).then(|| self.epoch_loss / self.epoch_weight)
    }

    /// Steps that changed the weights.
    pub fn updates(&self) -> u64 {
        let overflows = self.loss_scale.map_or(0, |scale| scale.skipped);
        self.step - self.skipped - overflows
    }

    /// Moves to the start of the next epoch.
    pub(super) fn next_epoch(&mut self) {
        self.epoch += 1;
        self.batch = 0;
        self.epoch_loss = 0.0;
        self.epoch_weight = 0.0;
    }
}

/// A training that ended without an error.
#[derive(Debug)]
pub struct Finished<M> {
    /// The chosen weights, ready for inference.
    pub model: M,
    /// Their scores on the validation split, if this process evaluated it.
    pub valid: Option<Scores>,
    /// Why it ended.
    pub reason: StopReason,
    /// Where it ended.
    pub state: LoopState,
    /// What it cost, in all the processes that it took.
    pub cost: Cost,
    /// Updates of this process.
    pub steps: u64,
}

impl<M> Finished<M> {
    /// The same training, of what is inside the model.
    pub fn map<N>(self, inner: impl FnOnce(M) -> N) -> Finished<N> {
        Finished {
            model: inner(self.model),
            valid: self.valid,
            reason: self.reason,
            state: self.state,
            cost: self.cost,
            steps: self.steps,
        }
    }
}
