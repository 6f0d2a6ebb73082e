//! Rows that repeat others.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::row::{RowConverter, SortField};
use serde::Serialize;

use crate::column::is_flat;
use crate::error::DataError;
use crate::split::Splits;
use crate::table::schema::Roles;
use crate::table::stream::BATCH_ROWS;
use crate::table::{Role, Table, TableConfig};

/// Rows that occur more than once in target and features.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// How many rows repeat another.
    pub rows: usize,
    /// The first such row and the one it repeats, counted from 1.
    pub example: Option<(usize, usize)>,
}

impl Duplicates {
    fn add(&mut self, row: usize, first: usize) {
        self.rows += 1;
        self.example.get_or_insert((row + 1, first + 1));
    }
}

/// The rows that repeat one of their own split, and those that repeat one of a split before it.
pub(super) fn duplicates(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
) -> Result<(Duplicates, Duplicates), DataError> {
    let columns = compared(table, config)?;
    if columns.is_empty() {
        return Ok(Default::default());
    }
    let converter = converter(&columns)?;
    let candidates = candidates(&row_hashes(&converter, &columns, table.rows())?, splits);
    let indices = candidates.iter().map(|(_, row)| *row as u64);
    let indices = UInt64Array::from_iter_values(indices);
    let columns = columns.iter().map(|column| take(column, &indices, None));
    let rows = converter.convert_columns(&columns.collect::<Result<Vec<_>, _>>()?)?;
    let (mut within, mut across) = (Duplicates::default(), Duplicates::default());
    let mut seen: HashMap<_, [Option<usize>; 3]> = HashMap::new();
    for (cells, &(split, row)) in rows.iter().zip(&candidates) {
        let firsts = seen.entry(cells).or_default();
        let other = (0..split).find_map(|other| firsts[other]);
        match firsts[split] {
            Some(first) => within.add(row, first),
            None => firsts[split] = Some(row),
        }
        if let Some(first) = other {
            across.add(row, first);
        }
    }
    Ok((within, across))
}

/// The columns in which rows have to be the same.
fn compared(table: &Table, config: &TableConfig) -> Result<Vec<ArrayRef>, DataError> {
    let names = table.columns().into_iter();
    let roles = Roles::of(config);
    let names = names.filter(|name| matches!(roles.role(name), Role::Feature | Role::Target));
    let columns = names.map(|name| table.column(&name).cloned());
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(columns.into_iter().filter(is_flat).collect())
}

/// The rows that may have an equal, with their splits. Only these are held side by side, since the
/// table may be large.
fn candidates(hashes: &[u64], splits: &Splits) -> Vec<(usize, usize)> {
    let repeated = repeated(hashes.to_vec());
    let members = splits.named().into_iter().enumerate();
    members
        .flat_map(|(split, (_, members))| members.iter().map(move |&row| (split, row)))
        .filter(|(_, row)| repeated.contains(&hashes[*row]))
        .collect()
}

/// What makes of the cells of a row bytes that are the same for the same cells.
fn converter(columns: &[ArrayRef]) -> Result<RowConverter, DataError> {
    let field = |column: &ArrayRef| SortField::new(column.data_type().clone());
    Ok(RowConverter::new(columns.iter().map(field).collect())?)
}

/// A number for each row, the same for the same cells.
fn row_hashes(
    converter: &RowConverter,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Vec<u64>, DataError> {
    let hasher = RandomState::new();
    let mut hashes = Vec::with_capacity(rows);
    for start in (0..rows).step_by(BATCH_ROWS) {
        let count = BATCH_ROWS.min(rows - start);
        let part = columns.iter().map(|column| column.slice(start, count));
        let part = converter.convert_columns(&part.collect::<Vec<_>>())?;
        hashes.extend(part.iter().map(|row| hasher.hash_one(row)));
    }
    Ok(hashes)
}

/// The numbers that are there more than once.
fn repeated(mut hashes: Vec<u64>) -> HashSet<u64> {
    hashes.sort_unstable();
    let pairs = hashes.windows(2).filter(|pair| pair[0] == pair[1]);
    pairs.map(|pair| pair[0]).collect()
}
