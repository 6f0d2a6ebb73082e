//! `predict`: answers for the rows of a table, for images, or for texts.

use std::path::{Path, PathBuf};

use fireclay_data::TableFormat;
use fireclay_data::arrow::array::{Array, Float64Array, RecordBatch, StringArray};
use fireclay_run::run::Predicted;
use fireclay_run::{On, OnError, PredictJob, Run, is_standard_output, load_model, predict_split};

use super::evaluate::SplitName;
use super::{OpenArgs, paths, run_at};
use crate::cluster::{Processes, together};
use crate::failure::Failure;
use crate::few::few;
use crate::screen::Screen;
use crate::text::{number, say, tell};

/// Predict for rows of a table, images or texts, or translate lines
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name. Or an encoder of texts, a T5 or
    /// a classifier of images that was not trained here, in the folder that it came in
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// A table (file or glob), images (file, folder or glob), or a text to translate line by line; `-` is a table, an
    /// image or a text from standard input
    #[arg(required_unless_present = "split", value_parser = paths::place())]
    pub input: Option<String>,
    /// Answer for a split of the run's own data instead, with the truth beside each answer
    #[arg(long, value_enum, conflicts_with_all = ["input", "top", "on_error"])]
    pub split: Option<SplitName>,
    /// The file to write: .csv, .jsonl or .parquet, or a text, or `-` for standard output; without it, answers
    /// for images and translations are printed, and those for a split written to standard output
    #[arg(short, long, value_parser = paths::path())]
    pub output: Option<PathBuf>,
    /// How tables are stored whose names do not say it: csv, jsonl or parquet [default: the input as
    /// the training data, the output as csv]
    #[arg(long, value_name = "FORMAT", value_parser = table_format)]
    pub format: Option<TableFormat>,
    /// What to do where a row or an image has no answer: stop, or skip it, name it and go on
    #[arg(long, value_name = "WORD", value_enum, default_value_t = Word::Stop)]
    pub on_error: Word,
    /// How many classes to name for an image [default: 5]
    #[arg(long)]
    pub top: Option<usize>,
    /// Write the vectors that an encoder makes of texts instead of its answers
    #[arg(long, conflicts_with_all = ["split", "top"])]
    pub embeddings: bool,
    #[command(flatten)]
    pub open: OpenArgs,
}

/// What to do where something has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Word {
    /// Name it and end with an error: of a table nothing is written, of images the other answers are.
    Stop,
    /// Leave it out, count it and name it.
    Skip,
}

/// The format of this name.
fn table_format(name: &str) -> Result<TableFormat, String> {
    let names = TableFormat::ALL.map(TableFormat::name).join(", ");
    TableFormat::from_name(name).ok_or_else(|| format!("known are {names}"))
}

/// Reads what the run answers for, and writes the answers or shows them.
pub fn run(args: &Args) -> Result<(), Failure> {
    together(|processes| predict(args, processes))
}

fn predict(args: &Args, processes: &Processes) -> Result<(), Failure> {
    let at = run_at(&args.run);
    let config = load_model(&at)?.config;
    processes.agree(&config, &at, args)?;
    let run = args.open.open(&at, &config)?;
    match (args.split, &args.input) {
        (Some(split), _) => for_split(&*run, On::Split(split as usize), args),
        (None, input) => for_input(&*run, input.as_deref().unwrap_or_default(), args),
    }
}

/// Answers for a split of the run's own data.
fn for_split(run: &dyn Run, on: On<'_>, args: &Args) -> Result<(), Failure> {
    let output = args.output.as_deref().unwrap_or(Path::new("-"));
    let predicted = predict_split(run, on, (output, args.format))?;
    let notes = few(&predicted.notes);
    notes.iter().for_each(|note| tell!("note: {note}"));
    written(&predicted, output);
    Ok(())
}

/// Answers for what the run was not trained on.
fn for_input(run: &dyn Run, input: &str, args: &Args) -> Result<(), Failure> {
    let job = PredictJob {
        input,
        output: args.output.as_deref(),
        top: args.top,
        format: args.format,
        on_error: match args.on_error {
            Word::Stop => OnError::Stop,
            Word::Skip => OnError::Skip,
        },
    };
    let predicted = match args.embeddings {
        true => run.embed(&job)?,
        false => run.predict(&job)?,
    };
    let notes = few(&predicted.notes);
    notes.iter().for_each(|note| tell!("note: {note}"));
    match &args.output {
        None if input == "-" && predicted.shown.is_empty() => written(&predicted, Path::new("-")),
        Some(output) => written(&predicted, output),
        None => show(&predicted.shown),
    }
    without_answer(&predicted.failed, predicted.count, predicted.unit)
}

/// Says where the answers went.
fn written(predicted: &Predicted, output: &Path) {
    let (count, unit) = (predicted.count, predicted.unit);
    match is_standard_output(output) {
        true => tell!("{count} {unit} to standard output"),
        false => say!("{count} {unit} to {}", output.display()),
    }
}

/// The error that inputs without an answer are.
fn without_answer(failed: &[String], answered: u64, unit: &str) -> Result<(), Failure> {
    match failed.len() as u64 {
        0 => Ok(()),
        count => Err(Failure::Failed(format!(
            "{count} of {} {unit} have no answer:\n  {}\nthe others have; with --on-error skip this is no error",
            count + answered,
            failed.join("\n  ")
        ))),
    }
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
