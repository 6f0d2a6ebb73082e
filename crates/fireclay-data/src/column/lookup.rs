//! Columns by their names.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch};

use crate::error::DataError;

/// The column of this name.
///
/// # Errors
/// [`DataError::MissingColumn`] with the names that there are.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, DataError> {
    batch
        .column_by_name(name)
        .ok_or_else(|| DataError::MissingColumn {
            column: name.to_owned(),
            known: batch
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
            file: None,
        })
}

/// The columns of a batch by their names, for looking up many: each by itself takes the time of all.
pub(crate) struct Columns<'a> {
    batch: &'a RecordBatch,
    positions: HashMap<&'a str, usize>,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Self {
        let fields = batch.schema_ref().fields().iter().enumerate();
        let positions = fields.map(|(position, field)| (field.name().as_str(), position));
        Self {
            batch,
            positions: positions.collect(),
        }
    }

    /// # Errors
    /// As [`column`].
    pub(crate) fn get(&self, name: &str) -> Result<&'a ArrayRef, DataError> {
        match self.positions.get(name) {
            Some(position) => Ok(self.batch.column(*position)),
            None => column(self.batch, name),
        }
    }
}
