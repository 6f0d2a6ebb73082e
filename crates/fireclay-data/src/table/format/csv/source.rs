//! The records of a file, and what is wrong with them.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind, Reader};

use super::usual_delimiter;
use crate::error::{DataError, absolute};
use crate::files::open_text;
use crate::table::Dialect;
use crate::table::dialect::{advice, encoding_advice, reader};
use crate::table::stream::ReadOptions;

/// A file that is read record by record.
pub(super) struct Source {
    pub path: PathBuf,
    pub dialect: Dialect,
    reader: Reader<Box<dyn Read + Send>>,
    /// Lines above the first record.
    skipped: u64,
}

impl Source {
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let dialect = options.dialect.clone();
        let mut text = open_text(path, dialect.encoding())?;
        let skipped = dialect.skip_rows.unwrap_or(0) as u64;
        let mut line = Vec::new();
        for _ in 0..skipped {
            line.clear();
            let read = text.read_until(b'\n', &mut line);
            read.map_err(|source| DataError::read(path, source))?;
        }
        Ok(Self {
            path: path.to_owned(),
            reader: reader(text, dialect.marks(usual_delimiter(path))),
            dialect,
            skipped,
        })
    }

    /// The next record; false after the last.
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool, DataError> {
        let read = self.reader.read_byte_record(record);
        read.map_err(|error| match error.into_kind() {
            ErrorKind::Io(source) => DataError::read(&self.path, source),
            other => DataError::damaged(&self.path, format!("{other:?}")),
        })
    }

    /// The record has another number of fields than the header.
    pub fn ragged(&self, record: &ByteRecord, expected: usize) -> DataError {
        let usual = "check the delimiter and the quotes; the keys delimiter, quote, comment, skip_rows, header and extra_field of [data] say how the file is written";
        DataError::Ragged {
            path: absolute(&self.path),
            line: self.line(record),
            expected: expected as u64,
            found: record.len() as u64,
            header: match (self.dialect.has_header(), self.dialect.extra_field) {
                (true, None) => "header",
                (true, Some(_)) => "header with extra_field",
                (false, _) => "first line",
            },
            advice: self.advice().unwrap_or_else(|| usual.into()),
        }
    }

    /// The field that is left out has something in it.
    pub fn not_empty(&self, record: &ByteRecord) -> DataError {
        let message = format!(
            "the last field of line {} is not empty, though extra_field = \"last\" says so",
            self.line(record)
        );
        DataError::damaged(&self.path, message)
    }

    /// The record is not text.
    pub fn not_utf8(&self, record: &ByteRecord) -> DataError {
        DataError::Utf8 {
            path: absolute(&self.path),
            line: self.line(record),
            advice: encoding_advice(&self.path),
        }
    }

    /// The keys that the file seems to need, if there are any beside those given.
    pub fn advice(&self) -> Option<String> {
        advice(&self.path, &self.dialect, usual_delimiter(&self.path))
    }

    fn line(&self, record: &ByteRecord) -> u64 {
        self.skipped + record.position().map_or(0, |position| position.line())
    }
}
