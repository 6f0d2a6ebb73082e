//! `compare`: runs beside each other.

use std::path::PathBuf;

use fireclay_report::{Comparison, Difference, MetricRow, PairedRow, RunFolder, compare};

use super::report::write;
use super::run_at;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{number, prose, say, tell};

/// Compare runs: what was set otherwise, what came of it, and which differences are real
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folders, two or more; runs/NAME is the newest run of that name
    #[arg(required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Also write a page, with the curves of the runs laid over each other
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Compares runs.
pub fn run(args: &Args) -> Result<(), Failure> {
    let runs = args.runs.iter().map(|run| RunFolder::open(&run_at(run)));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let comparison = compare(&runs)?;
    match args.json {
        true => say!("{:#}", serde_json::json!(comparison)),
        false => print(&comparison),
    }
    if let Some(path) = &args.html {
        let path = write(path, comparison.html(&runs).as_bytes())?;
        tell!("{}", path.display());
    }
    Ok(())
}

fn print(comparison: &Comparison) {
    match comparison.differences.is_empty() {
        true => say!("the configs are the same"),
        false => table(
            "config",
            head("key", comparison),
            comparison.differences.iter().map(difference),
        ),
    }
    let rows = comparison
        .metrics
        .iter()
        .map(metric)
        .chain([time(comparison)]);
    table("metrics", head("", comparison), rows);
    if !comparison.paired.is_empty() {
        let row = |row| paired(row, &comparison.names);
        let names = ["", "samples", "difference", "95 % interval", ""];
        let rows = comparison.paired.iter().map(row);
        let title = format!(
            "differences over the same {} samples, the second minus the first",
            comparison.paired[0].split
        );
        table(&title, names.map(String::from).to_vec(), rows);
    }
    let notes = comparison.notes.iter();
    notes.for_each(|note| prose!(2, "note: {note}"));
}

fn table(title: &str, head: Vec<String>, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    say!("{title}\n\n{}", Screen::out().table(&rows));
}

fn head(first: &str, comparison: &Comparison) -> Vec<String> {
    let names = comparison.names.iter().cloned();
    std::iter::once(first.to_owned()).chain(names).collect()
}

fn difference(row: &Difference) -> Vec<String> {
    let values = row.values.iter();
    let values = values.map(|value| value.clone().unwrap_or_else(|| "-".into()));
    std::iter::once(row.key.clone()).chain(values).collect()
}

fn metric(row: &MetricRow) -> Vec<String> {
    let values = row.values.iter();
    let values = values.map(|value| value.map_or_else(|| "-".into(), number));
    let name = format!("{}/{}", row.split, row.metric);
    std::iter::once(name).chain(values).collect()
}

fn time(comparison: &Comparison) -> Vec<String> {
    let seconds = comparison.seconds.iter();
    let seconds = seconds.map(|seconds| seconds.map_or_else(|| "-".into(), number));
    std::iter::once("seconds".to_owned())
        .chain(seconds)
        .collect()
}

fn paired(row: &PairedRow, names: &[String]) -> Vec<String> {
    let verdict = match row.better {
        Some(better) => format!("real: {} is better", names[better]),
        None => "may be chance".into(),
    };
    vec![
        format!(
            "{}: {} against {}",
            row.metric, names[row.second], names[row.first]
        ),
        row.n.to_string(),
        number(row.difference),
        format!("{} to {}", number(row.low), number(row.high)),
        verdict,
    ]
}
