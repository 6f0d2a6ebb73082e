//! Columns and rows that probably should not be there.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray};

use super::DataReport;
use crate::column::{is_flat, is_numeric, numbers, text};
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::table::{Role, Table, TableConfig, grouped, role};

pub(super) fn check_features(
    table: &Table,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) -> Result<(), DataError> {
    // Of several targets none is compared: `is_leak` looks at one alone.
    let goal = table.column(&config.target_columns()[0])?;
    report
        .warnings
        .extend(grouped::notes(table, config, target)?);
    let names = table.columns();
    for name in names
        .iter()
        .filter(|name| role(config, name) == Role::Feature)
    {
        let array = table.column(name)?;
        if is_flat(array) && is_leak(array, goal, target) {
            report.warnings.push(Note::about(name, "tells the target by itself, so it may be known only afterwards; add it to ignore if it is not known when predicting"));
        }
        if is_numeric(array) && is_identifier(array) {
            report.warnings.push(Note::about(name, "is a different whole number in every row, like an identifier; name it as id or add it to ignore unless its size means something"));
        }
    }
    for (name, duplicates) in [
        ("within a split", &report.duplicates_within),
        ("in another split", &report.duplicates_across),
    ] {
        if let Some((row, first)) = duplicates.example {
            let count = duplicates.rows;
            let message = format!(
                "{count} rows occur again {name}, first row {row}, which equals row {first}"
            );
            report.warnings.push(Note::general(message));
        }
    }
    Ok(())
}

/// Whether one column determines the other: names one to one, or numbers on one line.
pub(in crate::table) fn is_leak(feature: &ArrayRef, target: &ArrayRef, kind: TargetKind) -> bool {
    match kind {
        TargetKind::Class => match (text("", feature), text("", target)) {
            (Ok(feature), Ok(target)) => is_one_to_one(&feature, &target),
            _ => false,
        },
        TargetKind::Number => match (numbers("", feature), numbers("", target)) {
            (Ok(feature), Ok(target)) => is_line(&feature, &target),
            _ => false,
        },
        TargetKind::Set => false,
    }
}

fn is_one_to_one(feature: &StringArray, target: &StringArray) -> bool {
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    let pairs = feature
        .iter()
        .zip(target)
        .filter_map(|(a, b)| Some((a?, b?)));
    let mut rows = 0;
    for (a, b) in pairs {
        rows += 1;
        if *there.entry(a).or_insert(b) != b || *back.entry(b).or_insert(a) != a {
            return false;
        }
    }
    // A handful of rows agree by chance.
    there.len() > 1 && rows >= 5 * there.len()
}

fn is_line(feature: &Float64Array, target: &Float64Array) -> bool {
    let pairs = || {
        feature
            .iter()
            .zip(target)
            .filter_map(|(a, b)| Some((a?, b?)))
    };
    let count = pairs().count() as f64;
    let (a_mean, b_mean) = pairs().fold((0.0, 0.0), |(a, b), pair| {
        (a + pair.0 / count, b + pair.1 / count)
    });
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        aa += (a - a_mean) * (a - a_mean);
        bb += (b - b_mean) * (b - b_mean);
        ab += (a - a_mean) * (b - b_mean);
    }
    count >= 10.0 && aa > 0.0 && bb > 0.0 && ab * ab / (aa * bb) > 1.0 - 1e-9
}

/// Whether a numeric column is a different whole number in every row, without gaps to speak of.
pub(in crate::table) fn is_identifier(array: &ArrayRef) -> bool {
    let Ok(values) = numbers("", array) else {
        return false;
    };
    if values.len() < 10
        || values.null_count() > 0
        || values.values().iter().any(|value| value.fract() != 0.0)
    {
        return false;
    }
    let mut sorted = values.values().to_vec();
    sorted.sort_by(f64::total_cmp);
    let spread = sorted[sorted.len() - 1] - sorted[0];
    sorted.windows(2).all(|pair| pair[0] != pair[1]) && spread < 2.0 * sorted.len() as f64
}
