//! From a table to a table of answers.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use fireclay_data::arrow::compute::{filter, filter_record_batch};
use fireclay_data::{
    DataError, ReadOptions, TableFormat, TableStream, TableWriter, column, expand, plain_text,
    stream,
};

use super::pipes::{InputTable, is_stream};
use super::skip::{Skipped, is_one_line, others, refused};
use super::{format_of, whole};
use crate::answer::{Answers, distinct};
use crate::postprocess::note_of_outside;
use crate::run::{Answered, OnError, PredictJob, Predicted, Run, RunError};
use fireclay_train::cluster::{Shared, company};

/// How a run reads tables.
pub(crate) struct Rows<'a> {
    /// How a table is stored whose name does not say it.
    pub format: TableFormat,
    /// The column that names a row, if the run has one.
    pub id: Option<&'a str>,
    /// How to read such a table.
    pub options: &'a dyn Fn(TableFormat) -> ReadOptions,
    /// Answers for some of them.
    pub answers: &'a dyn Fn(&RecordBatch) -> Result<Answered, RunError>,
    /// Whether rows can be answered for; an error names the first that cannot.
    pub fits: &'a dyn Fn(&RecordBatch) -> Result<(), DataError>,
    /// Looks at all rows that are answered for.
    pub watch: &'a mut dyn FnMut(&RecordBatch) -> Result<(), DataError>,
}

/// Answers for the rows of a table. The number of texts that are cut comes with what was answered for.
///
/// Columns: the row's id (or `row`, from 1), `prediction` (labels that apply are joined by the data's `label_separator`), for classes
/// `probability_<class>`, or of vectors `embedding_<k>` alone, and with a stated coverage `prediction_set` (classes joined by `;`) or
/// `prediction_lower` and `prediction_upper`.
pub(crate) fn predict_rows(
    run: &dyn Run,
    job: &PredictJob<'_>,
    rows: Rows<'_>,
) -> Result<(Predicted, u64), RunError> {
    let output = output(job)?;
    let format = format_of(output, job.format)?;
    let named = TableFormat::from_path(job.input.as_ref());
    if job.format.is_some() && named.is_some() && !is_stream(output) {
        let message = "--format has no effect: the names of both tables say how they are stored";
        return Err(RunError::Usage(message.into()));
    }
    let mut options = (rows.options)(named.or(job.format).unwrap_or(rows.format));
    options.skip_bad_lines = job.on_error == OnError::Skip;
    let source = InputTable::open(job.input)?;
    let inputs = expand(source.path()).map_err(|error| source.named(error.into()))?;
    let written = whole(output, &inputs, &run.base().protected(), |part| {
        let batches = stream(source.path(), &options)?;
        let writer = TableWriter::to(part, output, format);
        Writing::new(run, job, rows, &source).write(batches, writer)
    });
    let Written {
        count, cut, notes, ..
    } = written.map_err(|error| source.named(error))?;
    let predicted = Predicted {
        count,
        unit: "rows",
        notes,
        failed: Vec::new(),
        shown: Vec::new(),
    };
    Ok((predicted, cut))
}

/// Where the answers for a table go. What comes through a pipe is answered into one.
fn output<'a>(job: &PredictJob<'a>) -> Result<&'a Path, RunError> {
    if job.top.is_some() {
        let message = "--top is for images: answers for a table have a column for each class";
        return Err(RunError::Usage(message.into()));
    }
    match job.output {
        Some(output) => Ok(output),
        None if job.input == "-" => Ok(Path::new("-")),
        None => Err(RunError::Usage(
            "answers for a table need a file to go to: -o predictions.csv, or -o - for standard output".into(),
        )),
    }
}

/// What was written.
#[derive(Default)]
struct Written {
    count: u64,
    /// Predictions that are not in their own set.
    outside: u64,
    cut: u64,
    notes: Vec<String>,
}

/// What names the rows of each batch, and the answers for them, in the order of the batches. With several processes
/// either can come first: this one may not have read yet what another one has answered.
#[derive(Default)]
struct Waiting {
    names: VecDeque<ArrayRef>,
    answers: VecDeque<Answered>,
}

