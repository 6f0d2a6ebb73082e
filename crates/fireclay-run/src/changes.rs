//! What may be changed on purpose in a run that goes on, and why the rest may not.

use fireclay_config::ConfigError;
use fireclay_train::checkpoint::{Difference, Fingerprints, differences};
use fireclay_train::config::TrainConfig;
use fireclay_train::strategy::LoopState;
use serde_json::{Value, json};

use crate::config::{Loaded, RunConfig};

/// Everything in which the configuration of a run is now another.
pub(crate) fn found(before: &RunConfig, now: &RunConfig) -> Vec<Difference> {
    differences(&parts(before), &parts(now))
}

/// What is written about a run is no part of it.
fn parts(config: &RunConfig) -> Fingerprints {
    match json!(config) {
        Value::Object(tables) => tables
            .into_iter()
            .filter(|(name, _)| name != "report")
            .collect(),
        _ => unreachable!("a configuration is a table"),
    }
}

/// Refuses the changes that would make it another run.
pub(crate) fn check(found: &[Difference], now: &Loaded) -> Result<(), ConfigError> {
    let refused = found.iter().filter_map(|difference| {
        let why = refusal(&difference.path)?;
        let message = format!("cannot be changed in a run that goes on: {why}");
        Some((difference.path.clone(), message))
    });
    // Where the `type` of a table changed, nearly every key of it differs.
    let mut refused: Vec<_> = refused.collect();
    let has_type = |key: &str| {
        let table = key.split('.').next().unwrap_or_default();
        let tag = format!("{table}.type");
        key != tag && found.iter().any(|difference| difference.path == tag)
    };
    refused.retain(|(key, _)| !has_type(key));
    match refused.is_empty() {
        true => Ok(()),
        false => Err(now.problems(refused)),
    }
}

/// The keys of `[data]` that name files, which may be moved.
pub(crate) fn is_place(key: &str) -> bool {
    let name = key.strip_prefix("data.");
    name.is_some_and(|name| name == "path" || name.ends_with("_path"))
}

/// The keys of `[logging]` that say who follows the run: they change nothing of it.
fn is_tracker(key: &str) -> bool {
    key.starts_with("logging.") && key != "logging.every_steps"
}

/// Whether all that is changed leaves what was trained as it is: a run that has ended stays one.
pub(crate) fn leave_results(found: &[Difference]) -> bool {
    let paths = || found.iter().map(|difference| difference.path.as_str());
    let is_kept = |key| ["eval.keep_predictions", "eval.texts", "device.watts"].contains(&key);
    paths().all(|key| is_place(key) || is_tracker(key) || is_kept(key) || leaves_bits(key))
}

/// Whether a key says how processes work together or where data is kept, and nothing of what they compute.
pub(crate) fn leaves_bits(key: &str) -> bool {
    let of = |table: &str, keys: [&str; 3]| {
        let name = key.strip_prefix(table);
        name.is_some_and(|name| keys.contains(&name))
    };
    of(
        "cluster.",
        ["timeout", "shard_optimizer", "device_per_process"],
    ) || of(
        "data.",
        ["cache_dir", "shard_cache_dir", "shard_cache_bytes"],
    )
}

/// Why a key cannot be changed, if it cannot.
pub(crate) fn refusal(key: &str) -> Option<&'static str> {
    const MODEL: &str = "the weights in its checkpoints are those of its model; another one is a new run, \
         which can start from a checkpoint of this one by model.pretrained";
    const DATA: &str = "what it has learned is about its data as it was read and split; other data is a new \
         run, which can start from a checkpoint of this one by model.pretrained";
    let table = key.split('.').next().unwrap_or_default();
    match (table, key) {
        ("data", key) if is_place(key) || leaves_bits(key) => None,
        ("data" | "tokenizer", _) => Some(DATA),
        ("model" | "lora", _) => Some(MODEL),
        ("task", _) => Some("it is what the weights in its checkpoints were trained for"),
        ("fairness", _) => {
            Some("it decides what its rows weigh, and which groups its answers tell apart")
        }
        ("seed", _) => Some("every random choice that it made follows from it"),
        ("output_dir", _) => Some("the run stays where it is; its folder can be moved"),
        (_, "optimizer.type") => Some(
            "what one optimizer remembers means nothing to another; a new run can start from a checkpoint \
             of this one by model.pretrained",
        ),
        (_, "device.precision") => Some("its checkpoints hold what this precision needs"),
        (_, "train.ema_decay") => Some("its checkpoints hold the weights averaged with it"),
        (_, "train.shuffle" | "train.drop_last") => {
            Some("it decides which samples of an epoch are left")
        }
        _ => None,
    }
}

