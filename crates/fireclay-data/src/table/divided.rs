//! What there is to say of the columns by which rows are divided into splits.

use arrow::array::Array;

use super::config::TableConfig;
use super::memory::Table;
use super::schema::{given_order, missing};
use crate::column::date_order;
use crate::error::DataError;
use crate::note::Note;

/// Rows without a group, and dates that can be put in several orders.
pub(super) fn notes(table: &Table, config: &TableConfig) -> Result<Vec<Note>, DataError> {
    let mut notes = Vec::new();
    if let Some(name) = config.split.group.as_ref().filter(|_| !config.split.stable) {
        let (count, rows) = (missing(table.column(name)?), table.rows());
        let message = format!(
            "{count} of {rows} rows have no value in split.group, and each of them is a group of its own; fill them if they belong together"
        );
        notes.extend((count > 0).then(|| Note::about(name, message)));
    }
    if let Some(name) = &config.split.time {
        let array = table.column(name)?;
        let written = table.readings.raw(name).unwrap_or(array);
        if let (None, Some((order, true))) = (given_order(config, name), date_order(written))
            && written.len() > written.null_count()
        {
            let message = format!("the rows are ordered by it; {}", order.doubt(name));
            notes.push(Note::about(name, message));
        }
    }
    Ok(notes)
}
