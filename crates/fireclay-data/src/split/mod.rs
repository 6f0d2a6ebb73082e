//! Which rows train, validate and test.

mod config;
mod counts;
mod folds;
mod groups;
mod ways;

pub use self::config::SplitConfig;
pub(crate) use self::config::validate_fractions;

use std::ops::Range;

use arrow::array::{Array, RecordBatch, StringArray};

use self::counts::{apportion, fill_empty};
use self::folds::by_fold;
use self::groups::{by_group, by_group_and_class};
use self::ways::{by_class, by_column, by_hash, by_time, cells, deal};
use crate::column::Columns;
use crate::column::dates::DateOrder;
use crate::error::DataError;

/// Row numbers of a table, each in exactly one split, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splits {
    /// The rows to train on.
    pub train: Vec<usize>,
    /// The rows to validate on.
    pub valid: Vec<usize>,
    /// The rows to test on.
    pub test: Vec<usize>,
}

/// The names of the splits, in the order used throughout.
pub const SPLIT_NAMES: [&str; 3] = ["train", "valid", "test"];

/// What there is of each split, by its name.
pub(crate) fn named<T>([train, valid, test]: [T; 3]) -> [(&'static str, T); 3] {
    [("train", train), ("valid", valid), ("test", test)]
}

impl Splits {
    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &[usize]); 3] {
        named([&self.train, &self.valid, &self.test])
    }

    /// Refuses what is no assignment of some of `rows` rows to splits.
    ///
    /// # Errors
    /// [`DataError::Split`]: a row that is not there or is there twice, or no row to train on.
    pub(crate) fn check(&self, rows: usize) -> Result<(), DataError> {
        let mut taken = vec![false; rows];
        for (name, own) in self.named() {
            for &row in own {
                let problem = match taken.get_mut(row) {
                    None => format!("there are {rows} rows"),
                    Some(true) => "the row is there twice".into(),
                    Some(free) => {
                        *free = true;
                        continue;
                    }
                };
                let row = row + 1;
                let message = format!("the {name} split cannot have row {row}: {problem}");
                return Err(DataError::Split(message));
            }
        }
        match self.train.is_empty() {
            true => Err(DataError::Split("the train split is empty".into())),
            false => Ok(()),
        }
    }

    /// The same splits without the rows for which `keeps` is false.
    #[must_use]
    pub(crate) fn filtered(mut self, keeps: impl Fn(usize) -> bool) -> Self {
        for rows in [&mut self.train, &mut self.valid, &mut self.test] {
            rows.retain(|row| keeps(*row));
        }
        self
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

/// The rows to divide, and what is known of them.
pub(crate) struct Rows<'a> {
    /// The columns that rules may name.
    pub(crate) columns: &'a RecordBatch,
    /// The rows that are for validation only.
    pub(crate) valid: Option<Range<usize>>,
    /// The rows that are for the test only.
    pub(crate) test: Option<Range<usize>>,
    /// The column that names a row, by which stable splits go.
    pub(crate) id: Option<&'a str>,
    /// The column of classes, whose proportions are kept; none if the target is something else.
    pub(crate) classes: Option<&'a str>,
    /// How the dates are written by which rows are ordered, if somebody says it.
    pub(crate) date_order: Option<DateOrder>,
    /// The columns without whose values a row is left out.
    pub(crate) needed: &'a [String],
}

/// Divides rows by the rules; a pure function of its arguments.
///
/// # Errors
/// A column that is missing or holds what cannot be used; a split that should have rows and would
/// have none.
pub(crate) fn split(rows: &Rows<'_>, rules: &SplitConfig, seed: u64) -> Result<Splits, DataError> {
    let by_name = Columns::new(rows.columns);
    let needed = rows.needed.iter().map(|name| by_name.get(name));
    let needed = needed.collect::<Result<Vec<_>, _>>()?;
    let is_used = |row: &usize| needed.iter().all(|column| column.is_valid(*row));
    let seed = rules.seed.unwrap_or(seed);
    let held_out = [&rows.valid, &rows.test];
    let is_held_out = |row: &usize| {
        let mut ranges = held_out.iter().copied().flatten();
        ranges.any(|own| own.contains(row))
    };
    let main = (0..rows.columns.num_rows()).filter(|row| !is_held_out(row) && is_used(row));
    let main: Vec<usize> = main.collect();
    let separate = [false, rows.valid.is_some(), rows.test.is_some()];
    if rules.folds.is_some() && (rows.valid.is_some() || rows.test.is_some()) {
        let message = "folds need all rows in one place, but the data says itself which ones validate or test";
        return Err(DataError::Split(message.into()));
    }
    let assigned = match rules.chosen_fold() {
        Some(fold) => by_fold(rows, rules, seed, &main, fold)?,
        None => assign(rows, rules, seed, &main, own_fractions(rules, separate))?,
    };
    let assigned = main.into_iter().zip(assigned);
    let own = (1..).zip(held_out);
    let own =
        own.flat_map(|(split, range)| range.iter().cloned().flatten().map(move |row| (row, split)));
    let splits = Splits::from_assignment(assigned.chain(own.filter(|(row, _)| is_used(row))));
    check_filled(&splits, rules, separate)?;
    Ok(splits)
}

/// The fractions of the main file, after the splits that have files of their own.
fn own_fractions(rules: &SplitConfig, separate: [bool; 3]) -> [f64; 3] {
    let mut fractions = [rules.train, rules.valid, rules.test];
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
    rules: &SplitConfig,
    separate: [bool; 3],
) -> Result<(), DataError> {
    let wanted = [rules.train, rules.valid, rules.test];
    for (index, (name, rows)) in splits.named().into_iter().enumerate() {
        if !rows.is_empty() || !separate[index] && wanted[index] == 0.0 {
            continue;
        }
        let advice = match (&rules.column, rules.stable) {
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

/// The split (0, 1 or 2) of each of `main`.
fn assign(
    rows: &Rows<'_>,
    rules: &SplitConfig,
    seed: u64,
    main: &[usize],
    fractions: [f64; 3],
) -> Result<Vec<usize>, DataError> {
    let columns = rows.columns;
    if let Some(name) = &rules.column {
        return by_column(columns, name, main);
    }
    if let Some(name) = &rules.time {
        return by_time(columns, (name, rows.date_order), main, fractions);
    }
    if rules.stable {
        let name = rules.group.as_deref().or(rows.id);
        return by_hash(columns, name, seed, main, fractions);
    }
    let group = rules.group.as_ref().map(|name| cells(columns, name));
    match (group.transpose()?, strata(rows, rules)?) {
        (Some(groups), None) => Ok(by_group(&groups, seed, main, fractions)),
        (Some(groups), Some(classes)) => {
            Ok(by_group_and_class(&groups, &classes, seed, main, fractions))
        }
        (None, Some(classes)) => by_class(&classes, seed, main, fractions),
        (None, None) => {
            let mut counts = apportion(main.len(), fractions, &mut [0.0; 3]);
            fill_empty(&mut counts, fractions);
            let all = ((0..main.len()).collect(), counts);
            Ok(deal(main.len(), &[all], seed))
        }
    }
}

/// The class of each row, where the proportions of the classes are kept.
fn strata(rows: &Rows<'_>, rules: &SplitConfig) -> Result<Option<StringArray>, DataError> {
    match rows.classes {
        _ if !rules.stratify => Ok(None),
        Some(classes) => cells(rows.columns, classes).map(Some),
        None => {
            let message = "stratify needs a target of classes; take it out for regression";
            Err(DataError::Split(message.into()))
        }
    }
}
