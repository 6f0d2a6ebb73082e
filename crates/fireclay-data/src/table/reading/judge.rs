//! What one column holds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};

use super::labels::labels;
use super::plural;
use super::style::{Locale, sample};
use super::tally::{Tally, is_missing, is_unknown};
use crate::column::dates::DateOrder;
use crate::column::numbers::Written;
use crate::column::reading::{Reading, label};
use crate::column::{are_codes, booleans, date_order, is_boolean, is_numeric, truth};
use crate::error::DataError;
use crate::table::ColumnKind;

/// How a column is read, and what there is to say of it.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) reading: Reading,
    pub(super) note: Option<String>,
}

/// A reading that may fit, and how well it does.
struct Candidate {
    kind: ColumnKind,
    reading: Reading,
    tally: Tally,
}

/// Judges a column of text; `wanted` is the kind that the configuration gives it.
///
/// # Errors
/// [`DataError::Unusable`] if too many cells are not of the kind that is wanted.
pub(super) fn judge(
    column: &Column<'_>,
    wanted: Option<ColumnKind>,
    locale: &Locale,
) -> Result<Judged, DataError> {
    match wanted {
        None if column.cells.null_count() == column.cells.len() => Ok(Judged::default()),
        None => Ok(guessed(column, locale)),
        Some(kind @ (ColumnKind::Numeric | ColumnKind::Boolean | ColumnKind::Date)) => {
            ordered(column, kind, locale)
        }
        Some(_) => Ok(Judged::default()),
    }
}

/// A column of text.
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    pub(super) cells: &'a StringArray,
    pub(super) is_target: bool,
}

impl Column<'_> {
    /// What overrides a reading.
    fn key(&self) -> String {
        let what = if self.is_target { "labels" } else { "texts" };
        let name = self.name;
        format!("columns.{name:?}.kind = \"categorical\" keeps the {what} as they are")
    }

    fn array(&self) -> ArrayRef {
        Arc::new(self.cells.clone())
    }
}

/// A column whose kind nobody gives.
fn guessed(column: &Column<'_>, locale: &Locale) -> Judged {
    let (cells, is_target, key) = (column.cells, column.is_target, column.key());
    let labels = if is_target { labels(cells) } else { None };
    if let Some(Judged { reading, note }) = labels {
        let note = note.map(|note| format!("{note}; {key}"));
        return Judged { reading, note };
    }
    if let Some(judged) = settled(column, locale) {
        return judged;
    }
    let truths = if is_target { None } else { truths(cells) };
    let candidates = [numbers(cells, locale), dates(cells), truths];
    let best = candidates
        .into_iter()
        .flatten()
        .max_by_key(|candidate| (candidate.tally.fitting, candidate.kind != ColumnKind::Date));
    let Some(best) = best else {
        return Judged::default();
    };
    let Candidate {
        kind,
        reading,
        tally,
    } = best;
    let what = match reading {
        Reading::Dates(order) => format!("dates written {}", order.words()),
        _ => plural(kind).to_owned(),
    };
    let shown = tally.shown();
    let (fitting, present) = (tally.fitting, tally.present);
    let is_missing = if is_target { is_missing } else { is_unknown };
    if is_agreed(kind, &tally, is_missing) {
        let note = format!(
            "{fitting} of {present} cells are {what}, the others are read as missing: {shown}; {key}"
        );
        let note = (tally.odd() > 0).then_some(note);
        let note = note.or_else(|| sign_note(cells, &reading).map(|note| format!("{note}; {key}")));
        return Judged { reading, note };
    }
    let note = tally.is_mixed().then(|| {
        let read = if is_target { "classes" } else { "categories" };
        format!("{fitting} of {present} cells are {what}, but too many are not to be errors, so the column is read as {read}: {shown}; correct them, or name those that mean \"missing\" in null_values")
    });
    Judged {
        reading: Reading::Plain,
        note,
    }
}

/// Signs that programs do not write.
fn sign_note(cells: &StringArray, reading: &Reading) -> Option<String> {
    let Reading::Numbers(style) = reading else {
        return None;
    };
    let is_signed = |cell: &&str| cell.parse::<f64>().is_err() && style.parse(cell).is_some();
    let cell = cells.iter().flatten().find(is_signed)?;
    let value = style.parse(cell).filter(|_| style.is_plain())?;
    Some(format!("numbers such as {cell:?} are read as {value}"))
}

/// A column that says itself what it holds, in every cell.
fn settled(column: &Column<'_>, locale: &Locale) -> Option<Judged> {
    let array = column.array();
    if !is_numeric(&array) {
        return (is_boolean(&array) || date_order(&array).is_some()).then(Judged::default);
    }
    if !are_codes(column.cells) {
        return Some(points(column.cells, locale));
    }
    let mut codes = column.cells.iter().flatten();
    let code = codes
        .find(|cell| cell.len() > 1 && cell.starts_with('0'))
        .unwrap_or_default();
    let name = column.name;
    let note = format!(
        "numbers that begin with 0, such as {code:?}, are codes and read as categories; columns.{name:?}.kind = \"numeric\" makes them numbers"
    );
    Some(Judged {
        reading: Reading::Plain,
        note: (!column.is_target).then_some(note),
    })
}

