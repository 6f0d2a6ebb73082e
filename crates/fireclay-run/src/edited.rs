//! Whether somebody has edited the configuration of a run since the run wrote it.

use std::path::Path;

use fireclay_train::checkpoint::Difference;
use fireclay_train::run_folder::typed;

use crate::changes::{found, refusal};
use crate::config::{Loaded, RunConfig};
use crate::lock;
use crate::read::{load_run, parse_run};
use crate::run::RunError;

/// Refuses a run whose `config.toml`, read as `now`, is not what the run wrote: what is changed on purpose is named
/// on the command line, and written down.
pub(crate) fn refuse_edits(run: &Path, now: &RunConfig) -> Result<(), RunError> {
    match edits(run, now)? {
        Some(edits) => refuse(run, &edits),
        // An older version has kept no more than a hash, and that at the end.
        None if lock::ended(run)? == lock::Ended::Edited => Err(RunError::Edited(
            typed(run),
            "it was trained by a version that does not say in which keys".into(),
        )),
        None => Ok(()),
    }
}

/// The configuration of a run that is to answer. It has to be what the run wrote in whatever an answer depends on.
pub(crate) fn load_unedited(run: &Path) -> Result<Loaded, RunError> {
    let loaded = load_run(run)?;
    let edits = edits(run, &loaded.config)?.into_iter().flatten();
    let edits = edits.filter(|edit| refusal(&edit.path).is_some());
    refuse(run, &edits.collect::<Vec<_>>())?;
    Ok(loaded)
}

fn refuse(run: &Path, edits: &[Difference]) -> Result<(), RunError> {
    let list: Vec<String> = edits.iter().map(ToString::to_string).collect();
    match list.is_empty() {
        true => Ok(()),
        false => Err(RunError::Edited(typed(run), list.join("; "))),
    }
}

/// In what `config.toml` differs from what the run wrote; none where the run has kept nothing to compare with.
fn edits(run: &Path, now: &RunConfig) -> Result<Option<Vec<Difference>>, RunError> {
    let Some(written) = lock::config(run)? else {
        return Ok(None);
    };
    let mut edits = found(&parse_run(&written)?, now);
    if !edits.is_empty() {
        // A process that was killed while it wrote a change down has left the value of before.
        let unwritten = lock::last_change(run)?;
        edits.retain(|edit| unwritten.get(&edit.path) != Some(&lock::shown(edit.now.as_ref())));
    }
    Ok(Some(edits))
}
