//! Targets that are a column of 0 and 1 for each label.

use arrow::array::{BooleanArray, RecordBatch};

use super::target::{Target, missing};
use crate::column::{Columns, booleans};
use crate::error::DataError;

/// A target of these columns; one of them at least applies to a training row.
pub(super) fn fit_flags(batch: &RecordBatch, columns: &[String]) -> Result<Target, DataError> {
    let sets = encode_flags(batch, columns)?;
    if sets.iter().all(Vec::is_empty) {
        let names = columns.join(", ");
        return Err(DataError::Unusable(format!(
            "the targets {names} are 0 in every training row: there is nothing to learn"
        )));
    }
    let columns = columns.to_vec();
    Ok(Target::Flags { columns })
}

/// For each row the positions of the columns that are 1, ascending.
pub(super) fn encode_flags(
    batch: &RecordBatch,
    columns: &[String],
) -> Result<Vec<Vec<u32>>, DataError> {
    let mut sets = vec![Vec::new(); batch.num_rows()];
    let by_name = Columns::new(batch);
    for (label, name) in (0..).zip(columns) {
        let flags: BooleanArray = booleans(name, by_name.get(name)?)?;
        for (row, flag) in flags.iter().enumerate() {
            if flag.ok_or_else(|| missing(name, row))? {
                sets[row].push(label);
            }
        }
    }
    Ok(sets)
}
