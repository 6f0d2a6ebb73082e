//! A last row that sums up the others.

use arrow::array::{Array, ArrayRef};

use crate::column::{is_numeric, numbers, words};
use crate::note::Note;
use crate::table::Table;
use crate::table::dialect::{LAST_ROWS, is_footer};

/// Rows below which a sum may be a coincidence.
const LEAST_ROWS: usize = 5;

/// That the last row is no sample, if it says so by a word or is the sum of the others.
pub(super) fn note(table: &Table) -> Option<Note> {
    let columns = table.columns();
    let mut written = columns.iter().filter_map(|name| {
        let raw = table.readings.raw(name);
        Some((name, raw.or(table.column(name).ok())?))
    });
    let by_word = written.clone().find_map(|(name, cells)| {
        let word = word(cells)?;
        Some(Note::about(name, format!("{word:?} stands in one of the last rows, which seem to sum up the others but are learned from; set footer = {word:?} in [data] to leave them out")))
    });
    by_word.or_else(|| {
        let (name, sum) = written.find_map(|(name, _)| {
            let sum = sum(table.column(name).ok()?)?;
            Some((name, sum))
        })?;
        let has_gap = columns.iter().any(|name| {
            let column = table.column(name).ok();
            column.is_some_and(|column| column.is_null(column.len() - 1))
        });
        has_gap.then(|| Note::about(name, format!("the last row holds the sum of the others, {sum}, and lacks other values: it seems to be no sample, but is learned from as one; take it out of the file")))
    })
}

/// The word for a sum in the last cells, which no other cell has; the first of several.
fn word(cells: &ArrayRef) -> Option<String> {
    let cells = words(cells)?;
    let start = cells.len().saturating_sub(LAST_ROWS);
    let is_sum = |cell: &&str| is_footer(cell);
    let last = cells.slice(start, cells.len() - start);
    let last: Vec<&str> = last.iter().flatten().filter(is_sum).collect();
    let all = cells.iter().flatten().filter(is_sum).count();
    let first = last.first().filter(|_| last.len() == all);
    first.map(|word| (*word).to_owned())
}

/// The last number, if it is the sum of the others.
fn sum(column: &ArrayRef) -> Option<f64> {
    let values = Some(column).filter(|column| is_numeric(column));
    let values = numbers("", values?).ok()?;
    let last = values
        .len()
        .checked_sub(1)
        .filter(|last| *last >= LEAST_ROWS)?;
    let total = values.is_valid(last).then(|| values.value(last))?;
    let others: f64 = values.slice(0, last).iter().flatten().sum();
    let is_sum = total != 0.0 && (total - others).abs() <= 1e-9 * total.abs();
    is_sum.then_some(total)
}
