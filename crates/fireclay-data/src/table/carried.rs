//! What is known of the rows of a split beside features and target.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use super::config::TableConfig;
use super::memory::Table;
use crate::column::{column, numbers, plain_text};
use crate::error::DataError;
use crate::labels::gather;

/// What is carried beside the samples of a split, in their order. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Where each row is in the table, from 0.
    pub rows: Arc<[usize]>,
    /// The id of each row, where the configuration names such a column.
    pub ids: Option<ArrayRef>,
    /// How much each row counts, 0 or more, where the configuration names such a column.
    pub weights: Option<Arc<[f32]>>,
    /// The extra columns that the configuration names, as they are in the table.
    pub extra: RecordBatch,
}

impl Carried {
    /// What the configuration names, for some rows; `of` is what messages call them.
    ///
    /// # Errors
    /// A column that is missing; a weight that is missing, negative or not finite, with its row; no
    /// weight above 0.
    pub(crate) fn take(
        table: &Table,
        rows: Vec<usize>,
        of: &str,
        config: &TableConfig,
    ) -> Result<Self, DataError> {
        let ids = config.id.as_ref().map(|id| table.take_column(id, &rows));
        let weight = config.weight.as_deref();
        let weights = weight.map(|weight| weights(table, weight, &rows, of));
        Ok(Self {
            ids: ids.transpose()?.map(|ids| plain_text(ids.column(0))),
            weights: weights.transpose()?,
            extra: columns(table, &config.extra_columns, &rows)?,
            rows: rows.into(),
        })
    }

    /// The same for rows of a table that is not the one of the configuration.
    ///
    /// # Errors
    /// As [`take`](Self::take); for a column that is missing, with the key that names it. Ids may be missing.
    pub(crate) fn take_other(
        table: &Table,
        rows: Vec<usize>,
        path: &str,
        config: &TableConfig,
    ) -> Result<Self, DataError> {
        let weight = config.weight.iter().map(|name| ("weight", name));
        let extra = config.extra_columns.iter();
        let extra = extra.map(|name| ("extra_columns", name));
        for (key, name) in weight.chain(extra) {
            let keyed = |error| DataError::Unusable(format!("data.{key}: {error}"));
            table.column(name).map_err(keyed)?;
        }
        // No result depends on the ids, so files without them can be evaluated too.
        let id = config.id.clone().filter(|id| table.column(id).is_ok());
        let config = &TableConfig {
            id,
            ..config.clone()
        };
        Self::take(table, rows, path, config)
    }

    /// What is carried beside rows that stay in files: where they are and what they weigh.
    ///
    /// # Errors
    /// No weight above 0.
    pub(super) fn of_files(
        rows: Vec<usize>,
        weights: Option<Vec<f32>>,
        config: &TableConfig,
    ) -> Result<Self, DataError> {
        if let (Some(weights), Some(name)) = (&weights, &config.weight) {
            check_weights(weights, name, "the train split")?;
        }
        Ok(Self {
            ids: None,
            weights: weights.map(Arc::from),
            extra: of_columns(Vec::new(), Vec::new(), rows.len())?,
            rows: rows.into(),
        })
    }

    /// Counts the rows from a later one on: there are others before those that were counted.
    pub(super) fn count_from(&mut self, before: usize) {
        self.rows = self.rows.iter().map(|row| row + before).collect();
    }

    /// The weights of the rows at these positions, in this order.
    pub fn weights_at(&self, positions: &[u32]) -> Option<Vec<f32>> {
        let weights = self.weights.as_ref()?;
        Some(gather(weights, 1, positions))
    }
}

/// Columns of some rows, in the given order.
fn columns(table: &Table, names: &[String], rows: &[usize]) -> Result<RecordBatch, DataError> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for name in names {
        let taken = table.take_raw(name, rows)?;
        let array = plain_text(taken.column(0));
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    of_columns(fields, arrays, rows.len())
}

fn of_columns(
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, DataError> {
    // Without a column nothing else would say how many rows there are.
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

fn weights(table: &Table, name: &str, rows: &[usize], of: &str) -> Result<Arc<[f32]>, DataError> {
    let taken = table.take_column(name, rows)?;
    let weights = read_weights(name, &taken);
    let weights = weights.map_err(|error| table.locate(error, |row| rows[row]))?;
    check_weights(&weights, name, of)?;
    Ok(weights)
}

fn check_weights(weights: &[f32], name: &str, of: &str) -> Result<(), DataError> {
    match !weights.is_empty() && weights.iter().all(|weight| *weight == 0.0) {
        true => Err(DataError::Unusable(format!(
            "every weight of {of} is 0 in column {name:?}"
        ))),
        false => Ok(()),
    }
}

pub(super) fn read_weights(name: &str, batch: &RecordBatch) -> Result<Arc<[f32]>, DataError> {
    let cells = numbers(name, column(batch, name)?)?;
    let read = |(row, cell): (usize, Option<f64>)| {
        let problem = match cell {
            Some(weight) if weight < 0.0 => "is negative: a weight is 0 or more",
            // What a number of 32 bits cannot hold would be infinite.
            Some(weight) if !(weight as f32).is_finite() => "is too large for a weight",
            Some(weight) => return Ok(weight as f32),
            None => "the weight is missing; drop the row or fill it",
        };
        let value = cell.map(|cell| cell.to_string()).unwrap_or_default();
        Err(DataError::bad_value(name, row, &value, problem))
    };
    cells.iter().enumerate().map(read).collect()
}
