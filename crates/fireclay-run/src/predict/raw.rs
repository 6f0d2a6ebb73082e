//! Answers for raw rows, images and texts that are in the memory of a program.

use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use fireclay_data::arrow::compute::concat_batches;
use fireclay_data::arrow::json::WriterBuilder;
use fireclay_data::arrow::json::writer::JsonArray;
use fireclay_data::{DataError, JsonRows, TableFormat, json_rows, stream};

use super::pipes::InputTable;
use super::rows::{columns, names};
use super::{TOP, answer_columns, image_columns};
use crate::answer::Answers;
use crate::postprocess::note_of_outside;
use crate::run::{InputKind, Reading, Run, RunError};

/// What a run is asked, as it comes.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    /// The bytes of a table in this format, read as `predict` reads such a file. `Jsonl` is also one object, or a list of
    /// objects.
    Rows(&'a [u8], TableFormat),
    /// Images, each the bytes of a file.
    Images(&'a [&'a [u8]]),
    /// Texts to classify or to translate.
    Texts(&'a [&'a str]),
}

/// Answers, as `predict` writes them.
#[derive(Clone, Debug)]
pub struct Replies {
    /// A row for each row, image or text: its id or number (`row`, from 1), `prediction`, and probabilities and bounds
    /// where there are some.
    pub columns: RecordBatch,
    /// What is to be said of them, such as categories that training did not have.
    pub notes: Vec<String>,
}

impl Replies {
    /// A list of objects in JSON, one for each row. What is no number is null.
    pub fn to_json(&self) -> String {
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let mut writer = builder.build::<_, JsonArray>(Vec::new());
        let written = writer.write(&self.columns).and_then(|()| writer.finish());
        written.expect("answers are numbers and texts, and memory can be written");
        String::from_utf8(writer.into_inner()).expect("JSON is UTF-8")
    }
}

impl dyn Run + '_ {
    /// Answers raw rows, images or texts, all of them or none.
    ///
    /// # Errors
    ///
    /// If they are not what the run reads, or one of them cannot be read or answered for: it is named by its number.
    pub fn ask(&self, raw: Raw<'_>) -> Result<Replies, RunError> {
        match raw {
            Raw::Rows(bytes, format) => self.ask_rows(bytes, format),
            Raw::Images(images) => {
                let images: ArrayRef = Arc::new(BinaryArray::from_iter_values(images));
                self.ask_column(images, "images", |kind| {
                    matches!(kind, InputKind::Image { .. })
                })
            }
            Raw::Texts(texts) => {
                let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
                self.ask_column(texts, "texts", |kind| {
                    matches!(kind, InputKind::Text { .. })
                })
            }
        }
    }

    fn ask_rows(&self, bytes: &[u8], format: TableFormat) -> Result<Replies, RunError> {
        let Some(reading) = self.reading(Some(format)) else {
            return Err(self.does_not_read("rows of a table"));
        };
        // What is wrong, or is to be said, is found out by the reader of files.
        if format == TableFormat::Jsonl
            && let Some(rows) = self.json(bytes, &reading)
            && let Ok(replies) = self.named_replies(&rows, &reading, Vec::new())
        {
            return Ok(replies);
        }
        let table = InputTable::of_bytes(bytes, "the rows")?;
        let read = || -> Result<_, RunError> {
            let mut pieces = stream(table.path(), &reading.options)?;
            let read = pieces.by_ref().collect::<Result<Vec<_>, _>>()?;
            let first = read.first().filter(|piece| piece.num_rows() > 0);
            let first = first.ok_or_else(|| RunError::NoRows("the table".into()))?;
            let rows = concat_batches(&first.schema(), &read).map_err(DataError::from)?;
            let notes = pieces.notes().into_iter();
            let notes = notes.map(|note| table.renamed(&note)).collect();
            self.named_replies(&rows, &reading, notes)
        };
        read().map_err(|error| table.named(error))
    }

    /// The columns that the run reads, of JSON of which there is nothing to say.
    fn json(&self, bytes: &[u8], reading: &Reading) -> Option<RecordBatch> {
        let columns = self.schema().columns.into_iter();
        let wanted: Vec<String> = columns.map(|column| column.name).collect();
        let columns = (&wanted[..], reading.id.as_deref());
        match json_rows(bytes, &reading.options, columns, usize::MAX) {
            JsonRows::Read(rows) => Some(rows),
            JsonRows::TooMany(_) | JsonRows::Unclear => None,
        }
    }

    /// Answers for rows that are called by their id, where they have one.
    fn named_replies(
        &self,
        rows: &RecordBatch,
        reading: &Reading,
        notes: Vec<String>,
    ) -> Result<Replies, RunError> {
        let id = reading.id.as_deref();
        let id = id.filter(|id| rows.schema().index_of(id).is_ok());
        let named = (id.unwrap_or("row").to_owned(), names(rows, id, 0)?);
        self.replies(rows, named, notes)
    }

    /// Answers for the only column that the run needs.
    fn ask_column(
        &self,
        cells: ArrayRef,
        what: &str,
        is_meant: impl Fn(&InputKind) -> bool,
    ) -> Result<Replies, RunError> {
        let schema = self.schema();
        let column = schema.columns.iter().find(|column| is_meant(&column.kind));
        let Some(column) = column else {
            return Err(self.does_not_read(what));
        };
        if cells.is_empty() {
            return Err(RunError::NoRows(format!("the list of {what}")));
        }
        let rows = RecordBatch::try_from_iter([(&column.name, cells)]).map_err(DataError::from)?;
        let named = ("row".to_owned(), names(&rows, None, 0)?);
        self.replies(&rows, named, Vec::new())
    }

    /// With these notes before those on the answers, as `predict` has them.
    fn replies(
        &self,
        rows: &RecordBatch,
        named: (String, ArrayRef),
        mut notes: Vec<String>,
    ) -> Result<Replies, RunError> {
        let answers = self.answers(rows)?.answers;
        notes.extend(self.notes_on(rows, &answers)?);
        Ok(Replies {
            columns: columns(named, self.written(answers)),
            notes,
        })
    }

    /// What is to be said of answers for these rows: how many are not in their own set of a stated coverage, and
    /// [`Run::notes`].
    ///
    /// # Errors
    ///
    /// As [`Run::notes`].
    pub fn notes_on(&self, rows: &RecordBatch, answers: &Answers) -> Result<Vec<String>, RunError> {
        let outside = self.meaning().map_or(0, |it| it.outside(answers));
        let all = rows.num_rows() as u64;
        let outside = note_of_outside(self.base().config(), outside, all);
        Ok(outside.into_iter().chain(self.notes(rows)?).collect())
    }

    /// The columns of answers, as `predict` writes them for runs of this kind.
    fn written(&self, answers: Answers) -> Vec<(String, ArrayRef)> {
        let mut inputs = self.schema().columns.into_iter();
        match inputs.any(|column| matches!(column.kind, InputKind::Image { .. })) {
            true => image_columns(self, answers, TOP),
            false => answer_columns(self, answers),
        }
    }

    fn does_not_read(&self, what: &str) -> RunError {
        let schema = self.schema();
        let reads = match schema.columns.first().map(|column| &column.kind) {
            Some(InputKind::Image { .. }) => "images",
            Some(InputKind::Text { .. }) => "texts",
            _ => "rows of a table",
        };
        let run = self.base().run.display();
        RunError::Usage(format!("{run} reads no {what}: it reads {reads}"))
    }
}
