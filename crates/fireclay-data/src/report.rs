//! What `check` says about a table before anything is trained on it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use arrow::array::{Array, ArrayRef, Float64Array, StringArray, UInt64Array};
use arrow::compute::take;
use arrow::row::{RowConverter, SortField};
use serde::Serialize;

use crate::column::{is_flat, is_numeric, numbers, text};
use crate::config::{ColumnKind, MissingTarget, TableConfig, TargetKind};
use crate::error::DataError;
use crate::preprocess::Preprocess;
use crate::read::BATCH_ROWS;
use crate::schema::{Note, Role, infer_kind, missing, overridden, role};
use crate::split::Splits;
use crate::table::Table;

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

/// Rows that occur more than once in target and features.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// How many rows repeat another.
    pub rows: usize,
    /// The first such row and the one it repeats, counted from 1.
    pub example: Option<(usize, usize)>,
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
    crate::schema::check_columns(table, config)?;
    let (within, across) = duplicates(table, splits, config)?;
    let mut report = DataReport {
        rows: table.rows(),
        splits: Vec::new(),
        columns: columns(table, config),
        duplicates_within: within,
        duplicates_across: across,
        features: 0,
        warnings: Vec::new(),
        errors: Vec::new(),
    };
    check_target(table, splits, config, target, &mut report)?;
    check_features(table, config, target, &mut report)?;
    if report.errors.is_empty() {
        check_encoding(table, splits, config, target, &mut report);
    }
    Ok(report)
}

fn columns(table: &Table, config: &TableConfig) -> Vec<ColumnReport> {
    let schema = table.batch().schema();
    let describe = |(field, array): (&arrow::datatypes::FieldRef, &ArrayRef)| ColumnReport {
        name: field.name().clone(),
        role: role(config, field.name()),
        kind: overridden(config, field.name()).unwrap_or_else(|| infer_kind(array)),
        missing: missing(array),
        note: None,
    };
    schema
        .fields()
        .iter()
        .zip(table.batch().columns())
        .map(describe)
        .collect()
}

