//! `predict`: answers for the rows of a table, for images, or for texts.

use std::path::PathBuf;

use fireclay_data::arrow::array::{Array, Float64Array, RecordBatch, StringArray};
use fireclay_run::{PredictJob, load_run, open};

use super::{device, run_at};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{number, say, tell};

/// Predict for rows of a table, images or texts, or translate lines
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    pub run: PathBuf,
    /// A table (file or glob), images (file, folder or glob), or a text to translate line by line
    pub input: String,
    /// The file to write: .csv, .jsonl or .parquet, or a text; without it, answers for images and
    /// translations are printed
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// How many classes to name for an image [default: 5]
    #[arg(long)]
    pub top: Option<usize>,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// Reads what the run answers for, and writes the answers or shows them.
pub fn run(args: &Args) -> Result<(), Failure> {
    let at = run_at(&args.run);
    let config = load_run(&at)?.config;
    let device = device(&config, args.backend.as_deref())?;
    let run = open(&args.run, &device.device)?;
    let predicted = run.predict(&PredictJob {
        input: &args.input,
        output: args.output.as_deref(),
        top: args.top,
    })?;
    let notes = predicted.notes.iter();
    notes.for_each(|note| tell!("note: {note}"));
    let (count, unit) = (predicted.count, predicted.unit);
    match &args.output {
        Some(output) => say!("{count} {unit} to {}", output.display()),
        None => show(&predicted.shown),
    }
    Ok(())
}

/// The answers as a table with a header; texts alone as they are.
fn show(answers: &[RecordBatch]) {
    let Some(first) = answers.first() else {
        return;
    };
    let schema = first.schema();
    let names = schema.fields().iter().map(|field| header(field.name()));
    let all = |batch| (0..RecordBatch::num_rows(batch)).map(|row| cells(batch, row));
    let rows = answers.iter().flat_map(all);
    match first.num_columns() {
        1 => rows.for_each(|row| say!("{}", row[0])),
        _ => {
            let rows: Vec<_> = std::iter::once(names.collect()).chain(rows).collect();
            say!("{}", Screen::out().table(&rows).trim_end());
        }
    }
}

/// What a column of the file is called on the screen.
fn header(name: &str) -> String {
    match name.strip_prefix("class_") {
        Some(rank) => format!("class {rank}"),
        None if name.starts_with("probability_") => "p".to_owned(),
        None => name.to_owned(),
    }
}

fn cells(batch: &RecordBatch, row: usize) -> Vec<String> {
    let is_alone = batch.num_columns() == 1;
    let cell = |column: &dyn Array| {
        if let Some(numbers) = column.as_any().downcast_ref::<Float64Array>() {
            return number(numbers.value(row));
        }
        let texts = column.as_any().downcast_ref::<StringArray>();
        match texts.map_or("", |texts| texts.value(row)) {
            "" if !is_alone => "-".to_owned(),
            text => text.to_owned(),
        }
    };
    batch.columns().iter().map(|column| cell(column)).collect()
}
