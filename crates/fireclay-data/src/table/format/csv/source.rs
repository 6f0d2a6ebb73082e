//! The records of a file, and what is wrong with them.

use std::collections::{HashSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind, Reader};

use super::above::{Below, below, wanted};
use super::usual_delimiter;
use crate::error::{DataError, absolute, list};
use crate::files::open_as;
use crate::table::Dialect;
use crate::table::dialect::{LAST_ROWS, advice, cells, encoding_advice, reader};
use crate::table::stream::ReadOptions;

/// A file that is read record by record.
pub(super) struct Records {
    pub path: PathBuf,
    pub dialect: Dialect,
    reader: Reader<Box<dyn Read + Send>>,
    /// Lines above the first record.
    skipped: u64,
    above: Vec<Vec<u8>>,
    /// The columns that a run needs.
    wanted: Vec<String>,
    /// The records after the one that was given, where the last of all may be no rows.
    ahead: VecDeque<ByteRecord>,
    is_begun: bool,
    is_ended: bool,
    /// The records at the end that were left out.
    pub cut: usize,
    /// What a person should know of the encoding and of the lines above the table.
    pub notes: Vec<String>,
    /// Whether it is too late to change the configuration.
    is_settled: bool,
}

impl Records {
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let dialect = options.dialect.clone();
        let (text, note) = open_as(path, dialect.encoding())?;
        let Below {
            text,
            above,
            note: moved,
        } = below(text, path, options)?;
        Ok(Self {
            path: path.to_owned(),
            reader: reader(text, dialect.marks(usual_delimiter(path))),
            dialect,
            skipped: above.len() as u64,
            above,
            wanted: wanted(options).into_iter().map(str::to_owned).collect(),
            ahead: VecDeque::new(),
            is_begun: false,
            is_ended: false,
            cut: 0,
            notes: note.into_iter().chain(moved).collect(),
            is_settled: options.is_settled,
        })
    }

    /// The next record; false after the last.
    pub fn read(&mut self, record: &mut ByteRecord) -> Result<bool, DataError> {
        let Some(footer) = self.dialect.footer.clone() else {
            return self.read_next(record);
        };
        while !self.is_ended && self.ahead.len() <= LAST_ROWS {
            let mut next = ByteRecord::new();
            match self.read_next(&mut next)? {
                true => self.ahead.push_back(next),
                false => self.end(footer.as_bytes()),
            }
        }
        self.is_begun = true;
        let next = self.ahead.pop_front();
        let found = next.is_some();
        *record = next.unwrap_or_default();
        Ok(found)
    }

    /// Leaves out what is no row at the end of the file.
    fn end(&mut self, footer: &[u8]) {
        self.is_ended = true;
        // The names of the columns are no row.
        let header = usize::from(!self.is_begun && self.dialect.has_header());
        let first = self.ahead.len().saturating_sub(LAST_ROWS).max(header);
        let is_footer = |record: &ByteRecord| cells(record).any(|cell| cell == footer);
        let mut last = self.ahead.iter().skip(first);
        if let Some(at) = last.position(is_footer) {
            self.cut = self.ahead.len() - first - at;
            self.ahead.truncate(first + at);
        }
    }

    fn read_next(&mut self, record: &mut ByteRecord) -> Result<bool, DataError> {
        let read = self.reader.read_byte_record(record);
        read.map_err(|error| match error.into_kind() {
            ErrorKind::Io(source) => DataError::read(&self.path, source),
            other => DataError::damaged(&self.path, format!("{other:?}")),
        })
    }

    /// Refuses names of columns without those that a run needs, if lines above them are left out, which may be
    /// the header.
    pub fn check_names(&self, names: &[String]) -> Result<(), DataError> {
        let there: HashSet<&String> = names.iter().collect();
        let lacks = |wanted: &&String| !there.contains(wanted);
        let (Some(column), Some(line)) = (self.wanted.iter().find(lacks), self.above.last()) else {
            return Ok(());
        };
        let line = String::from_utf8_lossy(line);
        Err(DataError::Unusable(format!(
            "no column {column:?} of {}, which the run needs; the columns are {}; skip_rows = {} of the run left out the line {}",
            absolute(&self.path).display(),
            list(names, 20),
            self.skipped,
            line.trim_end()
        )))
    }

    /// The record has another number of fields than the header.
    pub fn ragged(&self, record: &ByteRecord, expected: usize) -> DataError {
        let usual = match (record.len() < expected, self.is_settled) {
            (true, true) => "complete the line, or leave it out with --on-error skip",
            (true, false) => {
                "complete the line or take it out: the file may be cut off there, or a text without quotes have a line break in it"
            }
            (false, true) => {
                "put a text with the delimiter in it between quotes, or leave the line out with --on-error skip"
            }
            (false, false) => {
                "put a text with the delimiter in it between quotes, or say with delimiter and quote in [data] how the file is written"
            }
        };
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
            advice: encoding_advice(&self.path, self.is_settled),
        }
    }

    /// The keys that the file seems to need, if there are any beside those given.
    pub fn advice(&self) -> Option<String> {
        let usual = usual_delimiter(&self.path);
        let keys = advice(&self.path, &self.dialect, usual)?;
        Some(match self.is_settled {
            true => format!(
                "the run reads tables that are written as the one of its training, and by its first lines this one would need {keys}: write it as that one"
            ),
            false => format!("by its first lines it needs {keys} in [data]"),
        })
    }

    fn line(&self, record: &ByteRecord) -> u64 {
        self.skipped + record.position().map_or(0, |position| position.line())
    }
}
