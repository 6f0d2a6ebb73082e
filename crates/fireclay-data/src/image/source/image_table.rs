//! A table with the path of an image in each row.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::Array;

use super::columns::labels;
use super::files::Files;
use super::{Format, Found};
use crate::column::text;
use crate::error::{DataError, absolute};
use crate::image::config::ImageDataConfig;
use crate::labels::TargetKind;
use crate::table::{Table, TableConfig, TableFormat};

pub(super) const FORMAT: Format = Format {
    open,
    keys: &[
        "root",
        "image_column",
        "target",
        "targets",
        "label_separator",
        "valid_path",
        "test_path",
    ],
    has_columns: true,
    is_folder: |_| false,
    usual: |_| None,
};

fn open(config: &ImageDataConfig, target: TargetKind) -> Result<Found, DataError> {
    let table = read(config)?;
    let locate = |error| table.locate(error, |row| row);
    let rules = &config.split;
    for column in [&rules.group, &rules.time, &rules.column]
        .into_iter()
        .flatten()
    {
        table.column(column)?;
    }
    let labels = labels(table.batch(), config, target, None).map_err(locate)?;
    let files = files(&table, config)?;
    Ok(Found {
        source: Arc::new(files),
        labels,
        valid: table.valid.clone(),
        test: table.test.clone(),
        notes: Vec::new(),
        files: table.files.clone(),
        table: Some(table),
    })
}

fn read(config: &ImageDataConfig) -> Result<Table, DataError> {
    let format = format_of(&config.path)?;
    for path in [&config.valid_path, &config.test_path]
        .into_iter()
        .flatten()
    {
        format_of(path)?;
    }
    let mut rules = TableConfig::new(&config.path, config.target());
    rules.valid_path.clone_from(&config.valid_path);
    rules.test_path.clone_from(&config.test_path);
    Table::open(format, &rules, TargetKind::Number)
}

/// What the name says; a manifest of tables is not for images.
fn format_of(path: &str) -> Result<TableFormat, DataError> {
    TableFormat::from_path(Path::new(path)).ok_or_else(|| {
        DataError::Unusable(format!(
            "{} is no table: its name must end in {}",
            absolute(Path::new(path)).display(),
            TableFormat::extensions()
        ))
    })
}

/// The file of each row, all of which must be there.
fn files(table: &Table, config: &ImageDataConfig) -> Result<Files, DataError> {
    let column = config.image_column();
    let cells = text(column, table.column(column)?)?;
    let mut files = Files::default();
    let mut absent: Option<DataError> = None;
    let mut count = 0;
    for (source, rows) in table.files.iter().zip(&table.file_rows) {
        let folder = root(source, config);
        files.begin(&folder);
        for row in rows.clone() {
            let cell = match cells.is_valid(row) {
                true => cells.value(row),
                false => "",
            };
            let path = folder.join(cell);
            if cell.is_empty() || !path.is_file() {
                count += 1;
                absent.get_or_insert_with(|| no_file(column, row, cell, &path));
            }
            files.push(path);
        }
    }
    match absent.map(|error| table.locate(error, |row| row)) {
        None => Ok(files),
        Some(first) if count == 1 => Err(first),
        Some(first) => Err(DataError::Unusable(format!(
            "{count} images are missing, the first of them: {first}"
        ))),
    }
}

fn no_file(column: &str, row: usize, cell: &str, path: &Path) -> DataError {
    if cell.is_empty() {
        return DataError::bad_value(column, row, "", "the path of the image is missing");
    }
    let problem = format!("names no file: there is no {}", absolute(path).display());
    DataError::bad_value(column, row, cell, &problem)
}

/// The folder that the paths of a table start from.
fn root(table: &Path, config: &ImageDataConfig) -> PathBuf {
    match &config.root {
        Some(root) => PathBuf::from(root),
        None => table.parent().unwrap_or(Path::new("")).to_owned(),
    }
}
