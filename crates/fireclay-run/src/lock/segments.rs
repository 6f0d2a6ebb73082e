//! The parts of a run that were trained otherwise than those before them.

use std::collections::BTreeMap;
use std::path::Path;

use fireclay_train::checkpoint::Difference;
use fireclay_train::run_folder::{FolderError, write_whole};
use fireclay_train::strategy::Change;
use toml::{Table, Value};

use super::{BYTES, ENDED_SHA256, NAME, RESULTS_SHA256, WRITTEN, read};
use crate::config::RunConfig;

/// The table of a part of the run that was trained otherwise than the one before.
pub(super) const SEGMENTS: &str = "segment";

/// Writes down what is changed on purpose after `step` updates, or nothing where the run goes back to that step; it
/// goes on by `config`. It has not ended any more.
pub(crate) fn change(
    run: &Path,
    (step, config): (u64, &RunConfig),
    found: &[Difference],
) -> Result<(), FolderError> {
    let mut lock = read(run)?;
    lock.remove(RESULTS_SHA256);
    lock.remove(ENDED_SHA256);
    lock.remove(BYTES);
    add_segment(&mut lock, (step, config), found);
    write_whole(&run.join(NAME), lock.to_string().as_bytes())
}

/// The same for what leaves the results as they are: a run that has ended stays one.
pub(crate) fn note_change(
    run: &Path,
    (step, config): (u64, &RunConfig),
    found: &[Difference],
) -> Result<(), FolderError> {
    let mut lock = read(run)?;
    add_segment(&mut lock, (step, config), found);
    write_whole(&run.join(NAME), lock.to_string().as_bytes())
}

/// A value of a key as a segment says it.
pub(crate) fn shown(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "not set".to_owned(), ToString::to_string)
}

fn add_segment(lock: &mut Table, (step, config): (u64, &RunConfig), found: &[Difference]) {
    lock.insert(WRITTEN.into(), config.to_toml().into());
    let changed = found.iter().map(|found| {
        let cells = [
            ("key", found.path.clone()),
            ("was", shown(found.was.as_ref())),
            ("now", shown(found.now.as_ref())),
        ];
        let cells = cells.map(|(name, text)| (name.to_owned(), Value::String(text)));
        Value::Table(cells.into_iter().collect())
    });
    let segment = [
        ("step".to_owned(), Value::Integer(step as i64)),
        ("changed".to_owned(), Value::Array(changed.collect())),
    ];
    let segments = lock
        .entry(SEGMENTS)
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Some(segments) = segments.as_array_mut() {
        segments.push(Value::Table(segment.into_iter().collect()));
    }
}

/// What was changed on purpose, in order.
pub(crate) fn changes(run: &Path) -> Result<Vec<Change>, FolderError> {
    let lock = read(run)?;
    let segments = lock.get(SEGMENTS).and_then(Value::as_array);
    let change = |segment: &Value| {
        let changed = segment.get("changed")?.as_array()?.iter();
        let keys = changed.filter_map(|cells| Some(cells.get("key")?.as_str()?.to_owned()));
        Some(Change {
            step: segment.get("step")?.as_integer()?.try_into().ok()?,
            keys: keys.collect(),
        })
    };
    Ok(segments.into_iter().flatten().filter_map(change).collect())
}

/// What the keys that were changed last had been before, as [`shown`].
pub(crate) fn last_change(run: &Path) -> Result<BTreeMap<String, String>, FolderError> {
    let lock = read(run)?;
    let last = lock.get(SEGMENTS).and_then(Value::as_array);
    let changed = last.and_then(|segments| segments.last()?.get("changed")?.as_array());
    let was = |cells: &Value| {
        let cell = |name| Some(cells.get(name)?.as_str()?.to_owned());
        Some((cell("key")?, cell("was")?))
    };
    Ok(changed.into_iter().flatten().filter_map(was).collect())
}