impl Waiting {
    /// The next batch that has both.
    fn next(&mut self) -> Option<(ArrayRef, Answered)> {
        let names = self.names.pop_front_if(|_| !self.answers.is_empty())?;
        Some((names, self.answers.pop_front()?))
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.answers.is_empty()
    }
}

/// Answers on their way to a file.
struct Writing<'a, 'r> {
    run: &'a dyn Run,
    job: &'a PredictJob<'a>,
    rows: Rows<'r>,
    source: &'a InputTable,
    /// The name of the first column.
    name: String,
    written: Written,
    skipped: Skipped,
    /// The batches that have rows. Several processes share the answers out; each reads the whole table.
    batches: usize,
    shared: Shared<Answered>,
    waiting: Waiting,
    /// The rows read so far, and how many of them were in the files before the present one.
    read: u64,
    before: u64,
    file: PathBuf,
}

impl<'a, 'r> Writing<'a, 'r> {
    fn new(
        run: &'a dyn Run,
        job: &'a PredictJob<'a>,
        rows: Rows<'r>,
        source: &'a InputTable,
    ) -> Self {
        let name = rows.id.unwrap_or("row").to_owned();
        Self {
            run,
            job,
            rows,
            source,
            name,
            written: Written::default(),
            skipped: Skipped::default(),
            batches: 0,
            shared: Shared::default(),
            waiting: Waiting::default(),
            read: 0,
            before: 0,
            file: PathBuf::new(),
        }
    }

