//! From a table to a table of answers, piece by piece.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use fireclay_data::{
    DataError, Features, PaddedTexts, ReadOptions, TableFormat, TableStream, TableWriter, column,
    expand, stream,
};
use fireclay_train::{files, run_folder};

use crate::finished::{FinishedError, TableRun, TextTableRun};
use crate::predictor::{Answer, Answers};
use crate::task::{table, text_table};
use crate::translate::TranslateError;

/// Rows that go through the model at once.
const ROWS: usize = 4096;

/// Texts that go through the model at once.
const TEXTS: usize = 32;

/// A finished run that answers for the rows of a table.
pub trait AnswersRows {
    /// What the answers mean.
    fn answer(&self) -> &Answer;

    /// Answers for some rows, and of how many of them the model sees the start alone.
    ///
    /// # Errors
    ///
    /// If a column is missing, or a cell does not fit its column.
    fn answers(&self, rows: &RecordBatch) -> Result<(Answers, usize), DataError>;
}

impl AnswersRows for TableRun {
    fn answer(&self) -> &Answer {
        &self.predictor.answer
    }

    fn answers(&self, rows: &RecordBatch) -> Result<(Answers, usize), DataError> {
        Ok((answer(self, &self.preprocess.encode(rows)?), 0))
    }
}

impl AnswersRows for TextTableRun {
    fn answer(&self) -> &Answer {
        &self.predictor.answer
    }

    fn answers(&self, rows: &RecordBatch) -> Result<(Answers, usize), DataError> {
        let (texts, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let device = self.predictor.device();
        let parts = texts.chunks(TEXTS);
        let parts = parts.map(|part| text_table::upload(PaddedTexts::new(part), device));
        Ok((self.predictor.predict(parts), cut))
    }
}

/// What was answered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The number of rows.
    pub rows: u64,
    /// How many of them have a text that is longer than what the model looks at.
    pub cut: u64,
}

/// Where predictions come from and go to.
#[derive(Clone, Debug)]
pub struct PredictJob<'a> {
    /// A file, or a glob.
    pub input: &'a str,
    /// How to read it.
    pub options: ReadOptions,
    /// The file to write.
    pub output: &'a Path,
    /// The format to write.
    pub format: TableFormat,
    /// The column that names a row, if the run has one.
    pub id: Option<&'a str>,
    /// Files and folders that must not be written to: those of the run.
    pub protected: &'a [PathBuf],
}

