//! The checkpoints of a run by name, and the weights in them.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use serde::Deserialize;

use super::saving::{AVERAGE, MODEL, STATE};
use super::state::Best;
use crate::checkpoint::{Checkpoint, CheckpointError, Store};
use crate::weights::{Kept, WeightsError, decode_part, paths};

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// That of the best evaluation.
    Best,
    /// The newest.
    Last,
    /// That after so many updates.
    Step(u64),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "best" => Ok(Self::Best),
            "last" => Ok(Self::Last),
            step => step
                .parse()
                .map(Self::Step)
                .map_err(|_| "must be best, last or the number of a step".to_owned()),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("best"),
            Self::Last => f.write_str("last"),
            Self::Step(step) => step.fmt(f),
        }
    }
}

/// The checkpoint, verified, and a line for each that had to be skipped.
///
/// # Errors
///
/// If there is none, or it is damaged. [`At::Last`] goes on to the one before.
pub fn find(store: &Store, at: At) -> Result<(Checkpoint, Vec<String>), CheckpointError> {
    match at {
        At::Step(step) => Ok((store.load(step)?, Vec::new())),
        At::Last => store.newest(),
        At::Best => {
            let (newest, skipped) = store.newest()?;
            let no_best = |reason: String| CheckpointError::NoBest {
                path: store.folder().to_path_buf(),
                reason,
                known: store.steps(),
            };
            let best = best_of(&newest).map_err(no_best)?;
            let best = match best.step == newest.manifest.step {
                true => newest,
                false => store
                    .load(best.step)
                    .map_err(|error| no_best(error.to_string()))?,
            };
            Ok((best, skipped))
        }
    }
}

/// The best evaluation by the time of a checkpoint.
fn best_of(checkpoint: &Checkpoint) -> Result<Best, String> {
    /// The part of `state.json` that is read.
    #[derive(Deserialize)]
    struct State {
        best: Option<Best>,
    }

    let bytes = checkpoint.member(STATE).unwrap_or_default();
    let state: State =
        serde_json::from_slice(bytes).map_err(|error| format!("{STATE}: {error}"))?;
    state.best.ok_or_else(|| "nothing was evaluated yet".into())
}

/// Puts the weights of a checkpoint that a run would end with into `model`: the averaged ones, if there
/// are any. Tensors that are not `kept` stay. In the module that was trained, the model is at `prefix`,
/// such as `model.`.
///
/// # Errors
///
/// If they do not fit.
pub fn restore_weights<M: Module>(
    (store, checkpoint): (&Store, &Checkpoint),
    model: M,
    kept: &Kept,
    prefix: &str,
) -> Result<M, CheckpointError> {
    let (name, bytes) = weights_of(checkpoint);
    decode_part(model, bytes, kept, prefix).map_err(|error| CheckpointError::Damaged {
        path: store.path(checkpoint.manifest.step),
        reason: format!("{name}: {error}"),
    })
}

/// The paths of the weights of a checkpoint, those of a model that is at `prefix` in the module that was trained.
///
/// # Errors
///
/// If they cannot be read.
pub fn weight_paths(
    checkpoint: &Checkpoint,
    prefix: &str,
) -> Result<HashSet<String>, WeightsError> {
    let paths = paths(weights_of(checkpoint).1)?.into_iter();
    let paths = paths.filter_map(|path| Some(path.strip_prefix(prefix)?.to_owned()));
    Ok(paths.collect())
}

/// The member with the weights that a run would end with, and its name.
fn weights_of(checkpoint: &Checkpoint) -> (&'static str, &[u8]) {
    let averaged = checkpoint.member(AVERAGE).map(|bytes| (AVERAGE, bytes));
    averaged
        .or_else(|| Some((MODEL, checkpoint.member(MODEL)?)))
        .unwrap_or((MODEL, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Fingerprints;

    fn save(store: &Store, step: u64, best: &str) {
        let state = format!("{{\"best\":{best}}}").into_bytes();
        let saved = store.save(step, &Fingerprints::new(), &[(STATE, state)]);
        saved.expect("saved");
    }

    #[test]
    fn checkpoints_are_found_by_name() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(root.path().join("checkpoints"));
        save(&store, 3, "null");
        let none = find(&store, At::Best).expect_err("nothing was evaluated");
        assert!(
            none.to_string()
                .contains("name `last` or a step: there are 3"),
            "{none}"
        );
        save(&store, 5, "{\"step\":3,\"value\":0.5}");
        for (name, step) in [("best", 3), ("last", 5), ("5", 5)] {
            let at: At = name.parse().expect("a name");
            let (found, _) = find(&store, at).expect("it is there");
            assert_eq!(found.manifest.step, step, "{name}");
        }
        let none = find(&store, At::Step(4)).expect_err("there is none");
        assert!(none.to_string().contains("there are 3, 5"), "{none}");
        assert!("first".parse::<At>().is_err());
    }
}
