//! The runs below a folder.

mod filter;
mod listed;
mod sort;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{ReportError, io};

pub use filter::Filter;
pub use listed::{Listed, State};
pub use sort::Sort;

/// Folders below this many others are not looked into.
const DEPTH: usize = 5;

/// All runs below `dir` that pass the filters, by their folders, or in the order that is asked for.
///
/// # Errors
///
/// If the folder cannot be read, or no run has a key that a filter or the order names.
pub fn list(
    dir: &Path,
    filters: &[Filter],
    sort: Option<&Sort>,
) -> Result<Vec<Listed>, ReportError> {
    let mut paths = Vec::new();
    fs::read_dir(dir).map_err(|source| io("read", dir, source))?;
    collect(dir, DEPTH, &mut paths);
    let mut runs: Vec<Listed> = paths.iter().map(|path| Listed::of(dir, path)).collect();
    runs.sort_by_cached_key(|run| natural(&run.name));
    let keys = filters.iter().map(|filter| &filter.key);
    for key in keys.chain(sort.map(|sort| &sort.key)) {
        known(dir, &runs, key)?;
    }
    runs.retain(|run| filters.iter().all(|filter| filter.passes(run)));
    if let Some(sort) = sort {
        runs.sort_by(|a, b| sort.compare(a, b));
    }
    Ok(runs)
}

/// An error if no run has the key: it is then a typing error, not a list without runs.
fn known(dir: &Path, runs: &[Listed], key: &str) -> Result<(), ReportError> {
    if runs.is_empty() || runs.iter().any(|run| run.get(key).is_some()) {
        return Ok(());
    }
    let message = format!(
        "no run below {} has a key {key:?}: it can be state, name, task, model, metric, value, split, seconds, steps, device, written, a metric such as test/accuracy, or a key of the config such as optimizer.learning_rate",
        dir.display()
    );
    Err(ReportError::Usage(message))
}

fn collect(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>) {
    if dir.join("config.toml").is_file() && dir.join("run.lock").is_file() {
        paths.push(dir.to_path_buf());
        return;
    }
    // A folder that cannot be read has no run that could be.
    for entry in fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // Links are not followed: they may lead in circles.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if depth > 0 && is_folder && !is_hidden {
            collect(&entry.path(), depth - 1, paths);
        }
    }
}

/// A name with its numbers as numbers, so that run 10 comes after run 9.
fn natural(name: &str) -> Vec<(u64, String)> {
    let parts = name.split(['/', '\\']);
    parts
        .map(|part| (part.parse().unwrap_or(u64::MAX), part.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, value: f64) -> Listed {
        let dir = Path::new("runs");
        let mut run = Listed::of(dir, &dir.join(name));
        run.value = Some(value);
        run.config = "[model]\nhidden = [64, 32]\ntype = \"mlp\""
            .parse()
            .expect("a table");
        run
    }

    #[test]
    fn filters_compare_numbers_and_patterns() {
        let run = run("iris/2", 0.95);
        let cases = [
            ("value>0.9", true),
            ("value>=0.95", true),
            ("value<0.9", false),
            ("value!=0.95", false),
            ("name=iris/*", true),
            ("name=*ris*2", true),
            ("name=iris", false),
            ("model.type=mlp", true),
            ("model.type!=cnn", true),
            ("accuracy>0", false),
            ("state=damaged", true),
        ];
        for (text, passes) in cases {
            let filter: Filter = text.parse().expect("a filter");
            assert_eq!(filter.passes(&run), passes, "{text}");
        }
        assert!("value".parse::<Filter>().is_err());
        assert!("name<x".parse::<Filter>().is_err());
    }

    #[test]
    fn runs_are_sorted_by_a_key() {
        let mut runs = [run("a/9", 0.3), run("a/10", 0.2), run("b/1", 0.4)];
        runs[1].value = None;
        let sort: Sort = "-value".parse().expect("an order");
        runs.sort_by(|a, b| sort.compare(a, b));
        assert_eq!(
            runs.each_ref().map(|run| run.name.as_str()),
            ["b/1", "a/9", "a/10"]
        );
        assert!(natural("a/9") < natural("a/10"));
    }
}
