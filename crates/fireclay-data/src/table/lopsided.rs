//! Classes that a split has too few rows of, or none.

use std::collections::BTreeMap;

use arrow::array::Array;

use super::config::TableConfig;
use super::memory::Table;
use super::vocabulary::Vocabulary;
use crate::column::text;
use crate::error::{DataError, list};
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::{SPLIT_NAMES, Splits};

/// The rows of each class in train, valid and test.
pub(super) type Counts = BTreeMap<String, [usize; 3]>;

/// Rows below which nothing can be said of a class.
const FEW: usize = 10;

/// Classes that a message names.
const SHOWN: usize = 10;

/// What there is to say of the classes of these splits, which the configuration made.
///
/// # Errors
/// [`DataError::Unusable`]: classes that are in no training row.
pub(crate) fn notes(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
) -> Result<Vec<Note>, DataError> {
    if target != TargetKind::Class {
        return Ok(Vec::new());
    }
    let counts = counts(table, splits, config)?;
    let about = |message| Note::about(&config.target, message);
    let error = errors(&counts, table, config).into_iter().next();
    // Of a file of its own the row can be named, which its encoding does.
    match error.filter(|_| own_file(&unseen(&counts), table).is_none()) {
        Some(error) => Err(DataError::Unusable(about(error).to_string())),
        None => Ok(held_out(&counts, config).into_iter().map(about).collect()),
    }
}

/// Counts the classes; spellings that training takes for one class are one here.
pub(super) fn counts(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
) -> Result<Counts, DataError> {
    let cells = text(&config.target, table.column(&config.target)?)?;
    let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
    let mut counts = vec![[0; 3]; classes.len()];
    for (split, (_, rows)) in splits.named().into_iter().enumerate() {
        let found = rows.iter().filter_map(|row| {
            cells
                .is_valid(*row)
                .then(|| classes.find(cells.value(*row)))?
        });
        found.for_each(|class| counts[class as usize][split] += 1);
    }
    Ok(classes.names().iter().cloned().zip(counts).collect())
}

/// Why these splits cannot be learned from: classes that are in no training row, or one alone that is.
pub(super) fn errors(counts: &Counts, table: &Table, config: &TableConfig) -> Vec<String> {
    let held = counts.iter().filter(|(_, count)| total(count) > 0);
    let held: Vec<_> = held.collect();
    if let [(only, _)] = held[..] {
        return vec![format!(
            "every row is {only:?}: with one class there is nothing to learn"
        )];
    }
    let trained = held.iter().filter(|(_, count)| count[0] > 0).count();
    let unseen = unseen(counts);
    if unseen.is_empty() {
        return Vec::new();
    }
    let named = named(unseen.iter().map(|(class, count)| (*class, total(count))));
    let what = match &unseen[..] {
        [_] => format!("class {named} is in no training row, so it cannot be learned"),
        more => format!(
            "{} classes are in no training row, so they cannot be learned: {named}",
            more.len()
        ),
    };
    let alone = match trained {
        1 => "only one class is in the training rows; ",
        _ => "",
    };
    vec![format!(
        "{alone}{what}; {}",
        remedy(&unseen, counts, table, config)
    )]
}

/// The classes that are in no training row, with their rows.
fn unseen(counts: &Counts) -> Vec<(&str, [usize; 3])> {
    let unseen = counts
        .iter()
        .filter(|(_, count)| count[0] == 0 && total(count) > 0);
    unseen
        .map(|(class, count)| (class.as_str(), *count))
        .collect()
}

/// What can be done about classes that are in no training row.
fn remedy(
    unseen: &[(&str, [usize; 3])],
    counts: &Counts,
    table: &Table,
    config: &TableConfig,
) -> String {
    if let Some(key) = own_file(unseen, table) {
        let alike = alike(unseen, counts);
        return format!("{alike}add such rows to path, or leave them out of {key}");
    }
    let rules = &config.split;
    let enough = |(_, count): &(&str, [usize; 3])| rules.train >= 0.5 || total(count) >= 3;
    match (&rules.column, &rules.time, &rules.group) {
        (Some(column), _, _) => format!("let column {column:?} give train some of their rows, or leave them out"),
        (_, Some(_), _) => "they are newer than all training rows: raise split.train, or leave them out".into(),
        _ if rules.stable => "set split.stable = false and split.stratify = true, or leave them out".into(),
        (_, _, Some(_)) if rules.stratify => "they are in too few groups to be split: leave them out, or lower split.valid and split.test".into(),
        _ if rules.stratify => "raise split.train, or leave them out".into(),
        _ if unseen.iter().all(enough) => "set split.stratify = true, or leave them out".into(),
        _ => "add rows, or leave them out".into(),
    }
}

