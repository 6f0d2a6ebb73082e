//! What `check` says about a table before anything is trained on it.

mod duplicates;
mod leaks;
mod sums;
mod suspects;
mod target;

use std::collections::{BTreeMap, HashMap};

use arrow::array::ArrayRef;
use serde::Serialize;

pub use self::duplicates::Duplicates;
use self::duplicates::duplicates;
pub(super) use self::leaks::{Goal, thinned};
use self::suspects::note_duplicates;
pub(super) use self::suspects::{
    is_identifier, is_leak, is_pandas_index, is_whole, of_labels, suspects,
};
use self::target::check_target;
use super::carried::Carried;
use super::config::{ColumnKind, TableConfig};
use super::grouped;
use super::memory::Table;
use super::preprocess::Preprocess;
use super::schema::{Role, Roles, check_columns, infer_kind, missing, overridden};
use super::stream::BATCH_ROWS;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::Splits;

/// The state of a table and of its splits.
#[derive(Clone, Debug, Serialize)]
pub struct DataReport {
    /// All rows.
    pub rows: usize,
    /// The splits.
    pub splits: Vec<SplitReport>,
    /// The columns in the order of the file.
    pub columns: Vec<ColumnReport>,
    /// Rows that repeat an earlier row of their own split.
    pub duplicates_within: Duplicates,
    /// Rows that repeat a row of another split, so that what is tested was seen in training.
    pub duplicates_across: Duplicates,
    /// The numeric features and embedded columns that the model would get.
    pub features: usize,
    /// What is probably a mistake.
    pub warnings: Vec<Note>,
    /// What makes training impossible.
    pub errors: Vec<Note>,
}

/// One split.
#[derive(Clone, Debug, Serialize)]
pub struct SplitReport {
    /// train, valid or test.
    pub name: &'static str,
    /// Its rows.
    pub rows: usize,
    /// The rows of each class; empty for a numeric target.
    pub classes: BTreeMap<String, usize>,
}

/// One column.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// What it holds.
    pub kind: ColumnKind,
    /// Its missing cells.
    pub missing: usize,
    /// Why it is left out, or how it is read.
    pub note: Option<String>,
}

/// Looks for what would make training fail or its figures lie.
///
/// # Errors
/// [`DataError::MissingColumn`] if the configuration names a column that is not there; everything
/// else is in the report.
pub fn inspect(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
) -> Result<DataReport, DataError> {
    check_columns(table, config)?;
    let (within, across) = duplicates(table, splits, config)?;
    let mut report = DataReport {
        rows: table.rows(),
        splits: Vec::new(),
        columns: columns(table, config),
        duplicates_within: within,
        duplicates_across: across,
        features: 0,
        warnings: table.notes.iter().map(Note::general).collect(),
        errors: Vec::new(),
    };
    let sampled = table.sampled.iter();
    let of_files = sampled.filter_map(|sampled| sampled.note());
    report.warnings.extend(of_files);
    check_target(table, splits, config, target, &mut report)?;
    report.warnings.extend(table.readings.notes.iter().cloned());
    report
        .warnings
        .extend(grouped::notes(table, config, target)?);
    report
        .warnings
        .extend(suspects(table, &splits.train, config, target)?);
    note_duplicates(&mut report);
    if report.errors.is_empty() {
        check_encoding(table, splits, config, target, &mut report);
    }
    Ok(report)
}

fn columns(table: &Table, config: &TableConfig) -> Vec<ColumnReport> {
    let schema = table.batch().schema();
    let roles = Roles::of(config);
    let describe = |(field, array): (&arrow::datatypes::FieldRef, &ArrayRef)| ColumnReport {
        name: field.name().clone(),
        role: roles.role(field.name()),
        kind: overridden(config, field.name()).unwrap_or_else(|| infer_kind(array)),
        missing: missing(array),
        note: None,
    };
    let columns = schema.fields().iter().zip(table.batch().columns());
    columns.map(describe).collect()
}

/// Fits and encodes everything, as training would.
fn check_encoding(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) {
    match encode(table, splits, config, target) {
        Ok((preprocess, notes)) => {
            report.features = preprocess.feature_names().len();
            let mut first = HashMap::new();
            for note in &notes {
                first.entry(note.column.as_deref()).or_insert(&note.message);
            }
            for column in &mut report.columns {
                let note = first.get(&Some(column.name.as_str()));
                column.note = note.map(|message| (*message).clone());
            }
        }
        Err(error) => report.errors.push(Note::general(error.to_string())),
    }
}

fn encode(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
) -> Result<(Preprocess, Vec<Note>), DataError> {
    let (preprocess, notes) = Preprocess::fit(table, &splits.train, config, target)?;
    for (name, rows) in splits.named() {
        Carried::take(table, rows.to_vec(), &format!("the {name} split"), config)?;
        for piece in rows.chunks(BATCH_ROWS) {
            let encoded = preprocess.encode(&table.take(piece)?);
            encoded.map_err(|error| table.locate(error, |row| piece[row]))?;
        }
    }
    Ok((preprocess, notes))
}
