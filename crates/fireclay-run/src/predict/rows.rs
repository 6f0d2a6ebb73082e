//! From a table to a table of answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use fireclay_data::{
    DataError, ReadOptions, TableFormat, TableStream, TableWriter, column, expand, stream,
};

use super::{format_of, whole};
use crate::answer::Answers;
use crate::run::{PredictJob, Predicted, Run, RunError};

/// Answers for the rows of a table; `options` say how to read it, and `id` is the column that names a
/// row, if the run has one. The number of texts that are cut comes with what was answered for.
///
/// Columns: the row's id (or `row`, from 1), `prediction` (labels that apply are joined by `;`), and for
/// classes `probability_<class>`.
pub(crate) fn predict_rows(
    run: &dyn Run,
    job: &PredictJob<'_>,
    options: impl FnOnce(TableFormat) -> ReadOptions,
    (own, id): (TableFormat, Option<&str>),
) -> Result<(Predicted, u64), RunError> {
    let (output, format) = output(job)?;
    let input = TableFormat::from_path(job.input.as_ref()).unwrap_or(own);
    let options = options(input);
    let inputs = expand(job.input)?;
    let (rows, cut) = whole(output, &inputs, &run.base().protected(), |part| {
        let rows = stream(job.input, &options)?;
        write(
            run,
            (job.input, id),
            rows,
            TableWriter::create(part, format)?,
        )
    })?;
    let predicted = Predicted {
        count: rows,
        unit: "rows",
        notes: Vec::new(),
        failed: Vec::new(),
        shown: Vec::new(),
    };
    Ok((predicted, cut))
}

/// The file for the answers to a table, and its format.
fn output<'a>(job: &PredictJob<'a>) -> Result<(&'a Path, TableFormat), RunError> {
    if job.top.is_some() {
        let message = "--top is for images: answers for a table have a column for each class";
        return Err(RunError::Usage(message.into()));
    }
    let output = job.output.ok_or_else(|| {
        RunError::Usage("answers for a table need a file to go to: -o predictions.csv".into())
    })?;
    Ok((output, format_of(output)?))
}

fn write(
    run: &dyn Run,
    (input, id): (&str, Option<&str>),
    mut batches: TableStream,
    mut writer: TableWriter,
) -> Result<(u64, u64), RunError> {
    let (mut rows, mut cut) = (0, 0);
    let mut file = (PathBuf::new(), 0);
    while let Some(batch) = batches.next() {
        let batch = batch?;
        let path = batches.file().unwrap_or(Path::new(input));
        if file.0 != path {
            file = (path.to_path_buf(), rows);
        }
        let rows_before = (rows - file.1) as usize;
        let located = |error: DataError| error.map_row(|row| row + rows_before).in_file(&file.0);
        let answered = run.answers(&batch).map_err(|error| match error {
            RunError::Data(error) => RunError::Data(located(error)),
            error => error,
        })?;
        let names = names(&batch, id, rows).map_err(located)?;
        writer.write(&columns(run, names, answered.answers))?;
        rows += batch.num_rows() as u64;
        cut += answered.cut as u64;
    }
    if rows == 0 {
        return Err(RunError::NoRows(input.to_owned()));
    }
    writer.finish()?;
    Ok((rows, cut))
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

fn columns(run: &dyn Run, name: (String, ArrayRef), answers: Answers) -> RecordBatch {
    let classes = run.meaning().map_or(&[][..], |meaning| meaning.classes());
    let by_class = answers.by_class(classes);
    let mut columns = vec![name, ("prediction".into(), answers.predictions(classes))];
    columns.extend(by_class);
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}
