//! Whether a run has ended, and whether it is still as it was then.

use std::path::{Path, PathBuf};

use fireclay_data::{DataError, sha256_file};
use fireclay_train::run_folder::{self, FolderError, typed};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::{BYTES, CONFIG, ENDED_SHA256, NAME, RESULTS_SHA256, SEGMENTS, hex, read};
use crate::artifacts::{ADAPTERS, FinishedError, KEPT, MODEL, Open};

/// The folder of a run that has ended, with weights and the files of these names, as the run wrote them.
pub(crate) fn verified(run: &Path, names: &[&'static str]) -> Result<PathBuf, FinishedError> {
    let run = run_folder::find(run)?;
    let lock = read(&run)?;
    let Some(known) = lock.get(RESULTS_SHA256).and_then(Value::as_table) else {
        return Err(FinishedError::Open(typed(&run), open(&run, &lock)));
    };
    let has = |name: &&str| run.join(name).exists();
    let mut weights = [MODEL, ADAPTERS].into_iter().filter(has).peekable();
    if weights.peek().is_none() {
        return Err(not_there(&run, MODEL));
    }
    for name in weights.chain(names.iter().copied()) {
        if !has(&name) {
            return Err(not_there(&run, name));
        }
        if !known.contains_key(name) {
            return Err(cut(&run, &format!("it does not say what {name} was")));
        }
    }
    match first_other(&run, &lock, known)? {
        Some(path) => Err(not_as_written(&path)),
        None => Ok(run),
    }
}

/// The first file that is not what it was. Those that are kept to be looked at may be gone: no answer depends on them,
/// and what does asks for them.
fn first_other(run: &Path, lock: &Table, known: &Table) -> Result<Option<PathBuf>, FinishedError> {
    for (name, hash) in known {
        match run.join(name).exists() {
            true => {}
            false if KEPT.contains(&name.as_str()) => continue,
            false => return Err(not_there(run, name)),
        }
        if !is_as_written(run, lock, (name, hash))? {
            return Ok(Some(run.join(name)));
        }
    }
    Ok(None)
}

/// Whether a file has the hash that it had. One that has become longer, by terabytes perhaps, is not read.
fn is_as_written(
    run: &Path,
    lock: &Table,
    (name, hash): (&str, &Value),
) -> Result<bool, DataError> {
    let path = run.join(name);
    let known = lock
        .get(BYTES)
        .and_then(|known| known.get(name)?.as_integer());
    let is_other = |known: i64| {
        let found = path.metadata();
        found.is_ok_and(|found| found.len() != known.unsigned_abs())
    };
    if known.is_some_and(is_other) {
        return Ok(false);
    }
    Ok(hash.as_str() == Some(sha256_file(&path)?.as_str()))
}

fn not_there(run: &Path, name: &str) -> FinishedError {
    let reason = format!(
        "it is not there any more; `fireclay resume {}` makes it again from the checkpoints",
        typed(run)
    );
    FinishedError::Damaged(run.join(name).display().to_string(), reason)
}

fn cut(run: &Path, reason: &str) -> FinishedError {
    let path = run.join(NAME).display().to_string();
    FinishedError::Damaged(path, reason.to_owned())
}

/// Why a run has not ended, if it has not.
pub(crate) fn not_ended(run: &Path) -> Result<Option<Open>, FolderError> {
    let lock = read(run)?;
    let is_sealed = lock.contains_key(RESULTS_SHA256) && has_weights(run);
    Ok((!is_sealed).then(|| open(run, &lock)))
}

fn has_weights(run: &Path) -> bool {
    [MODEL, ADAPTERS].iter().any(|name| run.join(name).exists())
}

fn open(run: &Path, lock: &Table) -> Open {
    let last = lock.get(SEGMENTS).and_then(Value::as_array);
    let last = last.and_then(|segments| segments.last()?.get("step")?.as_integer());
    match last {
        _ if !has_weights(run) => Open::Unfinished,
        Some(step) => Open::Reopened(step.unsigned_abs()),
        None => Open::NeverSealed,
    }
}

/// Whether the run is sealed: it has ended, and its results were whole then.
pub(crate) fn is_finished(run: &Path) -> Result<bool, FolderError> {
    Ok(read(run)?.contains_key(RESULTS_SHA256))
}

/// How a run is that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It has not.
    No,
    /// As it was at its end.
    Whole,
    /// Its configuration was edited since.
    Edited,
    /// Something is missing, or not what it was.
    Broken,
}

pub(crate) fn ended(run: &Path) -> Result<Ended, FolderError> {
    let lock = read(run)?;
    let Some(results) = lock.get(RESULTS_SHA256).and_then(Value::as_table) else {
        return Ok(Ended::No);
    };
    let is = |name: &str, hash: &Value| is_as_written(run, &lock, (name, hash)).unwrap_or(false);
    // Older versions did not write it.
    let others = lock.get(ENDED_SHA256).and_then(Value::as_table);
    let config = others.and_then(|others| others.get(CONFIG));
    if config.is_some_and(|hash| !is(CONFIG, hash)) {
        return Ok(Ended::Edited);
    }
    let mut all = others.into_iter().chain([results]).flatten();
    match all.all(|(name, hash)| is(name, hash)) {
        true => Ok(Ended::Whole),
        false => Ok(Ended::Broken),
    }
}

/// Refuses to write other results than those of the end of a run: what a checkpoint has lost is not lost in the
/// results too.
pub(crate) fn check_same(run: &Path, name: &str, bytes: &[u8]) -> Result<(), FinishedError> {
    let lock = read(run)?;
    let known = lock.get(RESULTS_SHA256).and_then(|known| known.get(name));
    match known.is_none_or(|known| known.as_str() == Some(hex(&Sha256::digest(bytes)).as_str())) {
        true => Ok(()),
        false => Err(FinishedError::Lost(typed(run), name.to_owned())),
    }
}

/// The file of a run that is there before its first step, as the run wrote it; none if there is no such
/// file.
pub(crate) fn begun_file(run: &Path, name: &str) -> Result<Option<PathBuf>, FinishedError> {
    let path = run.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let lock = read(run)?;
    let known = |table: &str| lock.get(table)?.as_table()?.get(name)?.as_str();
    let known = known(RESULTS_SHA256).or(known("begun_sha256"));
    match known {
        // One of terabytes, which nobody wrote, would be read for hours.
        Some(_) if length(&path) > fireclay_guard::LARGEST => Err(not_as_written(&path)),
        Some(known) if sha256_file(&path)? != known => Err(not_as_written(&path)),
        _ => Ok(Some(path)),
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

pub(super) fn not_as_written(path: &Path) -> FinishedError {
    let reason = "it is not what the run wrote".into();
    FinishedError::Damaged(path.display().to_string(), reason)
}
