//! One of several folds as the test split.

use super::{Rows, SplitConfig, assign};
use crate::error::DataError;

/// The split of each of `main` where fold `fold` of `folds`, from 1, is the test. The folds are taken off one
/// after the other, each by the rules as a share of what is left: so they share no row, have every row, keep
/// groups whole and classes in proportion where the rules say so, and are the same whichever is the test.
/// The other rows train and validate in the proportion of the rules.
///
/// # Errors
///
/// As for splits without folds, and if a fold has no row.
pub(super) fn by_fold(
    rows: &Rows<'_>,
    rules: &SplitConfig,
    seed: u64,
    main: &[usize],
    (folds, fold): (usize, usize),
) -> Result<Vec<usize>, DataError> {
    let draw = |positions: &[usize], seed: u64, fractions: [f64; 3]| {
        let drawn: Vec<usize> = positions.iter().map(|position| main[*position]).collect();
        assign(rows, rules, seed, &drawn, fractions)
    };
    let tested = tested(&draw, main.len(), seed, (folds, fold))?;
    let others = (0..main.len()).filter(|at| tested.binary_search(at).is_err());
    let others: Vec<usize> = others.collect();
    let kept = rules.train + rules.valid;
    let assigned = draw(&others, seed, [rules.train / kept, rules.valid / kept, 0.0])?;
    let mut split_of = vec![2; main.len()];
    for (position, split) in others.into_iter().zip(assigned) {
        split_of[position] = split;
    }
    Ok(split_of)
}

/// The ascending positions that are the test where all folds are taken off so many rows. `draw` gives the
/// splits of some positions by a seed and the fractions of each split.
fn tested(
    draw: &impl Fn(&[usize], u64, [f64; 3]) -> Result<Vec<usize>, DataError>,
    rows: usize,
    seed: u64,
    (folds, fold): (usize, usize),
) -> Result<Vec<usize>, DataError> {
    let mut left: Vec<usize> = (0..rows).collect();
    let mut tested = Vec::new();
    for number in 1..=folds {
        let taken = match number == folds {
            true => left.clone(),
            false => {
                let share = 1.0 / (folds + 1 - number) as f64;
                // Each fold is drawn anew.
                let seed = seed.wrapping_add((number as u64) << 32);
                let assigned = draw(&left, seed, [1.0 - share, 0.0, share])?;
                let pairs = left.iter().copied().zip(assigned);
                pairs
                    .filter_map(|(at, split)| (split == 2).then_some(at))
                    .collect()
            }
        };
        if taken.is_empty() {
            let message = format!(
                "fold {number} of {folds} has no row: too few rows or groups for so many folds"
            );
            return Err(DataError::Split(message));
        }
        left.retain(|position| taken.binary_search(position).is_err());
        if number == fold {
            tested = taken;
        }
    }
    Ok(tested)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};

    use super::*;
    use crate::split::{Splits, split};
    use crate::testing::with;

    fn table(rows: usize) -> RecordBatch {
        let column = |of: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((0..rows).map(of)))
        };
        RecordBatch::try_from_iter([
            (
                "y",
                column(&|row| if row % 5 == 0 { "rare" } else { "usual" }.into()),
            ),
            ("g", column(&|row| (row / 3).to_string())),
        ])
        .unwrap()
    }

    fn fold(columns: &RecordBatch, rules: &SplitConfig, fold: usize) -> Splits {
        let rows = Rows {
            columns,
            valid: None,
            test: None,
            id: None,
            classes: Some("y"),
            needed: &[],
            date_order: None,
        };
        let rules = with(rules.clone(), |rules| rules.fold = Some(fold));
        split(&rows, &rules, 7).unwrap()
    }

    #[test]
    fn every_row_is_tested_once_and_no_split_shares_one() {
        let plain = with(SplitConfig::default(), |rules| rules.folds = Some(4));
        let stratified = with(plain.clone(), |rules| rules.stratify = true);
        let grouped = with(plain.clone(), |rules| rules.group = Some("g".into()));
        let both = with(grouped.clone(), |rules| rules.stratify = true);
        let stable = with(plain.clone(), |rules| rules.stable = true);
        let columns = table(90);
        for rules in [plain, stratified, grouped, both, stable] {
            let mut tested = vec![0; 90];
            for number in 1..=4 {
                let splits = fold(&columns, &rules, number);
                splits.check(90).unwrap();
                let sizes = splits.named().map(|(_, rows)| rows.len());
                assert_eq!(sizes.iter().sum::<usize>(), 90);
                splits.test.iter().for_each(|row| tested[*row] += 1);
                if !rules.stable {
                    assert!((20..=25).contains(&sizes[2]), "{sizes:?}");
                    assert!((9..=15).contains(&sizes[1]), "{sizes:?}");
                }
                if rules.group.is_some() {
                    let whole = |rows: &[usize]| {
                        rows.iter().all(|row| {
                            (row / 3 * 3..row / 3 * 3 + 3).all(|other| rows.contains(&other))
                        })
                    };
                    assert!(whole(&splits.test) && whole(&splits.valid));
                }
                if rules.stratify && rules.group.is_none() {
                    let rare = splits.test.iter().filter(|row| *row % 5 == 0).count();
                    assert!((4..=5).contains(&rare), "{rare}");
                }
            }
            assert!(tested.iter().all(|count| *count == 1), "{tested:?}");
        }
    }
}
