//! Reading tables in pieces of bounded size, whatever the format.
//!
//! The cells of CSV and JSON Lines stay the text that was written, and only what uses a column
//! decides what it means. So a column of integers with one word in the millionth row is simply
//! text, `007` stays `007`, and a piece of a file looks like the same piece of the whole.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;

use super::config::TableConfig;
use super::dialect::Dialect;
use super::format::{NullCounts, TableFormat};
use super::shards::{Listed, Reading, Shards};
use crate::column::Columns;
use crate::error::DataError;

/// The number of rows in a piece.
pub(crate) const BATCH_ROWS: usize = 16 * 1024;

/// No table has more columns: each takes some kilobytes and looks, however few its rows are.
const MOST_COLUMNS: usize = 1 << 19;

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
    /// The same for single columns, by name.
    pub null_values_of: BTreeMap<String, Vec<String>>,
    /// Whether nobody chose `null_values`.
    pub has_usual_nulls: bool,
    /// Whether a line that cannot be read is an error among the pieces, after which the next ones come,
    /// instead of the end (csv, jsonl).
    pub skip_bad_lines: bool,
    /// Whether the configuration is that of a finished run, so that advice is not to change it.
    pub is_settled: bool,
    /// The columns that the finished run reads; none where there is no run.
    pub wanted: Vec<String>,
    /// The folder of files that are fetched; none for that in the user's cache (parquet).
    pub shard_cache_dir: Option<String>,
    /// The most bytes that it may hold; none for 20 GiB (parquet).
    pub shard_cache_bytes: Option<u64>,
}

impl ReadOptions {
    /// The defaults for a format.
    pub fn new(format: TableFormat) -> Self {
        Self {
            format,
            dialect: Dialect::default(),
            null_values: NULL_VALUES.map(String::from).to_vec(),
            null_values_of: BTreeMap::new(),
            has_usual_nulls: true,
            skip_bad_lines: false,
            is_settled: false,
            wanted: Vec::new(),
            shard_cache_dir: None,
            shard_cache_bytes: None,
        }
    }

    /// The options that a configuration gives.
    pub fn from_config(format: TableFormat, config: &TableConfig) -> Self {
        let mut options = Self::new(format);
        options.dialect = config.dialect();
        options.shard_cache_dir.clone_from(&config.shard_cache_dir);
        options.shard_cache_bytes = config.shard_cache_bytes;
        if let Some(nulls) = &config.null_values {
            options.null_values.clone_from(nulls);
            options.has_usual_nulls = false;
        }
        let extra = config.extra_null_values.iter();
        options.null_values.extend(extra.cloned());
        for (name, column) in &config.columns {
            if let Some(nulls) = &column.null_values {
                options.null_values_of.insert(name.clone(), nulls.clone());
            }
        }
        options
    }

    /// The words that mean "missing" in a column.
    pub(super) fn nulls_of(&self, column: &str) -> &[String] {
        let own = self.null_values_of.get(column);
        own.unwrap_or(&self.null_values)
    }

    /// Whether nobody chose the words that mean "missing" in a column.
    pub(super) fn has_usual_nulls(&self, column: &str) -> bool {
        self.has_usual_nulls && !self.null_values_of.contains_key(column)
    }
}

/// Reads the files that `path` (a file or a glob, of Parquet also a manifest) names, piece by piece, in bounded memory.
///
/// Every piece has the columns of the first file, in its order; for JSON Lines those of all files.
///
/// # Errors
/// Here what is wrong with the path or the first lines; on the way what is wrong further down.
pub fn stream(path: &str, options: &ReadOptions) -> Result<TableStream, DataError> {
    let (shards, listed) = Shards::find(path, options)?;
    let columns = &shards.columns;
    if columns.len() > MOST_COLUMNS {
        return Err(DataError::Unusable(format!(
            "{path} has {} columns, {MOST_COLUMNS} are the most: if a row has keys of its own, make them values of one column; of \
             a table as wide as that, leave out what says nothing",
            columns.len()
        )));
    }
    Ok(TableStream {
        shards,
        listed,
        current: None,
        options: options.clone(),
        notes: Vec::new(),
        nulls: NullCounts::new(),
    })
}

/// The iterator of [`stream`].
pub struct TableStream {
    shards: Shards,
    listed: Listed,
    current: Option<Reading>,
    options: ReadOptions,
    notes: Vec<String>,
    nulls: NullCounts,
}

impl TableStream {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.shards.columns
    }

    /// The file that the latest piece came from, or its address.
    pub fn file(&self) -> Option<&Path> {
        self.current.as_ref().map(|reading| reading.name.as_path())
    }

    /// What it reads from, beside files that a path or a glob names.
    pub(super) fn listed(&self) -> Listed {
        self.listed.clone()
    }

    /// What a person should know of the files that were read to their end.
    pub fn notes(&self) -> Vec<String> {
        let nulls = note_of_nulls(&self.nulls).map(|note| match self.options.is_settled {
            true => note,
            false => format!("{note}; columns.NAME.null_values = [] keeps the words of a column of categories or texts (among numbers, dates and words of yes and no they stay missing), null_values chooses others for all"),
        });
        self.notes.iter().cloned().chain(nulls).collect()
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>, DataError> {
        loop {
            if let Some(reading) = &mut self.current
                && let Some(batch) = reading.batches.next()
            {
                let batch = batch.map_err(|error| reading.named(error))?;
                return project(batch, &self.shards.columns).map(Some);
            }
            if let Some(Reading { name, batches, .. }) = self.current.take() {
                let notes = batches.notes().into_iter();
                let notes = notes.map(|note| format!("{}: {note}", name.display()));
                self.notes.extend(notes);
                for (word, count) in batches.nulls() {
                    *self.nulls.entry(word).or_default() += count;
                }
            }
            self.current = self.shards.next(&self.options)?;
            if self.current.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Iterator for TableStream {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        let is_one_line = |error: &DataError| {
            use DataError::{Json, Ragged, Utf8};
            matches!(error, Ragged { .. } | Utf8 { .. } | Json { .. })
        };
        if let Some(Err(error)) = &item
            && !(self.options.skip_bad_lines && is_one_line(error))
        {
            self.shards.clear();
            self.current = None;
        }
        item
    }
}

/// Which words were read as missing, where nobody chose them.
fn note_of_nulls(nulls: &NullCounts) -> Option<String> {
    const SHOWN: usize = 6;
    let mut nulls: Vec<_> = nulls.iter().collect();
    nulls.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = nulls.iter().take(SHOWN);
    let shown = shown.map(|((column, word), count)| {
        let s = if **count == 1 { "" } else { "s" };
        format!("{word:?} in {column:?} ({count} cell{s})")
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match nulls.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!nulls.is_empty()).then(|| format!("read as missing: {shown}{more}"))
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
