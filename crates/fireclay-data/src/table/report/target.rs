//! What is wrong with the column to predict.

use std::collections::BTreeMap;

use super::{DataReport, SplitReport};
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::Splits;
use crate::table::lopsided::{self, Counts};
use crate::table::{MissingTarget, Table, TableConfig};

pub(super) fn check_target(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) -> Result<(), DataError> {
    let counts = match target {
        TargetKind::Class => lopsided::counts(table, splits, config)?,
        TargetKind::Number | TargetKind::Set => Counts::new(),
    };
    for (index, (name, rows)) in splits.named().into_iter().enumerate() {
        let classes = counts
            .iter()
            .map(|(class, count)| (class.clone(), count[index]));
        let classes: BTreeMap<_, _> = classes.filter(|(_, rows)| *rows > 0).collect();
        report.splits.push(SplitReport {
            name,
            rows: rows.len(),
            classes,
        });
    }
    check_missing(table, config, report)?;
    if target == TargetKind::Class {
        let about = |message| Note::about(&config.target, message);
        let errors = lopsided::errors(&counts, table, config);
        report.errors.extend(errors.into_iter().map(about));
        let warnings = lopsided::small(&counts).into_iter();
        let warnings = warnings.chain(lopsided::held_out(&counts, config));
        let warnings = warnings.chain(unequal(&counts));
        report.warnings.extend(warnings.map(about));
    }
    Ok(())
}

/// Rows without a target. Where labels are in one cell, an empty cell is a row without labels.
fn check_missing(
    table: &Table,
    config: &TableConfig,
    report: &mut DataReport,
) -> Result<(), DataError> {
    if let Some(note) = table.note_of_dropped(config)? {
        report.warnings.push(note);
        return Ok(());
    }
    let is_required =
        config.missing_target == MissingTarget::Error && config.label_separator.is_none();
    let has_target = table.has_target(config)?;
    let missing: Vec<usize> = (0..table.rows()).filter(|row| !has_target(*row)).collect();
    if let Some(first) = missing.first().filter(|_| is_required) {
        let (count, first) = (missing.len(), first + 1);
        let message = format!(
            "the target is missing in {count} rows, first in row {first}; fill them, or set missing_target = \"drop\""
        );
        let name = config.target_columns().join(", ");
        report.errors.push(Note::about(&name, message));
    }
    Ok(())
}

/// Classes of very different sizes.
fn unequal(counts: &Counts) -> Option<String> {
    let totals = counts.values().map(|count| count.iter().sum());
    let totals: Vec<usize> = totals.filter(|rows| *rows > 0).collect();
    let (least, most) = (totals.iter().min()?, totals.iter().max()?);
    let message = format!(
        "the classes are very unequal: the largest has {most} rows, the smallest {least}; consider task.class_weights = \"balanced\" and look at balanced accuracy"
    );
    (*most >= 20 * least).then_some(message)
}
