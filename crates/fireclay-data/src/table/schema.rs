//! What each column is for, and what it holds.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Float64Type;
use serde::Serialize;

use super::config::{ColumnKind, TableConfig};
use super::memory::Table;
use super::texts;
use crate::column::dates::DateOrder;
use crate::column::{are_codes, date_order, is_boolean, is_flat, is_numeric, text, words};
use crate::error::DataError;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The column to predict.
    Target,
    /// Names the row.
    Id,
    /// Says which rows stay together.
    Group,
    /// Says which split a row is in.
    Split,
    /// Says how much a row counts.
    Weight,
    /// The configuration leaves it out.
    Ignored,
    /// The model sees it.
    Feature,
}

/// The role that the configuration gives a column; of many columns `Roles` says it sooner.
pub fn role(config: &TableConfig, name: &str) -> Role {
    Roles::of(config).role(name)
}

/// The roles that a configuration gives columns, of which there may be as many as there are names in it.
pub(crate) struct Roles<'a> {
    config: &'a TableConfig,
    targets: HashSet<&'a str>,
    ignored: HashSet<&'a str>,
}

impl<'a> Roles<'a> {
    pub(crate) fn of(config: &'a TableConfig) -> Self {
        Self {
            config,
            targets: config.target_columns().iter().map(String::as_str).collect(),
            ignored: config.ignore.iter().map(String::as_str).collect(),
        }
    }

    pub(crate) fn role(&self, name: &str) -> Role {
        let config = self.config;
        let is = |column: &Option<String>| column.as_deref() == Some(name);
        let kind = || config.columns.get(name).and_then(|column| column.kind);
        if self.targets.contains(name) {
            Role::Target
        } else if is(&config.id) {
            Role::Id
        } else if is(&config.split.column) {
            Role::Split
        } else if is(&config.split.group) {
            Role::Group
        } else if is(&config.weight) {
            Role::Weight
        } else if self.ignored.contains(name) || kind() == Some(ColumnKind::Ignore) {
            Role::Ignored
        } else {
            Role::Feature
        }
    }
}

/// Checks that every column that the configuration names is there.
///
/// # Errors
/// [`DataError::MissingColumn`] for the first that is not.
pub fn check_columns(table: &Table, config: &TableConfig) -> Result<(), DataError> {
    let split = &config.split;
    let named = [
        config.id.as_ref(),
        config.weight.as_ref(),
        split.group.as_ref(),
        split.time.as_ref(),
        split.column.as_ref(),
    ];
    let targets = config.target_columns().iter();
    for name in targets
        .chain(named.into_iter().flatten())
        .chain(&config.text)
        .chain(&config.ignore)
        .chain(&config.extra_columns)
        .chain(config.columns.keys())
    {
        table.column(name)?;
    }
    Ok(())
}

/// What a column holds, from all its cells: as text where a single cell fits nothing else.
pub fn infer_kind(array: &ArrayRef) -> ColumnKind {
    if !is_flat(array) {
        ColumnKind::Ignore
    } else if is_boolean(array) && array.null_count() < array.len() {
        ColumnKind::Boolean
    } else if is_numeric(array) && !words(array).as_ref().is_some_and(are_codes) {
        ColumnKind::Numeric
    } else if date_order(array).is_some() {
        ColumnKind::Date
    } else {
        ColumnKind::Categorical
    }
}

/// The kind to use for a feature, and for dates the order of their parts.
pub(crate) fn feature_kind(
    array: &ArrayRef,
    config: &TableConfig,
    name: &str,
) -> Result<(ColumnKind, Option<DateOrder>), DataError> {
    let kind = overridden(config, name)
        .unwrap_or_else(|| implied(config, name).unwrap_or_else(|| infer_kind(array)));
    if kind != ColumnKind::Date {
        return Ok((kind, None));
    }
    // What is no text has no order of its parts.
    let given = given_order(config, name).filter(|_| words(array).is_some());
    match given.or(date_order(array).map(|(order, _)| order)) {
        Some(order) => Ok((kind, Some(order))),
        None => Err(DataError::Unusable(format!(
            "column {name:?} is to be read as dates, but no one form fits all its cells; \
             known are 2024-01-31, 1/31/2024, 31.1.2024, 31.01.24, 31 Jan 2024, each with or without a time such as 13:05:00"
        ))),
    }
}

/// Why a column of this kind can teach nothing, judged by the training rows; `None` if it may.
pub(crate) fn useless(
    name: &str,
    array: &ArrayRef,
    kind: ColumnKind,
) -> Result<Option<String>, DataError> {
    if kind == ColumnKind::Ignore {
        return Ok(Some(format!(
            "left out: values of type {} cannot be features",
            array.data_type()
        )));
    }
    let present = array.len() - missing(array);
    if present == 0 {
        return Ok(Some("left out: no training row has a value".into()));
    }
    if let Some(value) = constant(name, array)? {
        return Ok(Some(format!(
            "left out: every training row has the same value, {value:?}"
        )));
    }
    if kind != ColumnKind::Categorical {
        return Ok(None);
    }
    let cells = text(name, array)?;
    let distinct = cells.iter().flatten().collect::<HashSet<_>>().len();
    let is_identifier =
        present >= 10 && distinct == present || distinct > 20 && 2 * distinct > present;
    let words = texts::mean_words(name, array).unwrap_or_default();
    Ok(is_identifier.then(|| match texts::is_text(words) {
        true => format!("left out: {}", texts::advice(name, words)),
        false => format!("left out: {distinct} different texts in {present} rows, so it names rows rather than groups them (set columns.{name:?}.kind = \"categorical\" to use it, or data.text = [{name:?}] to learn from its words)"),
    }))
}

/// The number of missing cells; not-a-number is missing, too.
pub(crate) fn missing(array: &ArrayRef) -> usize {
    let nans = array.as_primitive_opt::<Float64Type>().map_or(0, |values| {
        values
            .iter()
            .flatten()
            .filter(|value| value.is_nan())
            .count()
    });
    array.null_count() + nans
}

/// The value that all cells have, if none is missing.
pub(crate) fn constant(name: &str, array: &ArrayRef) -> Result<Option<String>, DataError> {
    if array.null_count() > 0 || array.is_empty() {
        return Ok(None);
    }
    let first = array.slice(0, 1);
    // Comparing arrays of one cell is slow, but nearly every column differs in its first rows.
    let is_constant = (1..array.len()).all(|row| array.slice(row, 1).to_data() == first.to_data());
    Ok(if is_constant {
        text(name, &first)?
            .iter()
            .next()
            .flatten()
            .map(str::to_owned)
    } else {
        None
    })
}

pub(crate) fn overridden(config: &TableConfig, name: &str) -> Option<ColumnKind> {
    let kind = config.columns.get(name).and_then(|column| column.kind);
    let is_text = config.text.iter().any(|text| text == name);
    kind.or(is_text.then_some(ColumnKind::Text))
}

/// The order of the parts of dates that the configuration gives a column.
pub(crate) fn given_order(config: &TableConfig, name: &str) -> Option<DateOrder> {
    config.columns.get(name)?.date_order
}

/// A scaling is for numbers, an encoding for categories and an order for dates, even where the kind is not
/// given.
pub(crate) fn implied(config: &TableConfig, name: &str) -> Option<ColumnKind> {
    let column = config.columns.get(name)?;
    let numeric = column.scaling.map(|_| ColumnKind::Numeric);
    let date = column.date_order.map(|_| ColumnKind::Date);
    numeric
        .or(date)
        .or(column.encoding.map(|_| ColumnKind::Categorical))
}
