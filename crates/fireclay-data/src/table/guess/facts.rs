//! What can be said about the columns of a table before its target is known.

use std::collections::HashSet;

use arrow::array::ArrayRef;

use crate::column::text;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::table::report::{is_identifier, is_pandas_index, is_whole};
use crate::table::schema::{missing, useless};
use crate::table::{ColumnKind, Table, infer_kind};

/// What can be said about a column without knowing the target.
pub(super) struct Facts<'a> {
    pub(super) name: String,
    pub(super) array: &'a ArrayRef,
    pub(super) kind: ColumnKind,
    pub(super) rows: usize,
    pub(super) missing: usize,
    pub(super) distinct: usize,
    pub(super) is_whole: bool,
    pub(super) is_id: bool,
    pub(super) is_index: bool,
    pub(super) useless: Option<String>,
}

/// What can be said about each column.
pub(super) fn facts(table: &Table) -> Result<Vec<Facts<'_>>, DataError> {
    table
        .columns()
        .into_iter()
        .enumerate()
        .map(|(position, name)| fact(table, position, name))
        .collect()
}

fn fact(table: &Table, position: usize, name: String) -> Result<Facts<'_>, DataError> {
    let array = table.column(&name)?;
    let kind = infer_kind(array);
    let missing = missing(array);
    let distinct = if kind == ColumnKind::Ignore {
        0
    } else {
        distinct(&name, array, kind)?
    };
    let is_whole = kind == ColumnKind::Numeric && is_whole(array);
    let is_distinct =
        missing == 0 && distinct == table.rows() && (is_whole || kind == ColumnKind::Categorical);
    let is_counter =
        is_distinct && is_whole && is_identifier(array) && (position == 0 || names_index(&name));
    let is_index = is_counter || is_whole && is_pandas_index(&name);
    Ok(Facts {
        kind,
        rows: table.rows(),
        missing,
        distinct,
        is_whole,
        is_id: is_distinct && names_id(&name) && !names_index(&name),
        is_index,
        useless: useless(&name, array, kind)?.map(|reason| table.readings.reason(&name, reason)),
        array,
        name,
    })
}

/// The number of different values; `1` and `1.0` are the same number.
fn distinct(name: &str, array: &ArrayRef, kind: ColumnKind) -> Result<usize, DataError> {
    let cells = text(name, array)?;
    // A real does not tell longer numbers apart.
    let is_short = |cell: &&str| kind == ColumnKind::Numeric && cell.len() <= 15;
    let number = |cell: &str| (cell.parse::<f64>().unwrap_or(f64::NAN) + 0.0).to_bits();
    let (short, long): (Vec<&str>, Vec<&str>) = cells.iter().flatten().partition(is_short);
    let numbers: HashSet<u64> = short.into_iter().map(number).collect();
    Ok(numbers.len() + long.into_iter().collect::<HashSet<_>>().len())
}

/// Whether a column is called as one that names rows.
pub(super) fn names_id(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = "id ids uuid guid key code no nr number rowid".split(' ');
    let is_word = words.any(|word| word == lower);
    let ends = ["_id", " id", "-id", ".id", "_no", "_key", "_uuid"]
        .iter()
        .any(|end| lower.ends_with(end));
    // PassengerId and CustomerID, but not paid or valid.
    is_word
        || ends
        || names_index(name)
        || name.len() > 2 && (name.ends_with("Id") || name.ends_with("ID"))
}

fn names_index(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut names = "index idx row rownames row_number rownum x1 #".split(' ');
    lower.starts_with("unnamed:") || names.any(|name| name == lower)
}

/// Words and truth values are classes, and so are few whole numbers.
pub(super) fn target_kind(target: &Facts<'_>) -> TargetKind {
    let present = target.rows - target.missing;
    let is_few = target.is_whole
        && target.distinct <= 20
        && (target.distinct <= 2 || 10 * target.distinct <= present);
    if target.kind != ColumnKind::Numeric || is_few {
        TargetKind::Class
    } else {
        TargetKind::Number
    }
}
