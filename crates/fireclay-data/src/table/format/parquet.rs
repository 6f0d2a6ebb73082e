//! Apache Parquet.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{Format, Sink, same_in_all};
use crate::error::DataError;
use crate::table::stream::BATCH_ROWS;

pub(super) const FORMAT: Format = Format {
    extensions: &["parquet", "pq"],
    keys: &[],
    is_start: |head| head.starts_with(b"PAR1"),
    columns: |files, _| same_in_all(files, header),
    rows: |path, _, _| Ok(Box::new(batches(path)?)),
    sink: |file| Box::new(ParquetSink::Unopened(file)),
};

enum ParquetSink {
    /// The file, until the first batch tells the schema.
    Unopened(File),
    Open(Box<ArrowWriter<File>>),
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if let Self::Unopened(file) = self {
            let writer = ArrowWriter::try_new(file.try_clone()?, batch.schema(), None)?;
            *self = Self::Open(Box::new(writer));
        }
        match self {
            Self::Unopened(_) => Ok(()),
            Self::Open(writer) => Ok(writer.write(batch)?),
        }
    }

    fn finish(self: Box<Self>) -> Result<(), ArrowError> {
        match *self {
            Self::Unopened(_) => Ok(()),
            Self::Open(writer) => Ok(writer.close().map(drop)?),
        }
    }
}

/// The bytes of a Parquet file with these rows, which are of one schema.
///
/// # Errors
/// [`DataError::Arrow`] for a type that Parquet does not have.
pub fn parquet_bytes(batches: &[RecordBatch]) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    if let Some(first) = batches.first() {
        let writer = ArrowWriter::try_new(&mut bytes, first.schema(), None);
        let mut writer = writer.map_err(ArrowError::from)?;
        for batch in batches {
            writer.write(batch).map_err(ArrowError::from)?;
        }
        writer.close().map_err(ArrowError::from)?;
    }
    Ok(bytes)
}

/// The names of the columns.
fn header(path: &Path) -> Result<Vec<String>, DataError> {
    Ok(open(path)?
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect())
}

/// The rows in pieces, in the few types that the rest of the crate knows.
fn batches(path: &Path) -> Result<ParquetBatches, DataError> {
    let reader = open(path)?
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| damaged(path, &error))?;
    Ok(ParquetBatches {
        path: path.to_owned(),
        reader,
    })
}

struct ParquetBatches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(
            batch
                .and_then(|batch| simplify(&batch))
                .map_err(|error| damaged(&self.path, &error)),
        )
    }
}

pub(crate) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    let fail = |source| DataError::read(path, source);
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() == 0 {
        return Err(DataError::empty(path));
    }
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, &error))
}

pub(crate) fn damaged(path: &Path, error: &dyn std::error::Error) -> DataError {
    DataError::damaged(path, error.to_string())
}

pub(crate) fn simplify(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| Ok((field.name(), simple(array)?, true)));
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

/// Integers as `Int64` or `UInt64`, reals as `Float64`, moments as microseconds, text as `Utf8`.
/// Nested and other types stay what they are; they cannot be features.
pub(crate) fn simple(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let target = match array.data_type() {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        kind if kind.is_decimal() => DataType::Float64,
        DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Null => DataType::Utf8,
        DataType::Dictionary(_, value) => {
            let plain = cast(array, value)?;
            return simple(&plain);
        }
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return Ok(array.clone()),
    };
    cast(array, &target)
}
