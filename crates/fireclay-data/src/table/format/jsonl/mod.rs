//! JSON: one object a line, objects one after the other, or one array of them.

mod held;
mod objects;
mod row;

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, WriterBuilder};

pub use self::held::{JsonRows, json_rows};
use self::objects::Objects;
use self::row::{Keys, Row};
use super::text::flush;
use super::{Format, Pieces, Sink, Target};
use crate::error::DataError;
use crate::table::stream::{BATCH_ROWS, ReadOptions};

pub(super) const FORMAT: Format = Format {
    extensions: &["jsonl", "ndjson", "json"],
    keys: &["encoding"],
    takes_manifests: false,
    is_start,
    advice_on_one_row: Some(
        "holds one JSON object, which is one row; write an object for each row, as pandas does with orient=\"records\", or take the rows out of it, for example with `jq -c '.data[]'`",
    ),
    is_running: true,
    indices: |_| Ok(Vec::new()),
    columns: keys,
    rows: |path, columns, options| Ok(Box::new(batches(path, columns, options)?)),
    sink: |file| {
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let writer: LineDelimitedWriter<_> = builder.build(BufWriter::new(file));
        Box::new(writer)
    },
};

impl Sink for LineDelimitedWriter<BufWriter<Target>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        Self::write(self, batch)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ArrowError> {
        Self::finish(&mut self)?;
        flush(self.into_inner())
    }
}

/// An object, or an array of objects; a header of CSV may well start with a bracket.
fn is_start(head: &[u8]) -> bool {
    match head.trim_ascii_start() {
        [b'{', ..] => true,
        [b'[', rest @ ..] => rest.trim_ascii_start().starts_with(b"{"),
        _ => false,
    }
}

/// The keys of all files in order of first appearance; a row without one has it missing.
fn keys(files: &[PathBuf], options: &ReadOptions) -> Result<Vec<String>, DataError> {
    let mut keys = Keys::default();
    for path in files {
        let mut objects = Objects::open(path, options)?;
        loop {
            match objects.read(&mut keys) {
                Ok(true) => {}
                Ok(false) => break,
                Err(DataError::Json { .. } | DataError::Utf8 { .. }) if options.skip_bad_lines => {}
                Err(error) => return Err(error),
            }
        }
        if objects.count == 0 {
            return Err(DataError::empty(path));
        }
    }
    Ok(keys.names())
}

/// The rows in pieces; numbers and lists stay the text that was written.
fn batches(path: &Path, keys: &[String], options: &ReadOptions) -> Result<JsonlBatches, DataError> {
    Ok(JsonlBatches {
        objects: Objects::open(path, options)?,
        row: Row::new(keys),
        bad: None,
    })
}

struct JsonlBatches {
    objects: Objects,
    row: Row,
    /// What is wrong with the object after the rows that come first.
    bad: Option<DataError>,
}

impl JsonlBatches {
    fn read(&mut self) -> Result<Option<RecordBatch>, DataError> {
        if let Some(error) = self.bad.take() {
            return Err(error);
        }
        while self.row.columns.rows() < BATCH_ROWS {
            match self.objects.read(&mut self.row) {
                Ok(true) => self.row.columns.end_row(),
                Ok(false) => break,
                Err(error) => return self.row.columns.stop_at(error, &mut self.bad).map(Some),
            }
        }
        if self.row.columns.rows() == 0 {
            Ok(None)
        } else {
            self.row.columns.finish().map(Some)
        }
    }
}

impl Iterator for JsonlBatches {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Pieces for JsonlBatches {
    fn notes(&self) -> Vec<String> {
        let count = self.objects.not_finite;
        let message = format!("{count} values are NaN or Infinity, which are read as missing");
        let not_finite = (count > 0).then_some(message);
        self.objects
            .note
            .iter()
            .cloned()
            .chain(not_finite)
            .collect()
    }
}