    fn write(
        mut self,
        mut batches: TableStream,
        mut writer: TableWriter,
    ) -> Result<Written, RunError> {
        while let Some(batch) = batches.next() {
            let file = batches.file().unwrap_or(Path::new(self.job.input));
            if self.file != file {
                (self.file, self.before) = (file.to_path_buf(), self.read);
            }
            match batch {
                Ok(batch) => self.answer(batch, &mut writer)?,
                Err(error) if self.skips() && is_one_line(&error) => {
                    self.skipped.add(self.source.told(error));
                    self.read += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let rest = std::mem::take(&mut self.shared).end()?;
        self.waiting.answers.extend(rest);
        self.put(&mut writer)?;
        if !self.waiting.is_empty() {
            let message =
                "the processes have found different numbers of rows: they must read the same files";
            return Err(RunError::Usage(message.into()));
        }
        if self.read == 0 {
            return Err(RunError::NoRows(self.job.input.to_owned()));
        }
        let notes = batches.notes().into_iter();
        let notes = notes.map(|note| self.source.renamed(&note));
        self.written.notes.extend(notes);
        self.written.notes.extend(self.skipped.notes());
        if self.written.count == 0 {
            return Err(RunError::NoAnswers(self.written.notes.join("\n")));
        }
        writer.finish()?;
        let (outside, all) = (self.written.outside, self.written.count);
        let note = note_of_outside(self.run.base().config(), outside, all);
        self.written.notes.extend(note);
        Ok(self.written)
    }

    fn skips(&self) -> bool {
        self.job.on_error == OnError::Skip
    }

    /// Answers for the rows of a batch, if this process does, and writes what is whole.
    fn answer(&mut self, batch: RecordBatch, writer: &mut TableWriter) -> Result<(), RunError> {
        let start = self.read;
        self.read += batch.num_rows() as u64;
        let file = (self.file.clone(), (start - self.before) as usize);
        let located = |error: DataError| error.map_row(|row| row + file.1).in_file(&file.0);
        let names = names(&batch, self.rows.id, start).map_err(located)?;
        let (batch, names) = match self.skips() {
            true => self.without_refused(batch, names, &located)?,
            false => (batch, names),
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let share = company();
        let is_own = self.batches % share.world == share.rank;
        self.batches += 1;
        let answered = is_own.then(|| (self.rows.answers)(&batch)).transpose();
        let answered = answered.map_err(|error| match error {
            RunError::Data(error) => RunError::Data(located(error)),
            error => error,
        })?;
        (self.rows.watch)(&batch).map_err(located)?;
        self.waiting.names.push_back(names);
        if let Some(own) = answered {
            self.waiting.answers.extend(self.shared.put(own)?);
        }
        self.put(writer)
    }

    /// Writes the rows whose names and answers are both there.
    fn put(&mut self, writer: &mut TableWriter) -> Result<(), RunError> {
        while let Some((names, answered)) = self.waiting.next() {
            let meaning = self.run.meaning();
            self.written.outside += meaning.map_or(0, |it| it.outside(&answered.answers));
            self.written.cut += answered.cut as u64;
            let answers = answer_columns(self.run, answered.answers);
            if self.written.count == 0 {
                self.written.notes.extend(renamed(&self.name, &answers));
            }
            self.written.count += names.len() as u64;
            let name = (self.name.clone(), names);
            writer.write(&columns(name, answers))?;
        }
        Ok(())
    }

    /// The rows that can be answered for, with their names.
    fn without_refused(
        &mut self,
        batch: RecordBatch,
        names: ArrayRef,
        located: &dyn Fn(DataError) -> DataError,
    ) -> Result<(RecordBatch, ArrayRef), RunError> {
        let refused = refused(&batch, self.rows.fits).map_err(located)?;
        if refused.is_empty() {
            return Ok((batch, names));
        }
        let kept = others(batch.num_rows(), &refused);
        for (_, error) in refused {
            self.skipped.add(self.source.told(located(error)));
        }
        let rows = filter_record_batch(&batch, &kept).map_err(DataError::from)?;
        let names = filter(&names, &kept).map_err(DataError::from)?;
        Ok((rows, names))
    }
}

/// What names the rows of a batch: its id column if the run has one, else numbers from 1.
pub(super) fn names(
    batch: &RecordBatch,
    id: Option<&str>,
    done: u64,
) -> Result<ArrayRef, DataError> {
    let Some(id) = id else {
        let numbers = (0..batch.num_rows() as u64).map(|row| done + row + 1);
        return Ok(Arc::new(UInt64Array::from_iter_values(numbers)));
    };
    Ok(plain_text(column(batch, id)?))
}

/// The classes of a run.
fn classes(run: &dyn Run) -> &[String] {
    run.meaning().map_or(&[][..], |meaning| meaning.classes())
}

/// The columns of answers, after the one that names each row.
pub(super) fn columns(
    (name, names): (String, ArrayRef),
    answers: Vec<(String, ArrayRef)>,
) -> RecordBatch {
    let name = apart(name, &answers);
    // A later batch may lack an id, and all have one schema.
    let mut columns = vec![(name, names, true)];
    let answers = answers.into_iter();
    columns.extend(answers.map(|(name, column)| (name, column, false)));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

/// A name for the column that names rows, which no column of the answers has.
fn apart(own: String, answers: &[(String, ArrayRef)]) -> String {
    distinct(own, |name| answers.iter().any(|(taken, _)| taken == name))
}

/// What is to be said where that is another name than its own.
fn renamed(own: &str, answers: &[(String, ArrayRef)]) -> Option<String> {
    let name = apart(own.to_owned(), answers);
    (name != own)
        .then(|| format!("column {own:?} is written as {name:?}: the answers have that name"))
}

/// The columns of answers for rows, as `predict` writes them: `embedding_<k>` for vectors, and else `prediction` (labels that apply are joined by the
/// data's `label_separator`), `probability_<class>`, and the bounds of a stated coverage.
pub fn answer_columns(run: &dyn Run, answers: Answers) -> Vec<(String, ArrayRef)> {
    if let Some(columns) = answers.by_number() {
        return columns;
    }
    let classes = classes(run);
    let separator = run.base().config().data.section().label_separator();
    let bounds = run.meaning().map(|meaning| meaning.bounds(&answers));
    let more = [answers.by_class(classes), bounds.unwrap_or_default()].concat();
    let prediction = answers.predictions(classes, separator);
    let prediction = [("prediction".to_owned(), prediction)].into_iter();
    prediction.chain(more).collect()
}
