//! What the loop works with.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use burn::train::{InferenceStep, LearnerModel};
use serde_json::json;

use super::TrainError;
use super::cluster::Cluster;
use super::config::TrainerConfig;
use super::evaluation::{More, Scorer, Scores};
use super::shards::Shards;
use super::state::LoopState;
use crate::checkpoint::{Checkpoint, Fingerprints, Store};
use crate::cluster::Owners;
use crate::cost::{Clock, Cost, Phase};
use crate::ema::Ema;
use crate::loader::{Cursor, HandedOut, Share};
use crate::observer::Observer;
use crate::parameters::Rates;
use crate::record::{JsonLines, MetricLine};
use crate::run_folder::{FolderError, Held};
use crate::weights::Kept;

/// What a training needs beyond what Burn's learner brings.
pub(super) struct Setup<M: LearnerModel> {
    pub config: TrainerConfig,
    pub device: Device,
    pub optimizer: ModuleOptimizer,
    pub ema: Option<Ema<M>>,
    pub state: LoopState,
    /// None where all parameters move alike.
    pub rates: Option<Rates>,
    /// What of the weights goes into a checkpoint.
    pub kept: Kept,
    pub batches_per_epoch: usize,
    /// What computes the parts of a batch.
    pub shards: Shards,
    /// Where their number is fixed, for one process or several.
    pub cluster: Option<Cluster>,
    /// Who remembers what of the optimizer, where several processes share it out.
    pub owners: Option<Owners>,
    /// The parts of the training batches.
    pub handed_out: HandedOut,
    pub cursor: Cursor,
    pub valid_cursor: Cursor,
    /// The run's folder.
    pub run: Held,
    pub store: Store,
    pub fingerprints: Fingerprints,
    pub metrics: JsonLines,
    pub timing: JsonLines,
    pub clock: Clock,
    /// What the training did in this process; the clock knows what it cost.
    pub done: Cost,
    /// What the processes before this one cost.
    pub before: Cost,
    pub observers: Vec<Box<dyn Observer>>,
    /// Whether a metric or a renderer of Burn's is shown every batch.
    pub shown: bool,
    pub scorer: Box<dyn Scorer<<M as InferenceStep>::Output>>,
    pub more: Option<More<M>>,
    /// The scores of the evaluations of this process, by step.
    pub seen: BTreeMap<u64, Scores>,
}

impl<M: LearnerModel> Setup<M> {
    /// Whether this process writes the run's folder: it is alone, or the first.
    pub fn leads(&self) -> bool {
        self.share().rank == 0
    }

    /// Which process this is, and of how many.
    pub fn share(&self) -> Share {
        let cluster = self.cluster.as_ref();
        cluster.map_or(Share::WHOLE, |cluster| cluster.exchange.share())
    }

    /// The checkpoint of the first process, which has read it.
    pub fn everywhere(&mut self, own: Option<Checkpoint>) -> Result<Checkpoint, TrainError> {
        let world = self.share().world;
        let (Some(cluster), true) = (&mut self.cluster, world > 1) else {
            return Ok(own.expect("a process that is alone has read it"));
        };
        let bytes = own.as_ref().map(Checkpoint::to_bytes).unwrap_or_default();
        let bytes = cluster.exchange.broadcast(bytes)?;
        let unread =
            |reason| TrainError::Lost(format!("the checkpoint of the first process: {reason}"));
        Checkpoint::from_bytes(&bytes).map_err(unread)
    }

    /// Counts the time since `start` as `phase`.
    pub fn spent(&mut self, phase: Phase, start: Instant) {
        self.clock.spent(phase, start, self.state.step);
    }

    /// Writes metrics of the update that was made last.
    pub fn write(&mut self, split: &str, metrics: &[(&str, f64)]) -> Result<(), FolderError> {
        self.metrics.write(&[MetricLine {
            step: self.state.step,
            epoch: self.state.epoch + 1,
            split,
            metrics,
        }])
    }

    /// Writes down what the training cost up to now, in this epoch, counted from 1.
    pub fn record_cost(&mut self, epoch: u64) -> Result<(), FolderError> {
        let line = json!({"step": self.state.step, "epoch": epoch, "cost": self.cost()});
        self.timing.write(&[line])
    }

    pub fn count_tokens(&mut self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            *self.done.tokens.get_or_insert(0) += tokens;
        }
    }

    /// What the training cost so far, in all the processes that it took.
    pub fn cost(&self) -> Cost {
        let Cost {
            steps,
            samples,
            tokens,
            ..
        } = self.done;
        self.before.plus(&Cost {
            steps,
            samples,
            tokens,
            ..self.clock.cost()
        })
    }
}
