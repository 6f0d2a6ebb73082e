//! Reading tables in pieces of bounded size, whatever the format.
//!
//! The cells of CSV and JSON Lines stay the text that was written, and only what uses a column
//! decides what it means. So a column of integers with one word in the millionth row is simply
//! text, `007` stays `007`, and a piece of a file looks like the same piece of the whole.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::config::TableConfig;
use super::dialect::Dialect;
use super::format::{Batches, TableFormat};
use crate::column::Columns;
use crate::error::DataError;
use crate::files::expand;

/// The number of rows in a piece.
pub(crate) const BATCH_ROWS: usize = 16 * 1024;

/// The words that mean "missing" unless the configuration says others: those of pandas, and `?`.
pub(crate) const NULL_VALUES: [&str; 20] = [
    "", "?", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan",
    "NULL", "null", "None", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN",
];

/// How to read a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format of every file.
    pub format: TableFormat,
    /// How the text is written (csv; of jsonl the encoding).
    pub dialect: Dialect,
    /// The words that mean "missing" (csv).
    pub null_values: Vec<String>,
}

impl ReadOptions {
    /// The defaults for a format.
    pub fn new(format: TableFormat) -> Self {
        Self {
            format,
            dialect: Dialect::default(),
            null_values: NULL_VALUES.map(String::from).to_vec(),
        }
    }

    /// The options that a configuration gives.
    pub fn from_config(format: TableFormat, config: &TableConfig) -> Self {
        let mut options = Self::new(format);
        options.dialect = config.dialect();
        if let Some(nulls) = &config.null_values {
            options.null_values.clone_from(nulls);
        }
        options
    }
}

/// Reads the files that `path` (a file or a glob) names, piece by piece, in bounded memory.
///
/// Every piece has the columns of the first file, in its order; for JSON Lines those of all files.
///
/// # Errors
/// Here what is wrong with the path or the first lines; on the way what is wrong further down.
pub fn stream(path: &str, options: &ReadOptions) -> Result<TableStream, DataError> {
    let files = expand(path)?;
    let columns = (options.format.format().columns)(&files, options)?;
    Ok(TableStream {
        files: files.into(),
        current: None,
        columns,
        options: options.clone(),
        notes: Vec::new(),
    })
}

/// The iterator of [`stream`].
pub struct TableStream {
    files: VecDeque<PathBuf>,
    current: Option<(PathBuf, Batches)>,
    columns: Vec<String>,
    options: ReadOptions,
    notes: Vec<String>,
}

impl TableStream {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The file that the latest piece came from.
    pub fn file(&self) -> Option<&Path> {
        self.current.as_ref().map(|(path, _)| path.as_path())
    }

    /// What a person should know of the files that were read to their end.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>, DataError> {
        loop {
            if let Some((_, batches)) = &mut self.current
                && let Some(batch) = batches.next()
            {
                return project(batch?, &self.columns).map(Some);
            }
            if let Some((path, batches)) = self.current.take()
                && let Some(note) = batches.note()
            {
                self.notes.push(format!("{}: {note}", path.display()));
            }
            let Some(path) = self.files.pop_front() else {
                return Ok(None);
            };
            let rows = self.options.format.format().rows;
            let batches = rows(&path, &self.columns, &self.options)?;
            self.current = Some((path, batches));
        }
    }
}

impl Iterator for TableStream {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        if matches!(item, Some(Err(_))) {
            self.files.clear();
            self.current = None;
        }
        item
    }
}

/// The batch with these columns only, in this order.
pub(super) fn project(batch: RecordBatch, columns: &[String]) -> Result<RecordBatch, DataError> {
    let schema = batch.schema();
    let names = || schema.fields().iter().map(|field| field.name());
    if names().eq(columns) {
        return Ok(batch);
    }
    let by_name = Columns::new(&batch);
    let picked = columns
        .iter()
        .map(|name| Ok((name, by_name.get(name)?.clone(), true)));
    let picked: Vec<_> = picked.collect::<Result<_, DataError>>()?;
    Ok(RecordBatch::try_from_iter_with_nullable(picked)?)
}
