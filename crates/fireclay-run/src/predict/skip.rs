//! Rows that cannot be answered for, where the others are answered for all the same.

use fireclay_data::DataError;
use fireclay_data::arrow::array::{BooleanArray, RecordBatch};

/// Rows that a report names.
const SHOWN: usize = 20;

/// The rows that were left out, and why.
#[derive(Default)]
pub(super) struct Skipped {
    count: u64,
    shown: Vec<String>,
}

impl Skipped {
    /// Leaves a row out.
    pub(super) fn add(&mut self, reason: String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(reason);
        }
    }

    /// How many there are, then a line for each, up to a limit.
    pub(super) fn notes(self) -> Vec<String> {
        if self.count == 0 {
            return Vec::new();
        }
        let rows = if self.count == 1 {
            "row has"
        } else {
            "rows have"
        };
        let mut notes = vec![format!("{} {rows} no answer:", self.count)];
        notes.extend(
            self.shown
                .into_iter()
                .map(|reason| format!("skipped: {reason}")),
        );
        if self.count > SHOWN as u64 {
            notes.push(format!("skipped: {} more", self.count - SHOWN as u64));
        }
        notes
    }
}

/// Whether an error is about one line of a file, so that the next ones can be read.
pub(super) fn is_one_line(error: &DataError) -> bool {
    matches!(
        error,
        DataError::Ragged { .. } | DataError::Utf8 { .. } | DataError::Json { .. }
    )
}

/// The rows of a batch that `fits` refuses, ascending, with the reasons. Halves are tried until single
/// rows are left, so few bad rows cost little.
///
/// # Errors
///
/// What is wrong with all rows alike, such as a missing column.
pub(super) fn refused(
    batch: &RecordBatch,
    fits: &dyn Fn(&RecordBatch) -> Result<(), DataError>,
) -> Result<Vec<(usize, DataError)>, DataError> {
    let mut found = Vec::new();
    search(batch, 0, fits, &mut found)?;
    Ok(found)
}

fn search(
    batch: &RecordBatch,
    start: usize,
    fits: &dyn Fn(&RecordBatch) -> Result<(), DataError>,
    found: &mut Vec<(usize, DataError)>,
) -> Result<(), DataError> {
    let error = match fits(batch) {
        Ok(()) => return Ok(()),
        Err(error @ DataError::BadValue { .. }) => error,
        Err(error) => return Err(error),
    };
    match batch.num_rows() {
        0 | 1 => found.push((start, error.map_row(|row| row + start))),
        rows => {
            let half = rows / 2;
            search(&batch.slice(0, half), start, fits, found)?;
            search(&batch.slice(half, rows - half), start + half, fits, found)?;
        }
    }
    Ok(())
}

/// Which of `rows` rows are not among the refused ones.
pub(super) fn others(rows: usize, refused: &[(usize, DataError)]) -> BooleanArray {
    let mut kept = vec![true; rows];
    refused.iter().for_each(|(row, _)| kept[*row] = false);
    BooleanArray::from(kept)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{ArrayRef, AsArray, Int64Array};
    use fireclay_data::arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn every_bad_row_is_found_with_its_number() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let batch = RecordBatch::try_from_iter([("x", numbers)]).unwrap();
        let bad = [0, 41, 42, 99];
        let fits = |rows: &RecordBatch| {
            let numbers = rows.column(0).as_primitive::<Int64Type>();
            match numbers.values().iter().position(|x| bad.contains(x)) {
                None => Ok(()),
                Some(row) => Err(DataError::BadValue {
                    column: "x".into(),
                    row,
                    value: String::new(),
                    problem: String::new(),
                    file: None,
                }),
            }
        };
        let found = refused(&batch, &fits).unwrap();
        let rows: Vec<i64> = found.iter().map(|(row, _)| *row as i64).collect();
        assert_eq!(rows, bad);
        for (row, error) in &found {
            let DataError::BadValue { row: named, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(row, named);
        }
        assert_eq!(others(100, &found).true_count(), 96);
        let all = |_: &RecordBatch| Err(DataError::Unusable("no".into()));
        assert!(refused(&batch, &all).is_err());
    }

    #[test]
    fn a_report_names_the_first_rows_and_counts_the_others() {
        let mut skipped = Skipped::default();
        (0..25).for_each(|row| skipped.add(format!("row {row}")));
        let notes = skipped.notes();
        assert_eq!(
            (notes.len(), notes[0].as_str()),
            (22, "25 rows have no answer:")
        );
        assert_eq!(notes[21], "skipped: 5 more");
        assert!(Skipped::default().notes().is_empty());
    }
}
