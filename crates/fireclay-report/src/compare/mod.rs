//! Runs beside each other: what was set otherwise, what came of it, and which differences are real.

mod page;
mod paired;

use std::collections::BTreeMap;

use serde::Serialize;
use toml::{Table, Value};

use crate::error::ReportError;
use crate::folder::RunFolder;

pub use paired::PairedRow;

/// A comparison of runs.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The folders of the runs, in the order in which they are compared.
    pub runs: Vec<String>,
    /// What each is called here: no two are alike.
    pub names: Vec<String>,
    /// The keys of the configurations that are not the same in all runs.
    pub differences: Vec<Difference>,
    /// The metrics of every split.
    pub metrics: Vec<MetricRow>,
    /// What two runs reach on the same samples.
    pub paired: Vec<PairedRow>,
    /// What should be known of the comparison.
    pub notes: Vec<String>,
    /// What each run cost, in seconds.
    pub seconds: Vec<Option<f64>>,
}

/// A key with its value in each run; none where the run has no such key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The key, dotted from the top.
    pub key: String,
    /// Its values.
    pub values: Vec<Option<String>>,
}

/// A metric with its value in each run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricRow {
    /// The split.
    pub split: String,
    /// The name of the metric.
    pub metric: String,
    /// Its values.
    pub values: Vec<Option<f64>>,
}

/// Compares two runs or more, each with each.
///
/// # Errors
///
/// With fewer than two runs.
pub fn compare(runs: &[RunFolder]) -> Result<Comparison, ReportError> {
    if runs.len() < 2 {
        return Err(ReportError::Usage(
            "two runs or more are compared; `fireclay report` shows one".into(),
        ));
    }
    let (paired, mut notes) = paired::paired(runs);
    notes.extend(positives(runs));
    notes.extend(runs.iter().filter_map(without_end));
    Ok(Comparison {
        runs: runs
            .iter()
            .map(|run| run.path.display().to_string())
            .collect(),
        names: names(runs),
        differences: differences(runs),
        metrics: metrics(runs),
        paired,
        notes,
        seconds: runs
            .iter()
            .map(|run| crate::page::Cost::of(run)?.get("seconds"))
            .collect(),
    })
}

/// That a run has no results yet, or none at all.
fn without_end(run: &RunFolder) -> Option<String> {
    let name = run.name();
    match run.diverged() {
        Some((_, step)) => Some(format!(
            "{name} diverged at step {step}, and has no results"
        )),
        None if run.is_finished() => None,
        None => Some(format!("{name} has not finished, and has no results yet")),
    }
}

impl Comparison {
    /// The comparison as one HTML file, with the curves of the runs laid over each other. `runs` are those
    /// that were compared.
    pub fn html(&self, runs: &[RunFolder]) -> String {
        page::page(self, runs)
    }
}

/// Short names, or whole paths where two would be alike.
fn names(runs: &[RunFolder]) -> Vec<String> {
    let short: Vec<String> = runs.iter().map(RunFolder::name).collect();
    let name =
        |(index, name): (usize, &String)| match short.iter().filter(|other| *other == name).count()
        {
            1 => name.clone(),
            _ => runs[index].path.display().to_string(),
        };
    short.iter().enumerate().map(name).collect()
}

/// What is to be said where runs take other classes for the positive one.
fn positives(runs: &[RunFolder]) -> Option<String> {
    let of = |run: &RunFolder| {
        run.evaluation
            .values()
            .find_map(|report| report.positive.clone())
    };
    let named = runs.iter().filter_map(|run| Some((run.name(), of(run)?)));
    let named: Vec<(String, String)> = named.collect();
    let (_, first) = named.first()?;
    let is_other = named.iter().any(|(_, class)| class != first);
    let list = named
        .iter()
        .map(|(run, class)| format!("{class:?} in {run}"));
    let list = list.collect::<Vec<_>>().join(", ");
    is_other.then(|| {
        format!(
            "precision, recall, f1 and what else is of the positive class are of different classes: {list}; runs with \
             the same [task] positive can be compared in them"
        )
    })
}

fn differences(runs: &[RunFolder]) -> Vec<Difference> {
    let flat: Vec<BTreeMap<String, String>> = runs.iter().map(|run| flatten(&run.config)).collect();
    let mut keys: Vec<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    keys.sort_unstable();
    keys.dedup();
    let values = |key: &String| -> Vec<Option<String>> {
        flat.iter().map(|keys| keys.get(key).cloned()).collect()
    };
    let rows = keys.into_iter().map(|key| Difference {
        key: key.clone(),
        values: values(key),
    });
    rows.filter(|row| row.values.iter().any(|value| *value != row.values[0]))
        .collect()
}

/// The keys of a table and of those in it, dotted; lists are values.
fn flatten(table: &Table) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => flat.extend(
                flatten(inner)
                    .into_iter()
                    .map(|(name, value)| (format!("{key}.{name}"), value)),
            ),
            value => {
                flat.insert(key.clone(), value.to_string());
            }
        }
    }
    flat
}

fn metrics(runs: &[RunFolder]) -> Vec<MetricRow> {
    let all = runs.iter().flat_map(|run| &run.evaluation);
    let mut names: Vec<(&String, &String)> = all
        .flat_map(|(split, report)| report.metrics.keys().map(move |name| (split, name)))
        .collect();
    names.sort_unstable();
    names.dedup();
    let value = |run: &RunFolder, split: &str, name: &str| {
        run.evaluation.get(split)?.metrics.get(name).copied()
    };
    let row = |(split, name): (&String, &String)| MetricRow {
        split: split.clone(),
        metric: name.clone(),
        values: runs.iter().map(|run| value(run, split, name)).collect(),
    };
    names.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_flattened() {
        let table: Table = "seed = 1\n[model]\nhidden = [2, 3]\nx = { y = \"z\" }"
            .parse()
            .expect("a table");
        let flat: Vec<(String, String)> = flatten(&table).into_iter().collect();
        let wanted = [
            ("model.hidden", "[2, 3]"),
            ("model.x.y", "\"z\""),
            ("seed", "1"),
        ];
        assert_eq!(
            flat,
            wanted.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }
}
