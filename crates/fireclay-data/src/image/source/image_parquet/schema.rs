//! What a Parquet file says of itself, and how parts of it are read.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use serde_json::Value;

use super::ParquetFile;
use crate::error::{DataError, absolute};
use crate::panics::caught;
use crate::table::{ParquetEnds, damaged, open_parquet};

/// The names of classes in the order of their indices, from the description that Hugging Face's
/// `datasets` puts into the file.
pub(super) fn declared_names(metadata: &ArrowReaderMetadata, column: &str) -> Option<Vec<String>> {
    let pairs = metadata.metadata().file_metadata().key_value_metadata()?;
    let pair = pairs.iter().find(|pair| pair.key == "huggingface")?;
    let json: Value = serde_json::from_str(pair.value.as_ref()?).ok()?;
    let feature = json.get("info")?.get("features")?.get(column)?;
    // A list of labels describes its items one level further down.
    let inner = feature.get("feature").or_else(|| feature.get(0));
    let names = inner.unwrap_or(feature).get("names")?.as_array()?.iter();
    let names = names.map(|name| name.as_str().map(str::to_owned));
    let names: Vec<String> = names.collect::<Option<_>>()?;
    let distinct = names.iter().collect::<HashSet<_>>().len();
    (distinct > 0 && distinct == names.len()).then_some(names)
}

pub(super) fn metadata(path: &Path) -> Result<ArrowReaderMetadata, DataError> {
    // Opened the usual way first, for the messages on missing and empty files.
    open_parquet(path)?;
    let file = File::open(path).map_err(|source| DataError::read(path, source))?;
    let metadata = caught(path, || {
        ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
    })?;
    metadata.map_err(|error| damaged(path, &error))
}

pub(super) fn open_file(
    file: &ParquetFile,
) -> Result<ParquetRecordBatchReaderBuilder<ParquetEnds>, DataError> {
    let open = File::open(&file.path).map_err(|source| DataError::read(&file.path, source))?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
        ParquetEnds(open),
        file.metadata.clone(),
    ))
}

pub(super) fn project(metadata: &ArrowReaderMetadata, wanted: &[&str]) -> ProjectionMask {
    let fields = metadata.schema().fields().iter().enumerate();
    let roots = fields
        .filter(|(_, field)| wanted.contains(&field.name().as_str()))
        .map(|(root, _)| root);
    ProjectionMask::roots(metadata.parquet_schema(), roots)
}

pub(super) fn check_column(
    path: &Path,
    metadata: &ArrowReaderMetadata,
    name: &str,
) -> Result<(), DataError> {
    let fields = metadata.schema().fields().iter();
    let known: Vec<String> = fields.map(|field| field.name().clone()).collect();
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(DataError::MissingColumn {
        column: name.to_owned(),
        known,
        file: Some(absolute(path)),
    })
}