fn duplicates(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
) -> Result<(Duplicates, Duplicates), DataError> {
    let counts = |name: &String| matches!(role(config, name), Role::Feature | Role::Target);
    let columns: Vec<ArrayRef> = table
        .columns()
        .iter()
        .filter(|name| counts(name))
        .map(|name| table.column(name).cloned())
        .collect::<Result<_, _>>()?;
    let columns: Vec<ArrayRef> = columns.into_iter().filter(is_flat).collect();
    if columns.is_empty() {
        return Ok(Default::default());
    }
    let converter = converter(&columns)?;
    // Of a large table only the rows that may have an equal are held side by side.
    let hashes = row_hashes(&converter, &columns, table.rows())?;
    let repeated = repeated(hashes.clone());
    let members = splits.named().into_iter().enumerate();
    let candidates: Vec<(usize, usize)> = members
        .flat_map(|(split, (_, members))| members.iter().map(move |&row| (split, row)))
        .filter(|(_, row)| repeated.contains(&hashes[*row]))
        .collect();
    let places = candidates.iter().map(|(_, row)| *row as u64);
    let places = UInt64Array::from_iter_values(places);
    let columns = columns.iter().map(|column| take(column, &places, None));
    let rows = converter.convert_columns(&columns.collect::<Result<Vec<_>, _>>()?)?;
    let (mut within, mut across) = (Duplicates::default(), Duplicates::default());
    let mut seen: HashMap<_, [Option<usize>; 3]> = HashMap::new();
    for (numbers, &(split, row)) in rows.iter().zip(&candidates) {
        let places = seen.entry(numbers).or_default();
        let other = (0..split).find_map(|other| places[other]);
        match places[split] {
            Some(first) => within.add(row, first),
            None => places[split] = Some(row),
        }
        if let Some(first) = other {
            across.add(row, first);
        }
    }
    Ok((within, across))
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

impl Duplicates {
    fn add(&mut self, row: usize, first: usize) {
        self.rows += 1;
        self.example.get_or_insert((row + 1, first + 1));
    }
}

fn check_target(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) -> Result<(), DataError> {
    let cells = text(&config.target, table.column(&config.target)?)?;
    for (name, rows) in splits.named() {
        let mut classes = BTreeMap::new();
        if target == TargetKind::Class {
            for &row in rows.iter().filter(|&&row| cells.is_valid(row)) {
                *classes.entry(cells.value(row).to_owned()).or_default() += 1;
            }
        }
        report.splits.push(SplitReport {
            name,
            rows: rows.len(),
            classes,
        });
    }
    let drops = config.missing_target == MissingTarget::Drop;
    if drops && cells.null_count() > 0 {
        let message = format!(
            "{} rows have no target and are left out",
            cells.null_count()
        );
        report.warnings.push(Note::about(&config.target, message));
    } else if let Some(first) = (0..cells.len()).find(|&row| cells.is_null(row)) {
        let message = format!(
            "the target is missing in {} rows, first in row {}; fill them, or set missing_target = \"drop\"",
            cells.null_count(),
            first + 1
        );
        report.errors.push(Note::about(&config.target, message));
    }
    if target == TargetKind::Class {
        check_classes(config, report);
    }
    Ok(())
}

fn check_classes(config: &TableConfig, report: &mut DataReport) {
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (class, rows) in report.splits.iter().flat_map(|split| &split.classes) {
        *totals.entry(class).or_default() += rows;
    }
    let train = &report.splits[0].classes;
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
    let (least, most) = (
        totals.values().min().copied().unwrap_or(0),
        totals.values().max().copied().unwrap_or(0),
    );
    if least > 0 && most >= 20 * least {
        warnings.push(format!("the classes are very unequal: the largest has {most} rows, the smallest {least}; consider task.class_weights = \"balanced\" and look at balanced accuracy"));
    }
    report.warnings.extend(
        warnings
            .into_iter()
            .map(|message| Note::about(&config.target, message)),
    );
    report.errors.extend(
        errors
            .into_iter()
            .map(|message| Note::about(&config.target, message)),
    );
}

fn check_features(
    table: &Table,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) -> Result<(), DataError> {
    let goal = table.column(&config.target)?;
    for name in table
        .columns()
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
            let message = format!(
                "{} rows occur again {name}, first row {row}, which equals row {first}",
                duplicates.rows
            );
            report.warnings.push(Note {
                column: None,
                message,
            });
        }
    }
    Ok(())
}

/// Whether one column determines the other: names one to one, or numbers on one line.
pub(crate) fn is_leak(feature: &ArrayRef, target: &ArrayRef, kind: TargetKind) -> bool {
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
pub(crate) fn is_identifier(array: &ArrayRef) -> bool {
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

/// Fits and encodes everything, as training would.
fn check_encoding(
    table: &Table,
    splits: &Splits,
    config: &TableConfig,
    target: TargetKind,
    report: &mut DataReport,
) {
    let encoded =
        Preprocess::fit(table, &splits.train, config, target).and_then(|(preprocess, notes)| {
            for (_, rows) in splits.named() {
                for piece in rows.chunks(BATCH_ROWS) {
                    let batch = table.take(piece)?;
                    preprocess
                        .encode(&batch)
                        .map_err(|error| table.locate(error, |row| piece[row]))?;
                }
            }
            Ok((preprocess, notes))
        });
    match encoded {
        Ok((preprocess, notes)) => {
            report.features = preprocess.feature_names().len();
            for column in &mut report.columns {
                column.note = notes
                    .iter()
                    .find(|note| note.column.as_ref() == Some(&column.name))
                    .map(|note| note.message.clone());
            }
        }
        Err(error) => report.errors.push(Note {
            column: None,
            message: error.to_string(),
        }),
    }
}
