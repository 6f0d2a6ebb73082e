//! The latest run of a configuration that has not ended.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_data::{expand, sha256_file};
use fireclay_train::checkpoint::{Difference, Store};
use serde_json::json;

use crate::changes::{found, is_place, leaves_bits};
use crate::config::{Loaded, RunConfig};
use crate::folds;
use crate::lock;
use crate::read::load_run;

/// What was found among the runs of a configuration's name.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    /// The run to go on with.
    pub run: Option<PathBuf>,
    /// Why each unfinished run after it is not the one.
    pub others: Vec<String>,
}

/// Looks for the latest run of `loaded` that has not ended and has a checkpoint. Data that was moved is the
/// same data.
pub fn unfinished(loaded: &Loaded) -> Unfinished {
    let folder = Path::new(&loaded.config.output_dir).join(&loaded.name);
    let mut result = Unfinished::default();
    for run in numbered(&folder) {
        // Whatever cannot be read is no run to go on with.
        let (Ok(before), Ok(false)) = (load_run(&run), lock::is_finished(&run)) else {
            continue;
        };
        match obstacle(&run, &before.config, &loaded.config) {
            None => {
                result.run = Some(run);
                break;
            }
            Some(why) => result.others.push(format!("{}: {why}", run.display())),
        }
    }
    result
}

/// A run that has trained one of several folds, or begun to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldRun {
    /// It has ended, and is as it was then.
    Ended(PathBuf),
    /// It goes on from a checkpoint, or is made whole by it.
    Open(PathBuf),
}

/// The latest run of the fold that `loaded` names, if the set that it belongs to is not whole yet.
pub fn fold_run(loaded: &Loaded) -> Option<FoldRun> {
    let folder = Path::new(&loaded.config.output_dir).join(&loaded.name);
    let in_sets = folds::in_sets(&folder);
    let is_open = |run: &PathBuf| !in_sets.iter().any(|name| run.file_name() == Some(name));
    let mut runs = numbered(&folder).into_iter().filter(is_open);
    runs.find_map(|run| {
        let before = load_run(&run).ok()?.config;
        let is_same = other(&run, &before, &loaded.config).is_none();
        match lock::ended(&run).ok()? {
            _ if !is_same => None,
            lock::Ended::Whole => Some(FoldRun::Ended(run)),
            _ => has_checkpoint(&run).then_some(FoldRun::Open(run)),
        }
    })
}

/// The folders that are called by a number, from the highest.
pub(crate) fn numbered(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |name: &std::ffi::OsStr| name.to_str()?.parse::<u64>().ok();
    let runs = entries.filter_map(|entry| Some((number(&entry.file_name())?, entry.path())));
    let mut runs: Vec<_> = runs.collect();
    runs.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    runs.into_iter().map(|(_, path)| path).collect()
}

/// Why a run does not go on as this configuration says, if it does not.
fn obstacle(run: &Path, before: &RunConfig, now: &RunConfig) -> Option<String> {
    match has_checkpoint(run) {
        true => other(run, before, now),
        false => Some("it ended before its first checkpoint".into()),
    }
}

fn has_checkpoint(run: &Path) -> bool {
    !Store::new(run.join("checkpoints")).steps().is_empty()
}

/// In what a run is another one than this configuration asks for.
fn other(run: &Path, before: &RunConfig, now: &RunConfig) -> Option<String> {
    let differs = |difference: &Difference| !is_settled(difference) && !is_place(&difference.path);
    let (moved, other): (Vec<_>, Vec<_>) = found(before, now)
        .into_iter()
        .partition(|difference| !differs(difference));
    let is_moved = moved.iter().any(|difference| is_place(&difference.path));
    if is_moved && !has_same_bytes(run, now) {
        return Some("its data was other data".into());
    }
    let list: Vec<_> = other.iter().map(ToString::to_string).collect();
    (!list.is_empty()).then(|| list.join("; "))
}

/// Whether a run says what the configuration leaves to the machine, or what makes no difference to what it becomes.
fn is_settled(difference: &Difference) -> bool {
    let settled = ["train.cpu_shards", "train.batch_size"];
    let path = difference.path.as_str();
    let is_auto = difference.now == Some(json!("auto"));
    leaves_bits(path) || (settled.contains(&path) && is_auto)
}

/// Whether the files of a configuration's data have the bytes of those that a run began with.
fn has_same_bytes(run: &Path, config: &RunConfig) -> bool {
    let located = config.data.section().located();
    let files = located.files.iter().filter_map(|(_, path)| path.as_deref());
    let paths = std::iter::once(located.path).chain(files);
    let files: Result<Vec<_>, _> = paths.map(expand).collect();
    let hashes = files.and_then(|files| {
        let files = files.concat();
        files
            .iter()
            .map(|file| sha256_file(file))
            .collect::<Result<Vec<_>, _>>()
    });
    let (Ok(mut hashes), Ok(mut known)) = (hashes, lock::data_hashes(run)) else {
        return false;
    };
    hashes.sort();
    known.sort();
    hashes == known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_processes_work_together_and_where_data_is_kept_makes_no_other_run() {
        let settled = |path: &str| {
            is_settled(&Difference {
                path: path.to_owned(),
                was: Some(json!(600)),
                now: Some(json!(30)),
            })
        };
        assert!(settled("cluster.timeout") && settled("cluster.shard_optimizer"));
        assert!(settled("data.shard_cache_dir") && !settled("data.shards_mixed"));
        assert!(!settled("cluster.parts") && !settled("train.batch_size"));
    }
}