/// Why predictions cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The input cannot be read, or does not fit the run.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The output cannot be written.
    #[error(transparent)]
    Folder(#[from] run_folder::FolderError),
    /// The run cannot be used.
    #[error(transparent)]
    Finished(#[from] FinishedError),
    /// A text cannot be translated.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// A bug in the reading of an image.
    #[error("{0}")]
    Panicked(String),
    /// There is nothing to answer for.
    #[error("{0} has no rows")]
    NoRows(String),
    /// The output is one of the inputs.
    #[error("{} is both input and output; name another file to write", .0.display())]
    SameFile(PathBuf),
    /// The output is part of a run, or its data.
    #[error("{} belongs to the run; name another file to write", .0.display())]
    Protected(PathBuf),
}

/// Reads rows, answers, and writes, in bounded memory. The output appears only when it is whole.
///
/// Columns: the row's id (or `row`, from 1), `prediction` (labels that apply are joined by `;`), and for
/// classes `probability_<class>`.
///
/// # Errors
///
/// If a column is missing, a cell does not fit its column, or a file cannot be read or written.
pub fn predict(run: &impl AnswersRows, job: &PredictJob<'_>) -> Result<Answered, PredictError> {
    check_output(job.output, &expand(job.input)?, job.protected)?;
    let rows = stream(job.input, &job.options)?;
    let part = part(job.output);
    let written = write(run, job, rows, &part);
    match written {
        Ok(answered) => {
            files::rename(&part, job.output)
                .map_err(|source| run_folder::io("write", job.output, source))?;
            Ok(answered)
        }
        Err(error) => {
            // Best effort: the error that counts is the one that stopped the prediction.
            let _ = files::remove_file(&part);
            Err(error)
        }
    }
}

fn write(
    run: &impl AnswersRows,
    job: &PredictJob<'_>,
    mut batches: TableStream,
    part: &Path,
) -> Result<Answered, PredictError> {
    let mut writer = TableWriter::create(part, job.format)?;
    let mut done = Answered::default();
    let mut file = (PathBuf::new(), 0);
    while let Some(batch) = batches.next() {
        let batch = batch?;
        let path = batches.file().unwrap_or(Path::new(job.input));
        if file.0 != path {
            file = (path.to_path_buf(), done.rows);
        }
        let rows_before = (done.rows - file.1) as usize;
        let place = |error: DataError| error.map_row(|row| row + rows_before).in_file(&file.0);
        let (answers, cut) = run.answers(&batch).map_err(place)?;
        let names = names(&batch, job.id, done.rows).map_err(place)?;
        writer.write(&columns(names, run.answer(), answers))?;
        done.rows += batch.num_rows() as u64;
        done.cut += cut as u64;
    }
    if done.rows == 0 {
        return Err(PredictError::NoRows(job.input.to_owned()));
    }
    writer.finish()?;
    Ok(done)
}

/// Answers for encoded rows, so many at a time.
fn answer(run: &TableRun, features: &Features) -> Answers {
    let positions: Vec<u32> = (0..features.rows as u32).collect();
    let parts = positions
        .chunks(ROWS)
        .map(|rows| table::upload(features.gather(rows), run.predictor.device()));
    run.predictor.predict(parts)
}

/// What names the rows of a batch: its id column if the run has one, else numbers from 1.
fn names(
    batch: &RecordBatch,
    id: Option<&str>,
    done: u64,
) -> Result<(String, ArrayRef), DataError> {
    let Some(id) = id else {
        let numbers = (0..batch.num_rows() as u64).map(|row| done + row + 1);
        let numbers = Arc::new(UInt64Array::from_iter_values(numbers));
        return Ok(("row".into(), numbers));
    };
    Ok((id.into(), column(batch, id)?.clone()))
}

fn columns(name: (String, ArrayRef), answer: &Answer, answers: Answers) -> RecordBatch {
    let mut columns = vec![name];
    match (answer, answers) {
        (
            Answer::Classification { classes, .. },
            Answers::Classes {
                chosen,
                probabilities,
            },
        ) => {
            let labels = chosen.iter().map(|class| classes[*class as usize].as_str());
            let labels = StringArray::from_iter_values(labels);
            columns.push(("prediction".into(), Arc::new(labels)));
            columns.extend(by_class(classes, &probabilities));
        }
        (
            Answer::Multilabel { classes, .. },
            Answers::Sets {
                chosen,
                probabilities,
            },
        ) => {
            let name = |class: &u32| classes[*class as usize].as_str();
            let names = |set: &Vec<u32>| set.iter().map(name).collect::<Vec<_>>().join(";");
            let labels = StringArray::from_iter_values(chosen.iter().map(names));
            columns.push(("prediction".into(), Arc::new(labels)));
            columns.extend(by_class(classes, &probabilities));
        }
        (_, Answers::Numbers(numbers)) => {
            columns.push(("prediction".into(), Arc::new(Float64Array::from(numbers))));
        }
        _ => unreachable!("answers are of the kind that the predictor gives"),
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// A column of probabilities for each class; they come row by row.
fn by_class(classes: &[String], probabilities: &[f64]) -> Vec<(String, ArrayRef)> {
    let column = |(index, class): (usize, &String)| {
        let column = probabilities.iter().skip(index).step_by(classes.len());
        let column = Float64Array::from_iter_values(column.copied());
        (format!("probability_{class}"), Arc::new(column) as ArrayRef)
    };
    classes.iter().enumerate().map(column).collect()
}

/// A hidden neighbour of the output, in which it is written until it is whole.
pub(crate) fn part(output: &Path) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!(".{name}.part"))
}

/// Refuses to write over what is read, or over a run or its data.
pub(crate) fn check_output(
    output: &Path,
    inputs: &[PathBuf],
    protected: &[PathBuf],
) -> Result<(), PredictError> {
    let Ok(output) = output.canonicalize() else {
        return Ok(()); // It does not exist yet.
    };
    for input in inputs {
        if input.canonicalize().is_ok_and(|input| input == output) {
            return Err(PredictError::SameFile(output));
        }
    }
    let belongs = |path: &PathBuf| {
        path.canonicalize()
            .is_ok_and(|path| output.starts_with(path))
    };
    match protected.iter().any(belongs) {
        true => Err(PredictError::Protected(output)),
        false => Ok(()),
    }
}
