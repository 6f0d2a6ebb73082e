//! Checkpoints of a session, and the weights that it ends with.

use burn::module::Module;
use burn::train::{InferenceStep, LearnerModel, TrainStep};

use super::TrainError;
use super::session::Session;
use super::state::Best;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::optim;
use crate::output::StepOutput;
use crate::weights::{Kept, decode, encode};

/// The members of a checkpoint.
pub(super) const MODEL: &str = "model.bpk";
pub(super) const AVERAGE: &str = "ema.bpk";
pub(super) const OPTIMIZER: &str = "optimizer.bpk";
pub(super) const STATE: &str = "state.json";

impl<M> Session<M>
where
    M: LearnerModel,
    <M as TrainStep>::Output: StepOutput,
    <M as InferenceStep>::Output: StepOutput,
{
    /// Saves everything that the next update depends on, then prunes.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        let step = self.setup.state.step;
        let finite = |bytes: Option<Vec<u8>>| bytes.ok_or(CheckpointError::NonFinite(step));
        let kept = &self.setup.kept;
        let mut members = vec![(MODEL, finite(encode(self.model(), kept))?)];
        if let Some(ema) = &self.setup.ema {
            members.push((AVERAGE, finite(encode(ema.model(), kept))?));
        }
        let optimizer = optim::to_bytes(&self.setup.optimizer)
            .map_err(|error| TrainError::Learner(error.to_string()))?;
        members.push((OPTIMIZER, optimizer.to_vec()));
        // What the checkpoint counts on must be on disk before it is.
        self.setup.metrics.sync()?;
        self.setup.state.metrics_bytes = self.setup.metrics.bytes();
        let state = serde_json::to_vec_pretty(&self.setup.state).expect("the state is plain data");
        members.push((STATE, state));
        self.setup
            .store
            .save(step, &self.setup.fingerprints, &members)?;
        let config = &self.setup.plan.checkpoint;
        let best = self
            .setup
            .state
            .best
            .filter(|_| config.keep_best)
            .map(|best| best.step);
        self.setup
            .store
            .prune(step, config.keep_last, best.as_slice())?;
        Ok(())
    }

    /// The weights that the run ends with, for inference: those of the best evaluation if they
    /// were kept, else the last; averaged if averaging is on.
    pub(super) fn chosen(&self) -> Result<M, TrainError> {
        let last = match &self.setup.ema {
            Some(ema) => ema.model(),
            None => self.model(),
        };
        let step = self.chosen_step();
        if step == self.setup.state.step {
            return Ok(last.valid());
        }
        let checkpoint = self.setup.store.load(step)?;
        let name = match self.setup.ema {
            Some(_) => AVERAGE,
            None => MODEL,
        };
        let path = self.setup.store.path(step);
        restore(&checkpoint, name, (last.valid(), &self.setup.kept), &path)
    }

    /// The step that had the weights of [`chosen`](Self::chosen).
    pub(super) fn chosen_step(&self) -> u64 {
        let kept = |_: &Best| self.setup.plan.checkpoint.keep_best;
        let best = self.setup.state.best.filter(kept);
        best.map_or(self.setup.state.step, |best| best.step)
    }
}

/// Puts the weights of one member into `module`, whose others stay.
pub(super) fn restore<M: Module>(
    checkpoint: &Checkpoint,
    name: &str,
    (module, kept): (M, &Kept),
    path: &std::path::Path,
) -> Result<M, TrainError> {
    let bytes = member(checkpoint, name, path)?;
    decode(module, bytes, kept).map_err(|error| damaged(path, format!("{name}: {error}")))
}

/// The bytes of a member that must be there.
pub(super) fn member<'a>(
    checkpoint: &'a Checkpoint,
    name: &str,
    path: &std::path::Path,
) -> Result<&'a [u8], TrainError> {
    checkpoint
        .member(name)
        .ok_or_else(|| damaged(path, format!("it has no {name}")))
}

pub(super) fn damaged(path: &std::path::Path, reason: String) -> TrainError {
    CheckpointError::Damaged {
        path: path.to_path_buf(),
        reason,
    }
    .into()
}
