//! Columns and rows that probably should not be there.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, Float64Array, StringArray};

use super::leaks::{Goal, MOST_ROWS};
use super::{DataReport, sums};
use crate::column::{is_flat, is_numeric, numbers, text};
use crate::error::{DataError, list};
use crate::labels::TargetKind;
use crate::note::Note;
use crate::table::reading::is_missing;
use crate::table::schema::Roles;
use crate::table::{Role, Table, TableConfig, Vocabulary};

/// What a model should probably not be given, and labels that are probably the same.
pub(in crate::table) fn suspects(
    table: &Table,
    train_rows: &[usize],
    config: &TableConfig,
    target: TargetKind,
) -> Result<Vec<Note>, DataError> {
    // Some rows of a large table say as much as all.
    let step = train_rows.len().div_ceil(MOST_ROWS).max(1);
    let rows: Vec<usize> = train_rows.iter().copied().step_by(step).collect();
    // Of several targets none is compared: a leak tells one alone.
    let taken = table.take_column(&config.target_columns()[0], &rows)?;
    let truth = taken.column(0);
    let goal = Goal::of(truth, target);
    let mut notes = Vec::from_iter(sums::note(table));
    let roles = Roles::of(config);
    let names = table.columns().into_iter();
    for name in names.filter(|name| roles.role(name) == Role::Feature) {
        let taken = table.take_column(&name, &rows)?;
        let some = taken.column(0);
        let message = match suspicion(&name, table.column(&name)?, some) {
            _ if !is_flat(some) => None,
            Some(message) => Some(message.to_owned()),
            None if is_leak(some, truth, target) => Some("tells the target by itself, so it may be known only afterwards; add it to ignore if it is not known when predicting".into()),
            None => goal.as_ref().and_then(|goal| goal.told_by(some)).map(|told| format!("{told}; add it to ignore if it is known only after the target")),
        };
        notes.extend(message.map(|message| Note::about(&name, message)));
    }
    if target == TargetKind::Class {
        let cells = text(&config.target, truth)?;
        let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
        let messages = of_labels(classes.names()).into_iter();
        notes.extend(messages.map(|message| Note::about(&config.target, message)));
    }
    Ok(notes)
}

/// Why a column looks as if it numbered the rows; `some` are some of its cells.
fn suspicion(name: &str, all: &ArrayRef, some: &ArrayRef) -> Option<&'static str> {
    if is_pandas_index(name) && is_whole(some) {
        return Some(
            "numbers the rows, as pandas writes it: it tells how the table was sorted, not what is in a row; add it to ignore",
        );
    }
    let is_named = is_numeric(some) && is_whole(some) && is_identifier(all);
    is_named.then_some("is a different whole number in every row, like an identifier; name it as id or add it to ignore unless its size means something")
}

/// Whether pandas calls its row numbers so where a table is saved with them.
pub(in crate::table) fn is_pandas_index(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let numbered = |before: &str, after: &str| {
        let number = lower
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        number.is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    // Saved twice, it is called "Unnamed: 0.1".
    lower == "unnamed: 0"
        || lower.starts_with("unnamed: 0.")
        || lower == "unnamed: 0_level_0"
        || numbered("__index_level_", "__")
        || numbered("level_", "")
}

/// Whether all numbers are whole.
pub(in crate::table) fn is_whole(array: &ArrayRef) -> bool {
    is_numeric(array)
        && numbers("", array)
            .is_ok_and(|values| values.iter().flatten().all(|value| value.fract() == 0.0))
}

/// What there is to say of labels: some may be the same, or none at all.
pub(in crate::table) fn of_labels(labels: &[String]) -> Vec<String> {
    let none: Vec<String> = labels
        .iter()
        .filter(|label| is_missing(label))
        .cloned()
        .collect();
    let none_at_all = (!none.is_empty()).then(|| {
        let names = list(&none, 5);
        format!("{names} is learned as a class, though it seems to mean that there is none; add it to extra_null_values if so")
    });
    similar(labels).into_iter().chain(none_at_all).collect()
}

/// What there is to say of labels that differ in nothing but case and blanks.
fn similar(labels: &[String]) -> Option<String> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for label in labels {
        let words: Vec<&str> = label.split_whitespace().collect();
        let same = words.join(" ").to_lowercase();
        groups.entry(same).or_default().push(label.clone());
    }
    let alike = groups.into_values().filter(|group| group.len() > 1);
    let alike: Vec<String> = alike.map(|group| list(&group, 5)).collect();
    (!alike.is_empty()).then(|| {
        let alike = alike.join("; ");
        format!("classes that differ only in case or blanks are learned as different ones: {alike}; correct them if they are the same")
    })
}

/// What is said of rows that repeat others.
pub(super) fn note_duplicates(report: &mut DataReport) {
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
