//! Writing tables piece by piece.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::format::{Sink, TableFormat};
use crate::error::{DataError, absolute};

/// Writes batches of one schema to a file, in bounded memory.
///
/// Reals are written with as many digits as it takes to read the same number back.
pub struct TableWriter {
    path: PathBuf,
    sink: Box<dyn Sink>,
}

impl TableWriter {
    /// Creates the file, replacing one that is there. A Parquet file without any batch has no
    /// schema and stays empty.
    ///
    /// # Errors
    /// [`DataError::Write`] with the absolute path.
    pub fn create(path: &Path, format: TableFormat) -> Result<Self, DataError> {
        let file = File::create(path).map_err(|source| DataError::write(path, source))?;
        Ok(Self::to(file, path, format))
    }

    /// Writes to what the caller has opened, which errors call `path`.
    pub fn to(target: impl Write + Send + 'static, path: &Path, format: TableFormat) -> Self {
        Self {
            path: absolute(path),
            sink: (format.format().sink)(Box::new(target)),
        }
    }

    /// Adds the rows of a batch; every batch has the schema of the first.
    ///
    /// # Errors
    /// [`DataError::Write`] if the disk is full, [`DataError::Arrow`] if the schema changed.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        let written = self.sink.write(batch);
        written.map_err(|error| write_error(&self.path, error))
    }

    /// Writes what is still in memory and closes the file. Dropping the writer instead may leave
    /// a file that cannot be read.
    ///
    /// # Errors
    /// [`DataError::Write`] if the disk is full.
    pub fn finish(self) -> Result<(), DataError> {
        let finished = self.sink.finish();
        finished.map_err(|error| write_error(&self.path, error))
    }
}

fn write_error(path: &Path, error: ArrowError) -> DataError {
    match error {
        ArrowError::IoError(_, source) => DataError::write(path, source),
        ArrowError::CsvError(message)
        | ArrowError::JsonError(message)
        | ArrowError::ParquetError(message) => {
            DataError::write(path, std::io::Error::other(message))
        }
        other => DataError::Arrow(other),
    }
}
