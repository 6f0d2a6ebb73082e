//! Whether a training has an update left to make.

use fireclay_data::batch_count;

use super::change::Adapt;
use super::config::TrainerConfig;
use super::saving::STATE;
use super::state::LoopState;
use crate::checkpoint::{Checkpoint, differences};
use crate::config::BatchSize;
use crate::observer::StopReason;

/// Whether there were as many evaluations without an improvement as the patience allows.
pub(super) fn is_exhausted(config: &TrainerConfig, state: &LoopState) -> bool {
    let early = config.early_stopping.as_ref();
    early.is_some_and(|early| state.early_bad >= early.patience)
}

/// Why a training in this state has no update left to make, if it has none; an epoch has so many micro-batches.
pub(super) fn nothing_left(
    config: &TrainerConfig,
    state: &LoopState,
    batches: usize,
) -> Option<StopReason> {
    let was_stopped = state.stopped == Some(StopReason::EarlyStopped);
    match was_stopped && is_exhausted(config, state) {
        true => Some(StopReason::EarlyStopped),
        false if state.step >= config.last_step(batches, state.moved) => {
            Some(StopReason::Completed)
        }
        false => None,
    }
}

/// Why a run that goes on from a checkpoint with this configuration would make no update, if it would make none, and
/// its state. `samples`: the size of the training split. The training itself says what is wrong with a checkpoint
/// that cannot be read.
pub fn ended_under(
    checkpoint: &Checkpoint,
    config: &TrainerConfig,
    samples: usize,
) -> Option<(StopReason, LoopState)> {
    let mut state: LoopState = serde_json::from_slice(checkpoint.member(STATE)?).ok()?;
    let size = match config.train.batch_size {
        BatchSize::Samples(count) => count.get(),
        BatchSize::Full => samples.max(1),
        BatchSize::Auto => return None,
    };
    let batches = batch_count(samples, size, config.train.drop_last);
    let saved = &checkpoint.manifest.fingerprints;
    let now = config.fingerprints(config.total_steps(batches));
    let adapt = Adapt {
        differences: &differences(saved, &now),
        saved,
        config,
        samples,
        batches,
    };
    adapt.apply(&mut state);
    Some((nothing_left(config, &state, batches)?, state))
}
