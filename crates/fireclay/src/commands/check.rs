//! `check`: everything that can be found before training.

use fireclay_data::{
    DataReport, ImageData, Labels, PairData, Table, TargetKind, TextData, TextTableData,
    TokenSplit, inspect, split,
};
use fireclay_plan::PLANNER;
use fireclay_run::config::{BatchSize, DataConfig, Loaded, RunConfig, TableSource};
use fireclay_run::run::{Prepared, RunData, RunError, locate};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::failure::Failure;
use crate::text::{say, table};

/// Checks a config and its data, and prints the config with every default: the report goes to
/// standard error, so that what is on standard output is a config.
pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    let loaded = RunConfig::load(&args.config, &args.sets)?;
    let report = match &loaded.config.data {
        DataConfig::Table(source) if !args.no_data => Some(look(&loaded, source)?),
        _ => None,
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
    let is_open = loaded.config.batch_size() == BatchSize::Auto;
    if args.no_data && is_open {
        eprintln!("note: batch_size = \"auto\" is decided by the data, which is not read");
    }
    if !args.no_data {
        let prepared = Prepared::new(loaded, PLANNER)?;
        if is_open {
            let size = json!(prepared.config().batch_size());
            eprintln!("note: batch_size = \"auto\" is {size} with the memory that is here");
        }
        match prepared.data() {
            RunData::Table(_) => {}
            RunData::Image(data) => eprint!("\n{}", describe_images(data)),
            RunData::Text(data) => eprint!("\n{}", describe_text(data)),
            RunData::Pairs(data) => eprint!("\n{}", describe_pairs(data)),
            RunData::TextTable(data) => eprint!("\n{}", describe_texts(data)),
        }
    }
    Ok(())
}

/// The samples of each split, by class.
fn describe_images(data: &ImageData) -> String {
    let classes = data.preprocess.classes();
    let mut rows = vec![vec![String::new(), "images".into()]];
    rows[0].extend(classes.iter().cloned());
    for (name, split) in data.named() {
        let mut row = vec![name.to_owned(), split.len().to_string()];
        row.extend(
            counts(split.labels(), classes.len())
                .iter()
                .map(usize::to_string),
        );
        rows.push(row);
    }
    let notes = data.notes.iter().map(|note| format!("note: {note}\n"));
    table(&rows) + &notes.collect::<String>()
}

/// The tokens of each split, the text that they stand for, and what fills rows of documents up.
fn describe_text(data: &TextData) -> String {
    let mut rows = vec![
        ["", "windows", "tokens", "bytes"]
            .map(String::from)
            .to_vec(),
    ];
    rows[0].extend(data.train.padding().map(|_| "padding".into()));
    for (name, split) in data.named() {
        let numbers = split.map_or([0; 3], |split| {
            [split.windows() as u64, split.tokens(), split.bytes()]
        });
        let mut row = vec![name.to_owned()];
        row.extend(numbers.iter().map(u64::to_string));
        let padding = split.and_then(TokenSplit::padding);
        row.extend(padding.map(|share| format!("{:.1} %", 100.0 * share)));
        rows.push(row);
    }
    let notes = data.notes.iter().map(|note| format!("note: {note}\n"));
    let vocabulary = format!("vocabulary of {} tokens\n\n", data.vocabulary);
    vocabulary + &table(&rows) + &notes.collect::<String>()
}

/// The pairs of each split, and the batches that they make.
fn describe_pairs(data: &PairData) -> String {
    let header = ["", "pairs", "batches"];
    let mut rows = vec![header.map(String::from).to_vec()];
    for (name, split) in data.named() {
        let numbers = split.map_or([0; 2], |split| [split.pairs(), split.groups()]);
        let numbers = numbers.iter().map(usize::to_string);
        rows.push(std::iter::once(name.to_owned()).chain(numbers).collect());
    }
    let notes = data.notes.iter().map(|note| format!("note: {note}\n"));
    let vocabulary = format!("vocabulary of {} tokens\n\n", data.vocabulary);
    vocabulary + &table(&rows) + &notes.collect::<String>()
}

/// The texts of each split, by class.
fn describe_texts(data: &TextTableData) -> String {
    let classes = data.preprocess.classes();
    let mut rows = vec![["", "texts", "tokens"].map(String::from).to_vec()];
    rows[0].extend(classes.iter().cloned());
    for (name, split) in data.named() {
        let mut row = vec![name.to_owned()];
        row.extend([split.len(), split.tokens()].map(|count| count.to_string()));
        let counts = counts(split.labels(), classes.len());
        row.extend(counts.iter().map(usize::to_string));
        rows.push(row);
    }
    let notes = data.notes.iter().map(|note| format!("note: {note}\n"));
    let vocabulary = format!("vocabulary of {} tokens\n\n", data.tokenizer.vocabulary());
    vocabulary + &table(&rows) + &notes.collect::<String>()
}

fn counts(labels: &Labels, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    match labels {
        Labels::Classes(found) => found.iter().for_each(|class| counts[*class as usize] += 1),
        Labels::Sets(found) => found
            .iter()
            .flatten()
            .for_each(|class| counts[*class as usize] += 1),
        Labels::Numbers(_) => {}
    }
    counts
}

fn look(loaded: &Loaded, source: &TableSource) -> Result<DataReport, RunError> {
    let config = &loaded.config;
    let kind: TargetKind = config
        .task
        .target_kind()
        .expect("checked: the task has labels");
    let data = &source.table;
    let report = Table::load(source.format, data).and_then(|table| {
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
