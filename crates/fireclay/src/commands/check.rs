//! `check`: everything that can be found before training.

use fireclay_data::{DataReport, Table, inspect, split};
use fireclay_train::config::{Loaded, RunConfig};
use fireclay_train::run::{Prepared, RunError, locate, target_kind};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::failure::Failure;
use crate::text::{say, table};

/// Checks a config and its data, and prints the config with every default: the report goes to
/// standard error, so that what is on standard output is a config.
pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    let loaded = RunConfig::load(&args.config, &args.sets)?;
    let report = if args.no_data {
        None
    } else {
        Some(look(&loaded)?)
    };
    if args.json {
        say!("{:#}", json!({"config": loaded.config, "data": report}));
    } else {
        if let Some(report) = &report {
            eprint!("{}", describe(report));
        }
        say!("{}", loaded.config.to_toml().trim_end());
    }
    let errors = report
        .iter()
        .flat_map(|report| &report.errors)
        .map(ToString::to_string);
    let errors: Vec<String> = errors.collect();
    if !errors.is_empty() {
        return Err(Failure::Failed(errors.join("\nerror: ")));
    }
    if report.is_some() {
        Prepared::new(loaded)?;
    }
    Ok(())
}

fn look(loaded: &Loaded) -> Result<DataReport, RunError> {
    let config = &loaded.config;
    let (data, kind) = (&config.data.table, target_kind(&config.task));
    let report = Table::load(config.data.format, data).and_then(|table| {
        let splits = split(&table, data, config.seed, kind)?;
        inspect(&table, &splits, data, kind)
    });
    report.map_err(|error| locate(loaded, error))
}

fn describe(report: &DataReport) -> String {
    let mut text = format!("{} rows, {} features\n\n", report.rows, report.features);
    let classes: Vec<&String> = report
        .splits
        .first()
        .map(|split| split.classes.keys().collect())
        .unwrap_or_default();
    let mut rows = vec![vec![String::new(), "rows".into()]];
    rows[0].extend(classes.iter().map(|class| (*class).clone()));
    for split in &report.splits {
        let mut row = vec![split.name.to_owned(), split.rows.to_string()];
        row.extend(classes.iter().map(|class| {
            split
                .classes
                .get(*class)
                .copied()
                .unwrap_or_default()
                .to_string()
        }));
        rows.push(row);
    }
    text += &table(&rows);
    text += "\n";
    let mut rows = vec![
        ["column", "role", "kind", "missing", ""]
            .map(String::from)
            .to_vec(),
    ];
    rows.extend(report.columns.iter().map(|column| {
        let note = column.note.clone().unwrap_or_default();
        vec![
            column.name.clone(),
            word(&column.role),
            word(&column.kind),
            column.missing.to_string(),
            note,
        ]
    }));
    text += &table(&rows);
    text += "\n";
    text.extend(
        report
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}\n")),
    );
    text + "\n"
}

/// The word that stands for a plain enum in a config.
fn word<T: serde::Serialize>(value: &T) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}