/// A column of numbers as programs write them, unless its points are of thousands.
fn points(cells: &StringArray, locale: &Locale) -> Judged {
    if !cells.iter().flatten().any(|cell| cell.contains('.')) {
        return Judged::default();
    }
    let Some(style) = locale.style_of_points(cells) else {
        return Judged::default();
    };
    let mut present = cells.iter().flatten();
    if present.all(|cell| style.parse(cell).is_some()) {
        return Judged {
            reading: Reading::Numbers(style),
            note: None,
        };
    }
    let words = style.words(true);
    let note = format!("the numbers have decimal points, not {words}, and are read so");
    Judged {
        reading: Reading::Plain,
        note: Some(note),
    }
}

/// Numbers in the style that fits most cells.
fn numbers(cells: &StringArray, locale: &Locale) -> Option<Candidate> {
    let is_number = |cell: &&str| Written::split(cell).is_some();
    if !is_worth_it(cells, is_number) {
        return None;
    }
    let style = locale.style(cells)?;
    let value = |cell: &str| {
        style
            .parse(cell)
            .map(|value| (value + 0.0).to_bits() as i64)
    };
    let tally = Tally::count(cells, value);
    // A unit beside a few different numbers makes names: "3 stars", "12 months".
    let is_name = |unit: &String| tally.distinct < 10 && unit.chars().all(char::is_alphabetic);
    if style.unit.as_ref().is_some_and(is_name) || codes(cells) {
        return None;
    }
    Some(Candidate {
        kind: ColumnKind::Numeric,
        reading: Reading::Numbers(style),
        tally,
    })
}

/// Whether the numbers among the cells are codes.
fn codes(cells: &StringArray) -> bool {
    let numbers = cells.iter().map(|cell| {
        let written = cell.and_then(Written::split)?;
        Some(written.digits).filter(|_| written.unit.is_empty())
    });
    are_codes(&numbers.collect())
}

/// Dates in the order that fits most cells.
fn dates(cells: &StringArray) -> Option<Candidate> {
    let any_order = |cell: &&str| {
        let mut orders = DateOrder::ALL.into_iter();
        orders.any(|order| order.parse(cell).is_some())
    };
    if !is_worth_it(cells, any_order) {
        return None;
    }
    let tallies =
        DateOrder::ALL.map(|order| (order, Tally::count(cells, |cell| order.parse(cell))));
    let most = tallies.iter().map(|(_, tally)| tally.fitting).max()?;
    let mut best: Vec<_> = tallies
        .into_iter()
        .filter(|(_, tally)| tally.fitting == most)
        .collect();
    // Points between the numbers are the custom where the day comes first.
    let has_points = cells
        .iter()
        .flatten()
        .any(|cell| cell.contains('.') && any_order(&cell));
    if has_points {
        best.reverse();
    }
    let (order, tally) = best.into_iter().next()?;
    Some(Candidate {
        kind: ColumnKind::Date,
        reading: Reading::Dates(order),
        tally,
    })
}

/// Words of yes and no, and beside them 1 and 0.
fn truths(cells: &StringArray) -> Option<Candidate> {
    let is_truth = |cell: &&str| truth(cell.trim()).is_some();
    is_worth_it(cells, is_truth).then(|| Candidate {
        kind: ColumnKind::Boolean,
        reading: Reading::Truths,
        tally: Tally::count(cells, |cell| label(cell).map(i64::from)),
    })
}

/// Whether half of some cells are such that the others are worth a look.
fn is_worth_it(cells: &StringArray, is_it: impl Fn(&&str) -> bool) -> bool {
    let count = sample(cells).count();
    count > 0 && 2 * sample(cells).filter(is_it).count() >= count
}

fn is_agreed(kind: ColumnKind, tally: &Tally, is_missing: fn(&str) -> bool) -> bool {
    if kind == ColumnKind::Boolean {
        // Beside two values a third may be meant, unless it is very rare or says that there is none.
        return tally.all_odd(is_missing) || tally.present >= 20 && tally.is_nearly_all(99);
    }
    tally.is_agreed(is_missing)
}

/// A column whose kind the configuration gives.
fn ordered(column: &Column<'_>, kind: ColumnKind, locale: &Locale) -> Result<Judged, DataError> {
    let (cells, array) = (column.cells, column.array());
    let found = match kind {
        ColumnKind::Date if date_order(&array).is_some() => None,
        ColumnKind::Boolean if booleans("", &array).is_ok() => None,
        ColumnKind::Numeric if is_numeric(&array) => return Ok(points(cells, locale)),
        ColumnKind::Date => dates(cells),
        ColumnKind::Boolean => Some(Candidate {
            kind,
            reading: Reading::Truths,
            tally: Tally::count(cells, |cell| label(cell).map(i64::from)),
        }),
        _ => locale.style(cells).map(|style| Candidate {
            kind,
            tally: Tally::count(cells, |cell| Some(style.parse(cell)?.to_bits() as i64)),
            reading: Reading::Numbers(style),
        }),
    };
    // Where no cell is of the kind, what uses the column says so.
    let Some(Candidate { reading, tally, .. }) = found else {
        return Ok(Judged::default());
    };
    let (name, what) = (column.name, plural(kind));
    let (odd, present, shown) = (tally.odd(), tally.present, tally.shown());
    if !is_agreed(kind, &tally, is_unknown) && !tally.is_nearly_all(95) {
        return Err(DataError::Unusable(format!(
            "column {name:?} is to be read as {what}, but {odd} of {present} cells are not: {shown}; correct them, name those that mean \"missing\" in null_values, or give the column another kind"
        )));
    }
    let note = format!("{odd} of {present} cells are no {what} and are read as missing: {shown}");
    let note = (odd > 0).then_some(note);
    Ok(Judged { reading, note })
}
