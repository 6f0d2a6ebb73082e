//! `check`: everything that can be found before training.

use std::path::PathBuf;

use fireclay_data::DataReport;
use fireclay_plan::PLANNER;
use fireclay_run::config::{BatchSize, Loaded};
use fireclay_run::workload::Dataset;
use fireclay_run::{Prepared, drawn_split};
use serde_json::json;

use super::{config, paths, remarks};
use crate::failure::Failure;
use crate::few::few;
use crate::screen::Screen;
use crate::text::{put_aside, say, tell};

/// Check a config and its data, and print it with every default
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config
    #[arg(value_parser = paths::path())]
    pub config: PathBuf,
    /// Override a key, as in `--set train.epochs=5`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Check the config alone, without its data
    #[arg(long)]
    pub no_data: bool,
    /// Print the config and the report on the data as JSON
    #[arg(long)]
    pub json: bool,
}

/// The most columns that are shown one by one.
const COLUMNS: usize = 1000;

/// The most problems of the data that are shown.
const SHOWN: usize = 20;

/// Checks a config and its data, and prints the config with every default: the report goes to
/// standard error, so that what is on standard output is a config.
pub fn run(args: &Args) -> Result<(), Failure> {
    let loaded = config::load(&args.config, &args.sets)?;
    let is_open = loaded.config.batch_size() == BatchSize::Auto;
    if args.no_data {
        report(&loaded, None, args.json);
        if is_open {
            tell!("note: batch_size = \"auto\" is decided by the data, which is not read");
        }
        return Ok(());
    }
    let prepared = Prepared::inspected(loaded, PLANNER, |loaded, found| {
        report(loaded, found, args.json);
        no_errors(found)
    })?;
    if is_open {
        let size = json!(prepared.config().batch_size());
        tell!("note: batch_size = \"auto\" is {size} with the memory that is here");
    }
    put_aside(format_args!("{}", overview(prepared.data().dataset())));
    let notes = prepared.data().dataset().verify(&[0, 1, 2])?;
    few(notes).iter().for_each(|note| tell!("note: {note}"));
    if let Some(line) = positive(&prepared) {
        tell!("{line}");
    }
    let drawn = drawn_split(prepared.config());
    let notes = prepared.notes().iter().chain(prepared.weights());
    let notes = few(notes.chain(&drawn));
    notes.iter().for_each(|note| tell!("note: {note}"));
    Ok(())
}

/// Fails with the errors that the data shows, the first of them where there are many.
fn no_errors(found: Option<&DataReport>) -> Result<(), Failure> {
    let errors = found.iter().flat_map(|report| &report.errors);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let rest = errors.len().saturating_sub(SHOWN);
    let rest = (rest > 0).then(|| format!("and {rest} more"));
    let errors: Vec<String> = errors.into_iter().take(SHOWN).chain(rest).collect();
    Err(Failure::Failed(errors.join("\nerror: ")))
}

/// Which of two classes is the positive one.
fn positive(prepared: &Prepared) -> Option<String> {
    let target = prepared.data().dataset().target();
    let objective = prepared.config().task.objective(&target)?;
    let meaning = objective.answer.meaning();
    Some(remarks::positive(meaning.positive()?, meaning.classes()))
}

/// The config, and what was found in its table.
fn report(loaded: &Loaded, found: Option<&DataReport>, as_json: bool) {
    if as_json {
        say!("{:#}", json!({"config": loaded.config, "data": found}));
        return;
    }
    if let Some(report) = found {
        put_aside(format_args!("{}", describe(report)));
    }
    say!("{}", loaded.config.to_toml().trim_end());
}

/// The splits of the data, and what is to be said of it.
fn overview(data: &dyn Dataset) -> String {
    let (vocabulary, rows) = data.overview();
    if rows.is_empty() {
        return String::new();
    }
    let vocabulary = vocabulary.map(|size| format!("vocabulary of {size} tokens\n\n"));
    let notes = few(data.notes()).into_iter();
    let notes = notes.map(|note| Screen::err().prose(2, &format!("note: {note}\n")));
    let sample = data.sample().map(|sample| {
        format!("\na sample as the model reads it; what is between ⟦ and ⟧ trains:\n\n{sample}\n\n")
    });
    format!(
        "\n{}{}{}{}",
        vocabulary.unwrap_or_default(),
        Screen::err().table(&rows),
        sample.unwrap_or_default(),
        notes.collect::<String>()
    )
}

fn describe(report: &DataReport) -> String {
    let warnings = few(&report.warnings).into_iter();
    let warnings = warnings.map(|warning| Screen::err().prose(2, &format!("warning: {warning}\n")));
    format!(
        "{} rows, {} features\n\n{}\n{}\n{}\n",
        report.rows,
        report.features,
        Screen::err().table(&splits(report)),
        Screen::err().table(&columns(report)),
        warnings.collect::<String>()
    )
}

/// A row for each split, with a column for each class.
fn splits(report: &DataReport) -> Vec<Vec<String>> {
    let first = report.splits.first();
    let classes: Vec<&String> = first
        .iter()
        .flat_map(|split| split.classes.keys())
        .collect();
    let mut rows = vec![vec![String::new(), "rows".into()]];
    rows[0].extend(classes.iter().copied().cloned());
    for split in &report.splits {
        let count = |class: &&String| split.classes.get(*class).copied().unwrap_or_default();
        let mut row = vec![split.name.to_owned(), split.rows.to_string()];
        row.extend(classes.iter().map(|class| count(class).to_string()));
        rows.push(row);
    }
    rows
}

/// A row for each column of the table.
fn columns(report: &DataReport) -> Vec<Vec<String>> {
    let header = ["column", "role", "kind", "missing", ""].map(String::from);
    let mut rows = vec![header.to_vec()];
    rows.extend(report.columns.iter().take(COLUMNS).map(|column| {
        vec![
            column.name.clone(),
            word(&column.role),
            word(&column.kind),
            column.missing.to_string(),
            column.note.clone().unwrap_or_default(),
        ]
    }));
    let rest = report.columns.len().saturating_sub(COLUMNS);
    if rest > 0 {
        rows.push(vec![format!("and {rest} more; --json has all of them")]);
    }
    rows
}

/// The word that stands for a plain enum in a config.
fn word<T: serde::Serialize>(value: &T) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}
