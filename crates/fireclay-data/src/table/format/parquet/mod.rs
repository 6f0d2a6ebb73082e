//! Apache Parquet.

mod bounds;
mod ends;
mod types;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::Value;

pub(crate) use self::ends::Ends;
pub(crate) use self::types::{simple, simplify};
use super::{Format, Pieces, Sink, Target, same_in_all};
use crate::error::DataError;
use crate::panics::caught;
use crate::table::stream::BATCH_ROWS;

pub(super) const FORMAT: Format = Format {
    extensions: &["parquet", "pq"],
    keys: &[
        "shard_cache_dir",
        "shard_cache_bytes",
        "fit_rows",
        "shards_mixed",
    ],
    takes_manifests: true,
    is_start: |head| head.starts_with(b"PAR1"),
    advice_on_one_row: None,
    is_running: false,
    indices,
    columns: |files, _| same_in_all(files, header),
    rows: |path, _, _| Ok(Box::new(batches(path)?)),
    sink: |file| Box::new(ParquetSink::Unopened(Some(file))),
};

enum ParquetSink {
    /// What to write to, until the first batch tells the schema.
    Unopened(Option<Target>),
    Open(Box<ArrowWriter<Target>>),
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if let Self::Unopened(target) = self
            && let Some(target) = target.take()
        {
            let writer = ArrowWriter::try_new(target, batch.schema(), None)?;
            *self = Self::Open(Box::new(writer));
        }
        match self {
            // The schema of the first batch could not be written, which was an error then.
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

/// What pandas says is its index.
fn indices(path: &Path) -> Result<Vec<String>, DataError> {
    let reader = open(path)?;
    let metadata = reader.schema().metadata().get("pandas");
    let metadata = metadata.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let names = metadata
        .as_ref()
        .and_then(|value| value["index_columns"].as_array());
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

/// What stands between the name of a structure and that of a field in it.
const SEPARATOR: &str = ".";

/// The names of the columns; the field `b` of a structure `a` is `a.b`.
fn header(path: &Path) -> Result<Vec<String>, DataError> {
    let schema = open(path)?.schema().clone();
    let schema = caught(path, || schema.normalize(SEPARATOR, None))?;
    let schema = schema.map_err(|error| damaged(path, &error))?;
    Ok(schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect())
}

/// The rows in pieces, in the few types that the rest of the crate knows.
fn batches(path: &Path) -> Result<ParquetBatches, DataError> {
    let builder = open(path)?.with_batch_size(BATCH_ROWS);
    let reader = caught(path, || builder.build())?.map_err(|error| damaged(path, &error))?;
    Ok(ParquetBatches {
        path: path.to_owned(),
        reader,
    })
}

struct ParquetBatches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
}

impl ParquetBatches {
    fn read(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(batch) = self.reader.next().transpose()? else {
            return Ok(None);
        };
        simplify(&batch.normalize(SEPARATOR, None)?).map(Some)
    }
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.path.clone();
        let read = caught(&path, || self.read());
        read.and_then(|read| read.map_err(|error| damaged(&path, &error)))
            .transpose()
    }
}

impl Pieces for ParquetBatches {}

pub(crate) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<Ends>, DataError> {
    let fail = |source| DataError::read(path, source);
    let file = File::open(path).map_err(fail)?;
    let bytes = file.metadata().map_err(fail)?.len();
    if bytes == 0 {
        return Err(DataError::empty(path));
    }
    bounds::check(path, &file)?;
    let opened = caught(path, || {
        ParquetRecordBatchReaderBuilder::try_new(Ends(file))
    })?;
    let opened = opened.map_err(|error| damaged(path, &error))?;
    bounds::check_rows(path, bytes, opened.metadata())?;
    Ok(opened)
}

pub(crate) fn damaged(path: &Path, error: &dyn std::error::Error) -> DataError {
    DataError::damaged(path, format!("cannot be read: {error}"))
}
