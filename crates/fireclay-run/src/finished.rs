//! A run that has ended, and is not trained again.

use std::path::{Path, PathBuf};

use fireclay_train::StopReason;
use fireclay_train::checkpoint::Store;
use fireclay_train::run_folder::{find, typed};
use fireclay_train::strategy::{self, At, LoopState, TrainerConfig};

use crate::artifacts::read_json;
use crate::lock;
use crate::read::load_run;
use crate::run::{Evaluations, RunError};

/// A run as it was at its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its folder.
    pub folder: PathBuf,
    /// `evaluation.json`.
    pub evaluation: Evaluations,
    /// Why it ended.
    pub reason: StopReason,
    /// That it has ended, and how it would go on.
    pub said: String,
}

/// The run at `path`, if it has ended and everything in it is as it was then.
///
/// # Errors
///
/// If there is no run, or its files cannot be read.
pub fn finished(path: &Path) -> Result<Option<Finished>, RunError> {
    let folder = find(path)?;
    if lock::ended(&folder)? != lock::Ended::Whole {
        return Ok(None);
    }
    let evaluation = read_json(&folder.join("evaluation.json"))?;
    let config = TrainerConfig::from(&load_run(&folder)?.config);
    let run = typed(&folder);
    let (reason, more) = match last_state(&folder) {
        Some((reason, state)) => (reason, strategy::ended(reason, &config, &state, &run)),
        // Its checkpoints are gone, and with them what it could go on from.
        None => (StopReason::Completed, "no checkpoint is left of it".into()),
    };
    Ok(Some(Finished {
        said: format!("{run} has ended and stays as it is: {more}"),
        folder,
        evaluation,
        reason,
    }))
}

/// Why it ended, by its newest checkpoint, and the state in that.
fn last_state(folder: &Path) -> Option<(StopReason, LoopState)> {
    let store = Store::new(folder.join("checkpoints"));
    let (checkpoint, _) = strategy::find(&store, At::Last).ok()?;
    let state: LoopState = serde_json::from_slice(checkpoint.member("state.json")?).ok()?;
    let reason = match state.stopped? {
        // It was given no more steps than it had made by then.
        StopReason::Interrupted => StopReason::Completed,
        reason => reason,
    };
    Some((reason, state))
}