/// The key of a file of its own that has such classes.
fn own_file(unseen: &[(&str, [usize; 3])], table: &Table) -> Option<&'static str> {
    let has = |split: usize| unseen.iter().any(|(_, count)| count[split] > 0);
    match (&table.valid, &table.test) {
        (Some(_), _) if has(1) => Some("valid_path"),
        (_, Some(_)) if has(2) => Some("test_path"),
        _ => None,
    }
}

/// The first of the classes that looks like one of the training rows.
fn alike(unseen: &[(&str, [usize; 3])], counts: &Counts) -> String {
    let trained = counts.iter().filter(|(_, count)| count[0] > 0);
    let trained: Vec<&String> = trained.map(|(class, _)| class).collect();
    let alike = unseen.iter().find_map(|(class, _)| {
        let mut same = trained
            .iter()
            .filter(|other| letters(other) == letters(class));
        let other = same.next()?;
        Some(format!(
            "{class:?} looks like {other:?} written otherwise: write both alike, or "
        ))
    });
    alike.unwrap_or_default()
}

/// What the figures of these splits cannot say.
pub(super) fn held_out(counts: &Counts, config: &TableConfig) -> Vec<String> {
    let trained = counts.values().filter(|count| count[0] > 0).count();
    let mut found = Vec::new();
    for split in 1..3 {
        let name = SPLIT_NAMES[split];
        let (has, lacks): (Vec<_>, Vec<_>) = counts
            .iter()
            .filter(|(_, count)| total(count) > 0)
            .partition(|(_, count)| count[split] > 0);
        if has.is_empty() || lacks.is_empty() || trained < 2 {
            continue;
        }
        let names: Vec<String> = lacks.iter().map(|(class, _)| (*class).clone()).collect();
        let what = match &has[..] {
            [(only, count)] => format!(
                "the {name} split has class {only:?} alone ({} rows): its figures do not tell a model that learned from one that always says {only:?}",
                count[split]
            ),
            _ => format!(
                "{} of {} classes have no row in the {name} split, so its figures say nothing of them: {}",
                lacks.len(),
                has.len() + lacks.len(),
                list(&names, SHOWN)
            ),
        };
        let small = lacks.iter().any(|(_, count)| total(count) < FEW);
        found.push(format!("{what}{}", more_of(config, small)));
    }
    found
}

/// How a split gets rows of all classes, where a key does it.
fn more_of(config: &TableConfig, is_rare: bool) -> &'static str {
    let rules = &config.split;
    let is_settled = [&rules.column, &rules.time]
        .into_iter()
        .any(Option::is_some);
    match (rules.stratify || rules.stable || is_settled, is_rare) {
        (false, false) => "; set split.stratify = true",
        (false, true) => "; set split.stratify = true, which helps where a class has enough rows",
        (true, _) => "",
    }
}

/// Classes of a few rows, in one line.
pub(super) fn small(counts: &Counts) -> Option<String> {
    let few = |count: &[usize; 3]| (1..FEW).contains(&total(count));
    let few: Vec<_> = counts.iter().filter(|(_, count)| few(count)).collect();
    match &few[..] {
        [] => None,
        [(class, count)] => Some(format!(
            "class {class:?} has only {} rows, too few to learn or to judge",
            total(count)
        )),
        several => Some(format!(
            "{} classes have fewer than {FEW} rows each, too few to learn or to judge: {}",
            several.len(),
            named(
                several
                    .iter()
                    .map(|(class, count)| (class.as_str(), total(count)))
            )
        )),
    }
}

fn total(count: &[usize; 3]) -> usize {
    count.iter().sum()
}

/// `"a" (3 rows), "b" (1 row) and 2 more`.
fn named<'a>(classes: impl ExactSizeIterator<Item = (&'a str, usize)>) -> String {
    let more = classes.len().saturating_sub(SHOWN);
    let shown = classes.take(SHOWN).map(|(class, rows)| {
        let s = if rows == 1 { "" } else { "s" };
        format!("{class:?} ({rows} row{s})")
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What is left of a class without marks, blanks and the case of its letters.
fn letters(class: &str) -> String {
    let letters = class.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
