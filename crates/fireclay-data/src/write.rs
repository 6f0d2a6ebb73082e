//! Writing tables piece by piece.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::error::ArrowError;
use arrow::json::{self, writer::LineDelimited};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::config::TableFormat;
use crate::error::{DataError, absolute};

/// Writes batches of one schema to a file, in bounded memory.
///
/// Reals are written with as many digits as it takes to read the same number back.
pub struct TableWriter {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Jsonl(json::Writer<BufWriter<File>, LineDelimited>),
    /// The file, until the first batch tells the schema.
    Unopened(File),
    Parquet(Box<ArrowWriter<File>>),
}

impl TableWriter {
    /// Creates the file, replacing one that is there. A Parquet file without any batch has no
    /// schema and stays empty.
    ///
    /// # Errors
    /// [`DataError::Write`] with the absolute path.
    pub fn create(path: &Path, format: TableFormat) -> Result<Self, DataError> {
        let path = absolute(path);
        let file = File::create(&path).map_err(|source| DataError::Write {
            path: path.clone(),
            source,
        })?;
        let sink = match format {
            TableFormat::Csv => Sink::Csv(Box::new(csv::Writer::new(BufWriter::new(file)))),
            TableFormat::Jsonl => {
                let builder = json::WriterBuilder::new().with_explicit_nulls(true);
                Sink::Jsonl(builder.build(BufWriter::new(file)))
            }
            TableFormat::Parquet => Sink::Unopened(file),
        };
        Ok(Self { path, sink })
    }

    /// Adds the rows of a batch; every batch has the schema of the first.
    ///
    /// # Errors
    /// [`DataError::Write`] if the disk is full, [`DataError::Arrow`] if the schema changed.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        if let Sink::Unopened(file) = &self.sink {
            let file = file.try_clone().map_err(|source| DataError::Write {
                path: self.path.clone(),
                source,
            })?;
            let writer = ArrowWriter::try_new(file, batch.schema(), None)
                .map_err(|error| self.parquet(error))?;
            self.sink = Sink::Parquet(Box::new(writer));
        }
        match &mut self.sink {
            Sink::Csv(writer) => writer.write(batch).map_err(|error| self.arrow(error)),
            Sink::Jsonl(writer) => writer.write(batch).map_err(|error| self.arrow(error)),
            Sink::Parquet(writer) => writer.write(batch).map_err(|error| self.parquet(error)),
            Sink::Unopened(_) => Ok(()),
        }
    }

    /// Writes what is still in memory and closes the file. Dropping the writer instead may leave
    /// a file that cannot be read.
    ///
    /// # Errors
    /// [`DataError::Write`] if the disk is full.
    pub fn finish(self) -> Result<(), DataError> {
        let path = self.path;
        let fail = |source| DataError::Write {
            path: path.clone(),
            source,
        };
        match self.sink {
            Sink::Csv(writer) => flush(writer.into_inner()).map_err(fail),
            Sink::Jsonl(mut writer) => {
                writer.finish().map_err(|error| write_error(&path, error))?;
                flush(writer.into_inner()).map_err(fail)
            }
            Sink::Parquet(writer) => writer
                .close()
                .map(drop)
                .map_err(|error| write_error(&path, error.into())),
            Sink::Unopened(_) => Ok(()),
        }
    }

    fn arrow(&self, error: ArrowError) -> DataError {
        write_error(&self.path, error)
    }

    fn parquet(&self, error: ParquetError) -> DataError {
        write_error(&self.path, error.into())
    }
}

fn flush(writer: BufWriter<File>) -> std::io::Result<()> {
    writer
        .into_inner()
        .map(drop)
        .map_err(|error| error.into_error())
}

fn write_error(path: &Path, error: ArrowError) -> DataError {
    match error {
        ArrowError::IoError(_, source) => DataError::Write {
            path: path.to_owned(),
            source,
        },
        ArrowError::CsvError(message)
        | ArrowError::JsonError(message)
        | ArrowError::ParquetError(message) => DataError::Write {
            path: path.to_owned(),
            source: std::io::Error::other(message),
        },
        other => DataError::Arrow(other),
    }
}
