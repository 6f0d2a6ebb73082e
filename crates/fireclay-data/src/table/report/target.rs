//! What is wrong with the column to predict.

use std::collections::BTreeMap;

use arrow::array::{Array, StringArray};

use super::{DataReport, SplitReport};
use crate::column::text;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::Splits;
use crate::table::{MissingTarget, Table, TableConfig, Vocabulary};

pub(super) fn check_target(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) -> Result<(), DataError> {
    let cells = text(&config.target, table.column(&config.target)?)?;
    // Counted as training tells classes apart.
    let labels = cells.iter().flatten();
    let known = (target == TargetKind::Class).then(|| Vocabulary::fit(labels, usize::MAX).0);
    for (name, rows) in splits.named() {
        let mut classes = BTreeMap::new();
        for &row in rows.iter().filter(|&&row| cells.is_valid(row)) {
            let class = known
                .as_ref()
                .and_then(|known| known.name_of(cells.value(row)));
            if let Some(class) = class {
                *classes.entry(class.to_owned()).or_default() += 1;
            }
        }
        report.splits.push(SplitReport {
            name,
            rows: rows.len(),
            classes,
        });
    }
    check_missing(&cells, config, report);
    if target == TargetKind::Class {
        let (warnings, errors) = check_classes(&report.splits);
        let about = |message| Note::about(&config.target, message);
        report.warnings.extend(warnings.into_iter().map(about));
        report.errors.extend(errors.into_iter().map(about));
    }
    Ok(())
}

fn check_missing(cells: &StringArray, config: &TableConfig, report: &mut DataReport) {
    let missing = cells.null_count();
    if config.missing_target == MissingTarget::Drop && missing > 0 {
        let message = format!("{missing} rows have no target and are left out");
        report.warnings.push(Note::about(&config.target, message));
    } else if let Some(first) = (0..cells.len()).find(|&row| cells.is_null(row)) {
        let message = format!(
            "the target is missing in {missing} rows, first in row {}; fill them, or set missing_target = \"drop\"",
            first + 1
        );
        report.errors.push(Note::about(&config.target, message));
    }
}

/// Warnings and errors.
fn check_classes(splits: &[SplitReport]) -> (Vec<String>, Vec<String>) {
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (class, rows) in splits.iter().flat_map(|split| &split.classes) {
        *totals.entry(class).or_default() += rows;
    }
    let train = &splits[0].classes;
    let (mut warnings, mut errors) = (Vec::new(), Vec::new());
    if let [(only, _)] = totals.iter().collect::<Vec<_>>()[..] {
        errors.push(format!(
            "every row is {only:?}: with one class there is nothing to learn"
        ));
    } else if train.len() == 1 {
        errors.push("only one class is in the training rows; set split.stratify = true".into());
    }
    for (class, rows) in &totals {
        if !train.contains_key(*class) {
            errors.push(format!("class {class:?} ({rows} rows) is in no training row, so it cannot be learned; set split.stratify = true or drop it"));
        } else if *rows < 10 {
            warnings.push(format!(
                "class {class:?} has only {rows} rows, too few to learn or to judge"
            ));
        }
    }
    let least = totals.values().min().copied().unwrap_or(0);
    let most = totals.values().max().copied().unwrap_or(0);
    if least > 0 && most >= 20 * least {
        warnings.push(format!("the classes are very unequal: the largest has {most} rows, the smallest {least}; consider task.class_weights = \"balanced\" and look at balanced accuracy"));
    }
    (warnings, errors)
}
