//! Which rows train, validate and test.

mod config;
mod counts;
mod ways;

pub use self::config::SplitConfig;
pub(crate) use self::config::validate_fractions;

use arrow::array::Array;

use self::counts::{apportion, fill_empty};
use self::ways::{by_class, by_column, by_group, by_hash, by_time, cells, deal};
use crate::config::{MissingTarget, TableConfig, TargetKind};
use crate::error::DataError;
use crate::table::Table;

/// Row numbers of a table, each in exactly one split, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// The rows to train on.
    pub train: Vec<usize>,
    /// The rows that steer the training.
    pub valid: Vec<usize>,
    /// The rows for the final figures.
    pub test: Vec<usize>,
}

/// The names of the splits, in the order used throughout.
pub const SPLIT_NAMES: [&str; 3] = ["train", "valid", "test"];

impl Splits {
    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &[usize]); 3] {
        [
            ("train", &self.train),
            ("valid", &self.valid),
            ("test", &self.test),
        ]
    }

    fn from_assignment(assignment: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut parts: [Vec<usize>; 3] = Default::default();
        for (row, split) in assignment {
            parts[split].push(row);
        }
        for part in &mut parts {
            part.sort_unstable();
        }
        let [train, valid, test] = parts;
        Self { train, valid, test }
    }
}

/// Splits the rows of a table as its configuration says; a pure function of its arguments.
///
/// # Errors
/// A column that is missing or holds what cannot be used; a split that should have rows and would
/// have none.
pub fn split(
    table: &Table,
    config: &TableConfig,
    seed: u64,
    target: TargetKind,
) -> Result<Splits, DataError> {
    let separate = [false, table.valid.is_some(), table.test.is_some()];
    let is_own = |row: &usize| {
        ![&table.valid, &table.test]
            .into_iter()
            .flatten()
            .any(|range| range.contains(row))
    };
    let has_target = has_target(table, config)?;
    let rows = (0..table.rows()).filter(is_own).filter(&has_target);
    let rows: Vec<usize> = rows.collect();
    let fractions = own_fractions(&config.split, separate);
    let own = assign(table, config, seed, target, &rows, fractions)?;
    let own = rows.into_iter().zip(own);
    let valid = table
        .valid
        .clone()
        .into_iter()
        .flatten()
        .filter(&has_target)
        .map(|row| (row, 1));
    let test = table.test.clone().into_iter().flatten();
    let test = test.filter(&has_target).map(|row| (row, 2));
    let splits = Splits::from_assignment(own.chain(valid).chain(test));
    check_filled(&splits, config, separate)?;
    Ok(splits)
}

/// Whether a row is to be used as far as its target goes.
fn has_target<'a>(
    table: &'a Table,
    config: &TableConfig,
) -> Result<impl Fn(&usize) -> bool + use<'a>, DataError> {
    let target = table.column(&config.target)?;
    let drops = config.missing_target == MissingTarget::Drop;
    Ok(move |row: &usize| !drops || target.is_valid(*row))
}

/// The fractions of the main file, after the splits that have files of their own.
fn own_fractions(config: &SplitConfig, separate: [bool; 3]) -> [f64; 3] {
    let mut fractions = [config.train, config.valid, config.test];
    for split in 0..3 {
        if separate[split] {
            fractions[split] = 0.0;
        }
    }
    let sum: f64 = fractions.iter().sum();
    fractions.map(|fraction| fraction / sum)
}

fn check_filled(
    splits: &Splits,
    config: &TableConfig,
    separate: [bool; 3],
) -> Result<(), DataError> {
    let wanted = [config.split.train, config.split.valid, config.split.test];
    for (index, (name, rows)) in splits.named().into_iter().enumerate() {
        if !rows.is_empty() || !separate[index] && wanted[index] == 0.0 {
            continue;
        }
        let advice = match (&config.split.column, config.split.stable) {
            // A column that names no such rows has decided that there are none.
            (Some(_), _) if index > 0 => continue,
            (Some(column), _) => format!("no row of column {column:?} says train"),
            (None, true) => "too few rows or groups for a stable split: add rows, choose another seed, or set stable = false".into(),
            (None, false) => "too few rows or groups: add some, or set the fraction to 0".into(),
        };
        return Err(DataError::Split(format!(
            "the {name} split is empty: {advice}"
        )));
    }
    Ok(())
}

/// The split (0, 1 or 2) of each of `rows`.
fn assign(
    table: &Table,
    config: &TableConfig,
    seed: u64,
    target: TargetKind,
    rows: &[usize],
    fractions: [f64; 3],
) -> Result<Vec<usize>, DataError> {
    let split = &config.split;
    if let Some(column) = &split.column {
        return by_column(table, column, rows);
    }
    if let Some(column) = &split.time {
        return by_time(table, column, rows, fractions);
    }
    if split.stable {
        return by_hash(table, config, seed, rows, fractions);
    }
    if let Some(column) = &split.group {
        return by_group(&cells(table, column)?, seed, rows, fractions);
    }
    if split.stratify && target == TargetKind::Class {
        return by_class(&cells(table, &config.target)?, seed, rows, fractions);
    }
    if split.stratify {
        return Err(DataError::Split(
            "stratify needs a target of classes; take it out for regression".into(),
        ));
    }
    let mut counts = apportion(rows.len(), fractions, &mut [0.0; 3]);
    fill_empty(&mut counts, fractions);
    Ok(deal(
        rows.len(),
        &[((0..rows.len()).collect(), counts)],
        seed,
    ))
}
