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
///
/// The result are the keys of a change that was cut short: `config.toml` does not have it.
pub(crate) fn refuse_edits(run: &Path, now: &RunConfig) -> Result<Vec<String>, RunError> {
    match edits(run, now)? {
        Some(edits) => {
            refuse(run, &edits.made)?;
            Ok(edits.unwritten)
        }
        // An older version has kept no more than a hash, and that at the end.
        None if lock::ended(run)? == lock::Ended::Edited => Err(RunError::Edited(
            typed(run),
            "it was trained by a version that does not say in which keys".into(),
        )),
        None => Ok(Vec::new()),
    }
}

/// The configuration of a run that is to answer. It has to be what the run wrote in whatever an answer depends on.
pub(crate) fn load_unedited(run: &Path) -> Result<Loaded, RunError> {
    let loaded = load_run(run)?;
    let edits = edits(run, &loaded.config)?.map(|edits| edits.made);
    let edits = edits.into_iter().flatten();
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

/// In what `config.toml` differs from what the run wrote.
struct Edits {
    made: Vec<Difference>,
    /// The keys of what a process that was killed meanwhile has left as it was before.
    unwritten: Vec<String>,
}

/// The edits; none where the run has kept nothing to compare with.
fn edits(run: &Path, now: &RunConfig) -> Result<Option<Edits>, RunError> {
    let Some(written) = lock::config(run)? else {
        return Ok(None);
    };
    let found = found(&parse_run(&written)?, now);
    let before = match found.is_empty() {
        true => Default::default(),
        false => lock::last_change(run)?,
    };
    let is_unwritten =
        |edit: &Difference| before.get(&edit.path) == Some(&lock::shown(edit.now.as_ref()));
    let (unwritten, made) = found.into_iter().partition::<Vec<_>, _>(is_unwritten);
    let unwritten = unwritten.into_iter().map(|edit| edit.path).collect();
    Ok(Some(Edits { made, unwritten }))
}
