//! A training that goes on otherwise than it began: what may differ from the checkpoint, and what that
//! means for the state of the loop.

use super::config::TrainerConfig;
use super::state::LoopState;
use crate::checkpoint::{Difference, Fingerprints};
use crate::config::BatchSize;
use crate::schedule::PlateauState;

/// A deliberate change of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Updates made before it.
    pub step: u64,
    /// The keys that have other values since, dotted from the top of the configuration.
    pub keys: Vec<String>,
}

/// Keys that decide how many updates there are.
const LENGTH: [&str; 4] = [
    "train.epochs",
    "train.max_steps",
    "train.batch_size",
    "train.gradient_accumulation_steps",
];

impl Change {
    /// Whether this is why a run differs from a checkpoint.
    fn explains(&self, difference: &Difference) -> bool {
        let path = difference.path.as_str();
        let keys = || self.keys.iter().map(String::as_str);
        let has = |key: &str| keys().any(|changed| changed == key);
        let begins = |table: &str| keys().any(|key| key.starts_with(table));
        match path {
            // A schedule that looks ahead depends on the length.
            "lr_scheduler.total_steps" => {
                begins("lr_scheduler.") || LENGTH.iter().any(|key| has(key))
            }
            "monitors.checkpoint" => has("checkpoint.monitor"),
            "monitors.keep_best" => has("checkpoint.keep_best"),
            "monitors.early_stopping" => begins("early_stopping"),
            _ => match path.strip_prefix("data.config.") {
                Some(key) => has(&format!("data.{key}")),
                None => has(path),
            },
        }
    }
}

/// The differences from a checkpoint of `step` updates that no change since then explains.
pub(super) fn unexplained(
    found: Vec<Difference>,
    changes: &[Change],
    step: u64,
) -> Vec<Difference> {
    let since = || changes.iter().filter(|change| change.step >= step);
    let explained = |difference: &Difference| since().any(|change| change.explains(difference));
    let found = found.into_iter();
    found.filter(|difference| !explained(difference)).collect()
}

/// What the state of the loop means to a configuration other than the one that it was saved under.
pub(super) struct Adapt<'a> {
    /// What differs.
    pub differences: &'a [Difference],
    /// The run that saved it.
    pub saved: &'a Fingerprints,
    /// The run that goes on.
    pub config: &'a TrainerConfig,
    /// The number of training samples.
    pub samples: usize,
    /// Micro-batches in an epoch of the run that goes on.
    pub batches: usize,
}

impl Adapt<'_> {
    /// Carries the state over.
    pub fn apply(&self, state: &mut LoopState) {
        let differs = |path: &str| {
            let mut paths = self.differences.iter().map(|found| found.path.as_str());
            paths.any(|found| found == path)
        };
        // Values of different metrics cannot be compared.
        if differs("monitors.checkpoint") {
            state.best = None;
        }
        if differs("monitors.early_stopping") {
            (state.early_best, state.early_bad) = (None, 0);
        }
        if differs("lr_scheduler.type") || differs("lr_scheduler.monitor") {
            state.plateau = PlateauState::default();
        }
        if differs("train.batch_size") {
            self.cut_anew(state);
        }
        if differs("train.batch_size") || differs("train.gradient_accumulation_steps") {
            self.count_anew(state);
        }
    }

    /// Goes on after as many samples of the epoch, in batches of another size.
    fn cut_anew(&self, state: &mut LoopState) {
        let samples = |size| match size {
            BatchSize::Samples(count) => count.get(),
            BatchSize::Full | BatchSize::Auto => self.samples.max(1),
        };
        let saved = self
            .saved
            .get("train")
            .and_then(|train| train.get("batch_size"));
        let saved = saved.and_then(|size| serde_json::from_value(size.clone()).ok());
        let saved = samples(saved.unwrap_or(self.config.train.batch_size));
        let used = state.batch.saturating_mul(saved);
        let batch = used / samples(self.config.train.batch_size);
        state.batch = batch.min(self.batches.saturating_sub(1));
    }

    /// Updates of the old size and of the new one do not add up to those of the epochs.
    fn count_anew(&self, state: &mut LoopState) {
        let per_epoch = self.config.steps_per_epoch(self.batches);
        let of_epoch = state.batch.div_ceil(self.config.accumulation()) as u64;
        let counted = state
            .epoch
            .saturating_mul(per_epoch)
            .saturating_add(of_epoch);
        state.moved = state.step as i64 - counted as i64;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use serde_json::json;

    use super::*;
    use crate::checkpoint::differences;
    use crate::config::TrainConfig;
    use crate::optim::OptimizerConfig;

    fn config(batch_size: usize, epochs: u64) -> TrainerConfig {
        let size = NonZeroUsize::new(batch_size).expect("not 0");
        let train = TrainConfig {
            epochs: Some(epochs),
            batch_size: BatchSize::Samples(size),
            ..TrainConfig::default()
        };
        TrainerConfig::new(1, OptimizerConfig::default(), train)
    }

    #[test]
    fn only_what_was_changed_since_is_explained() {
        let parts = |rate: f64, total: u64, width: u64| {
            Fingerprints::from([
                ("optimizer".into(), json!({ "learning_rate": rate })),
                ("lr_scheduler".into(), json!({ "total_steps": total })),
                ("model".into(), json!({ "width": width })),
            ])
        };
        let change = |step, keys: &[&str]| Change {
            step,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let found = || differences(&parts(0.1, 10, 4), &parts(0.2, 20, 5));
        let left = |changes: &[Change]| -> Vec<String> {
            let left = unexplained(found(), changes, 7).into_iter();
            left.map(|difference| difference.path).collect()
        };
        let all = [
            "lr_scheduler.total_steps",
            "model.width",
            "optimizer.learning_rate",
        ];
        assert_eq!(left(&[]), all);
        let rate = change(7, &["optimizer.learning_rate"]);
        assert_eq!(left(std::slice::from_ref(&rate)), all[..2]);
        assert_eq!(left(&[rate, change(9, &["train.epochs"])]), ["model.width"]);
        let before = change(6, &["train.epochs", "optimizer.learning_rate"]);
        assert_eq!(left(&[before]), all, "that was before the checkpoint");
    }

    #[test]
    fn batches_of_another_size_go_on_after_the_same_samples_and_end_with_the_same_epoch() {
        let (old, new) = (config(10, 4), config(20, 4));
        let saved = old.fingerprints(40);
        let found = differences(&saved, &new.fingerprints(20));
        let mut state = LoopState {
            step: 14,
            epoch: 1,
            batch: 4,
            ..LoopState::default()
        };
        let adapt = Adapt {
            differences: &found,
            saved: &saved,
            config: &new,
            samples: 100,
            batches: 5,
        };
        adapt.apply(&mut state);
        assert_eq!(state.batch, 2, "40 of 100 samples");
        // 3 more updates of this epoch, and 5 of each of the two that are left.
        assert_eq!(new.last_step(5, state.moved), 14 + 3 + 2 * 5);
    }
}
