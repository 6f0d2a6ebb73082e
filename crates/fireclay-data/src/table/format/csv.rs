//! Comma-separated values.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::csv::Writer;
use arrow::error::ArrowError;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::text::{TextColumns, flush};
use super::{Format, Sink, same_in_all};
use crate::error::{DataError, absolute};
use crate::table::stream::{BATCH_ROWS, ReadOptions};

pub(super) const FORMAT: Format = Format {
    extensions: &["csv", "tsv", "tab", "txt", "data"],
    keys: &["delimiter", "null_values"],
    is_start: |_| false,
    columns: |files, options| same_in_all(files, |path| header(path, options)),
    rows: |path, _, options| Ok(Box::new(batches(path, options)?)),
    sink: |file| Box::new(Writer::new(BufWriter::new(file))),
};

impl Sink for Writer<BufWriter<File>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        Self::write(self, batch)
    }

    fn finish(self: Box<Self>) -> Result<(), ArrowError> {
        flush(self.into_inner())
    }
}

/// The names in the first line. A column without a name is called as pandas calls it.
fn header(path: &Path, options: &ReadOptions) -> Result<Vec<String>, DataError> {
    let mut reader = open(path, options)?;
    let header = reader
        .byte_headers()
        .map_err(|error| convert(path, error))?;
    if header.is_empty() || header.iter().all(|name| name.trim_ascii().is_empty()) {
        return Err(DataError::empty(path));
    }
    let name = |(index, name): (usize, &[u8])| match std::str::from_utf8(name) {
        Ok(name) if name.trim().is_empty() => Ok(format!("Unnamed: {index}")),
        Ok(name) => Ok(name.trim().to_owned()),
        Err(_) => Err(DataError::Utf8 {
            path: absolute(path),
            line: 1,
        }),
    };
    header.iter().enumerate().map(name).collect()
}

/// The rows in pieces; all cells are text, without the white space around them.
fn batches(path: &Path, options: &ReadOptions) -> Result<CsvBatches, DataError> {
    Ok(CsvBatches {
        columns: TextColumns::new(header(path, options)?),
        reader: open(path, options)?,
        record: ByteRecord::new(),
        bad: None,
        nulls: Nulls::new(&options.null_values),
        path: path.to_owned(),
    })
}

struct CsvBatches {
    columns: TextColumns,
    reader: Reader<File>,
    record: ByteRecord,
    /// What is wrong with the line after the rows that come first.
    bad: Option<DataError>,
    nulls: Nulls,
    path: PathBuf,
}

impl CsvBatches {
    fn read(&mut self) -> Result<Option<RecordBatch>, DataError> {
        if let Some(error) = self.bad.take() {
            return Err(error);
        }
        while self.columns.rows() < BATCH_ROWS {
            match self.read_record() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return self.columns.stop_at(error, &mut self.bad).map(Some),
            }
        }
        if self.columns.rows() == 0 {
            Ok(None)
        } else {
            self.columns.finish().map(Some)
        }
    }

    /// Adds the next record; false after the last.
    fn read_record(&mut self) -> Result<bool, DataError> {
        let read = self.reader.read_byte_record(&mut self.record);
        let read = read.map_err(|error| convert(&self.path, error))?;
        if read {
            self.push_record()?;
        }
        Ok(read)
    }

    fn push_record(&mut self) -> Result<(), DataError> {
        for (column, cell) in self.record.iter().enumerate() {
            let cell = cell.trim_ascii();
            if self.nulls.contains(cell) {
                self.columns.push(column, None);
            } else {
                let text = std::str::from_utf8(cell).map_err(|_| DataError::Utf8 {
                    path: absolute(&self.path),
                    line: line(&self.record),
                })?;
                self.columns.push(column, Some(text));
            }
        }
        self.columns.end_row();
        Ok(())
    }
}

impl Iterator for CsvBatches {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The words that mean "missing".
struct Nulls {
    words: Vec<Vec<u8>>,
}

impl Nulls {
    fn new(words: &[String]) -> Self {
        Self {
            words: words
                .iter()
                .map(|word| word.trim().as_bytes().to_vec())
                .collect(),
        }
    }

    fn contains(&self, cell: &[u8]) -> bool {
        // A few words of few lengths: comparing lengths settles nearly every cell.
        cell.is_empty() || self.words.iter().any(|word| word.as_slice() == cell)
    }
}

fn open(path: &Path, options: &ReadOptions) -> Result<Reader<File>, DataError> {
    let is_tsv = path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("tsv") || extension.eq_ignore_ascii_case("tab")
    });
    let delimiter = options
        .delimiter
        .unwrap_or(if is_tsv { b'\t' } else { b',' });
    ReaderBuilder::new()
        .delimiter(delimiter)
        .buffer_capacity(1 << 20)
        .from_path(path)
        .map_err(|error| convert(path, error))
}

fn convert(path: &Path, error: csv::Error) -> DataError {
    let path = absolute(path);
    match error.into_kind() {
        ErrorKind::Io(source) => DataError::Read { path, source },
        ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => {
            let line = pos.map_or(0, |pos| pos.line());
            DataError::Ragged {
                path,
                line,
                expected: expected_len,
                found: len,
            }
        }
        ErrorKind::Utf8 { pos, .. } => DataError::Utf8 {
            path,
            line: pos.map_or(0, |pos| pos.line()),
        },
        other => DataError::Damaged {
            path,
            message: format!("{other:?}"),
        },
    }
}

fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, |position| position.line())
}