/// A length that is changed to less than the run has made, if one is; `state` is that of the checkpoint that it goes on
/// from.
pub(crate) fn too_short(
    found: &[Difference],
    train: &TrainConfig,
    state: &LoopState,
) -> Option<(String, String)> {
    let step = state.step;
    // An epoch that was begun is one that shorter runs do not have.
    let epochs = state.epoch + u64::from(state.batch > 0);
    let lengths = [
        ("train.epochs", train.epochs, epochs, "epochs"),
        ("train.max_steps", train.max_steps, step, "steps"),
    ];
    let is_changed = |key: &str| found.iter().any(|difference| difference.path == key);
    lengths.into_iter().find_map(|(key, asked, made, what)| {
        let asked = asked.filter(|asked| is_changed(key) && *asked < made)?;
        let message = format!(
            "is {asked}, but the run has made or begun {made} {what} by step {step}; name {made} or more, or go back to \
             an earlier checkpoint with --checkpoint N"
        );
        Some((key.to_owned(), message))
    })
}

/// The changes in a line, for whoever reads along.
pub(crate) fn said(found: &[Difference], step: u64) -> String {
    let list = found.iter().map(ToString::to_string);
    let list = list.collect::<Vec<_>>().join("; ");
    let all = |is: fn(&str) -> bool| found.iter().all(|difference| is(&difference.path));
    match (all(is_place), all(is_tracker)) {
        (true, _) => format!("the data has been moved, and its bytes are the same: {list}"),
        (_, true) => format!("followed differently from step {step} on: {list}"),
        _ if leave_results(found) => format!("changed, and nothing of the training is: {list}"),
        _ => format!(
            "changed from step {step} on: {list}; the run no longer has the bits of one that was never \
             interrupted"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_leaves_what_was_trained() {
        let leaves = |keys: &[&str]| {
            let found = keys.iter().map(|key| Difference {
                path: (*key).to_owned(),
                was: None,
                now: None,
            });
            leave_results(&found.collect::<Vec<_>>())
        };
        assert!(leaves(&[
            "data.path",
            "data.test_path",
            "logging.tensorboard"
        ]));
        assert!(!leaves(&["data.path", "train.epochs"]));
        assert!(!leaves(&["logging.every_steps"]));
    }

    #[test]
    fn a_run_cannot_be_made_shorter_than_it_is() {
        let state = LoopState {
            step: 25,
            epoch: 2,
            batch: 5,
            ..LoopState::default()
        };
        let change = |key: &str, value: u64| {
            let found = Difference {
                path: key.to_owned(),
                was: None,
                now: Some(json!(value)),
            };
            let is = |name| (key == name).then_some(value);
            let train = TrainConfig {
                epochs: is("train.epochs"),
                max_steps: is("train.max_steps"),
                ..TrainConfig::default()
            };
            too_short(&[found], &train, &state).map(|(key, _)| key)
        };
        assert_eq!(change("train.epochs", 2).as_deref(), Some("train.epochs"));
        assert_eq!(change("train.epochs", 3), None);
        assert_eq!(
            change("train.max_steps", 24).as_deref(),
            Some("train.max_steps")
        );
        assert_eq!(change("train.max_steps", 25), None);
    }

    #[test]
    fn how_it_is_trained_may_change_and_what_is_trained_may_not() {
        let free = [
            "train.epochs",
            "train.max_steps",
            "train.batch_size",
            "optimizer.learning_rate",
            "lr_scheduler.type",
            "early_stopping.patience",
            "early_stopping",
            "eval.every_steps",
            "checkpoint.keep_last",
            "device.memory_gb",
            "data.path",
            "data.valid_target_path",
            "data.shard_cache_dir",
        ];
        assert!(free.iter().all(|key| refusal(key).is_none()));
        let bound = [
            "seed",
            "output_dir",
            "data.type",
            "data.split.train",
            "data.shards_mixed",
            "tokenizer.path",
            "model.hidden",
            "model.pretrained",
            "lora.rank",
            "task.label_smoothing",
            "fairness",
            "fairness.mitigation",
            "optimizer.type",
            "device.precision",
            "train.ema_decay",
            "train.shuffle",
        ];
        assert!(bound.iter().all(|key| refusal(key).is_some()));
    }
}
