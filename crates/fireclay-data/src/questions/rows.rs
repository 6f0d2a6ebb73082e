//! The rows of a file of questions, each as a text of JSON.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::error::DataError;
use crate::files::Lines;
use crate::panics::caught;
use crate::table::{TableFormat, damaged, open_parquet};

/// Rows that are read at once; those of questions are long.
const ROWS: usize = 256;

/// A file of questions that is being read.
pub(super) enum Rows {
    /// Lines of JSON.
    Lines(Lines),
    /// A table with a column for each field.
    Parquet(Box<ParquetRows>),
}

impl Rows {
    /// # Errors
    /// [`DataError::Read`], [`DataError::Damaged`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        match TableFormat::from_path(path) == Some(TableFormat::Parquet) {
            true => Ok(Self::Parquet(Box::new(ParquetRows::open(path)?))),
            false => Ok(Self::Lines(Lines::open(path)?)),
        }
    }

    /// The next row that is not blank, and its number from 1; `None` after the last.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and [`DataError::Utf8`].
    pub fn next(&mut self) -> Result<Option<(u64, String)>, DataError> {
        match self {
            Self::Lines(lines) => {
                while let Some(text) = lines.next_line()? {
                    if !text.trim().is_empty() {
                        return Ok(Some((lines.read, text)));
                    }
                }
                Ok(None)
            }
            Self::Parquet(rows) => rows.next(),
        }
    }
}

/// The rows of a Parquet file as objects of JSON; a field that is null is not there.
pub(super) struct ParquetRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    waiting: VecDeque<String>,
    read: u64,
}

impl ParquetRows {
    fn open(path: &Path) -> Result<Self, DataError> {
        let builder = open_parquet(path)?.with_batch_size(ROWS);
        let reader = caught(path, || builder.build())?.map_err(|error| damaged(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            waiting: VecDeque::new(),
            read: 0,
        })
    }

    fn next(&mut self) -> Result<Option<(u64, String)>, DataError> {
        while self.waiting.is_empty() {
            let path = self.path.clone();
            let lines = caught(&path, || self.lines())?.map_err(|error| damaged(&path, &error))?;
            match lines {
                Some(lines) => self.waiting.extend(lines.lines().map(str::to_owned)),
                None => return Ok(None),
            }
        }
        self.read += 1;
        Ok(self.waiting.pop_front().map(|text| (self.read, text)))
    }

    /// The next rows, a line for each.
    fn lines(&mut self) -> Result<Option<String>, ArrowError> {
        let Some(batch) = self.reader.next().transpose()? else {
            return Ok(None);
        };
        let mut writer = LineDelimitedWriter::new(Vec::new());
        writer.write(&batch)?;
        writer.finish()?;
        let text = String::from_utf8(writer.into_inner());
        text.map(Some)
            .map_err(|error| ArrowError::JsonError(error.to_string()))
    }
}
