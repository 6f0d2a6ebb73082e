//! What one column holds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};

use super::candidates::{Candidate, best, dates, numbers_of, truths_of};
use super::labels::{labels, told};
use super::style::Locale;
use super::tally::{Tally, is_missing, is_unknown};
use super::varied::varied;
use super::{Mixed, plural};
use crate::column::dates::DateOrder;
use crate::column::reading::Reading;
use crate::column::{
    are_codes, are_dates, booleans, date_order, is_boolean, is_finite, is_numeric,
};
use crate::error::DataError;
use crate::table::{ColumnKind, OddCells, TableConfig};

/// Digits that a real holds in any case.
const EXACT_DIGITS: usize = 15;

/// How a column is read, and what there is to say of it.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) reading: Reading,
    pub(super) note: Option<String>,
    /// What the column would be, were it not for too many other cells.
    pub(super) mixed: Option<Mixed>,
    /// Whether its points may as well stand between thousands.
    pub(super) has_doubtful_points: bool,
}

impl Judged {
    fn of(reading: Reading, note: Option<String>) -> Self {
        Self {
            reading,
            note,
            ..Self::default()
        }
    }
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
    // Numbers by the grammar of the file are written as programs write them.
    let plain = Locale::plain();
    let locale = if column.has_numbers { &plain } else { locale };
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
    name: &'a str,
    pub(super) cells: &'a StringArray,
    has_numbers: bool,
    pub(super) is_target: bool,
    date_order: Option<DateOrder>,
    keeps_odd: bool,
}

impl<'a> Column<'a> {
    pub(super) fn new(
        name: &'a str,
        (cells, has_numbers): (&'a StringArray, bool),
        is_target: bool,
        config: &TableConfig,
    ) -> Self {
        let own = config.columns.get(name);
        Self {
            name,
            cells,
            has_numbers,
            is_target,
            date_order: own.and_then(|own| own.date_order),
            keeps_odd: own.and_then(|own| own.odd_cells) == Some(OddCells::Missing),
        }
    }

    /// What overrides a reading.
    fn key(&self) -> String {
        let what = if self.is_target { "labels" } else { "texts" };
        let name = self.name;
        format!("columns.{name:?}.kind = \"categorical\" keeps the {what} as they are")
    }

    fn array(&self) -> ArrayRef {
        Arc::new(self.cells.clone())
    }

    /// The orders that dates may have.
    fn orders(&self) -> &[DateOrder] {
        self.date_order
            .as_ref()
            .map_or(&DateOrder::ALL[..], std::slice::from_ref)
    }
}

/// A column whose kind nobody gives.
fn guessed(column: &Column<'_>, locale: &Locale) -> Judged {
    let (cells, is_target, key) = (column.cells, column.is_target, column.key());
    let labels = if is_target { labels(cells) } else { None };
    if let Some(Judged { reading, note, .. }) = labels {
        return Judged::of(reading, note.map(|note| format!("{note}; {key}")));
    }
    if let Some(judged) = settled(column, locale) {
        return judged;
    }
    let Some(best) = best((column.name, cells), locale, !is_target) else {
        return varied(column, locale);
    };
    let is_missing = if is_target { is_missing } else { is_unknown };
    match is_agreed(best.kind, &best.tally, is_missing) {
        true => agreed(best, cells, &key),
        false => mixed(best, column, locale),
    }
}

/// A column most cells of which are of one kind.
fn agreed(best: Candidate, cells: &StringArray, key: &str) -> Judged {
    let (reading, tally) = (best.reading, best.tally);
    let what = what(&reading, best.kind);
    let (fitting, present, shown) = (tally.fitting, tally.present, tally.shown());
    let odd = format!(
        "{fitting} of {present} cells are {what}, the others are read as missing: {shown}; {key}"
    );
    let odd = (tally.odd() > 0).then_some(odd);
    let sign = || sign_note(cells, &reading).map(|note| format!("{note}; {key}"));
    let said = [odd.or_else(sign), best.doubt];
    let said: Vec<String> = said.into_iter().flatten().collect();
    let note = (!said.is_empty()).then(|| said.join("; "));
    Judged::of(reading, note)
}

/// A column half of which or more is of one kind, and the rest too much to be mistakes.
fn mixed(best: Candidate, column: &Column<'_>, locale: &Locale) -> Judged {
    let (kind, tally, is_target) = (best.kind, best.tally, column.is_target);
    let is_misfit = !is_target && locale.misfit(column.cells).is_some();
    if !tally.is_mixed() || is_misfit {
        return varied(column, locale);
    }
    let (what, name) = (what(&best.reading, kind), column.name);
    let (fitting, present, shown) = (tally.fitting, tally.present, tally.shown());
    // Most of several words may be too many categories, so that the column is left out.
    let read = match is_target {
        true => "is read as classes".to_owned(),
        false => format!("is not read as {what}"),
    };
    let key = match is_target {
        true => "name those that mean \"missing\" in extra_null_values".to_owned(),
        false => format!(
            "columns.{name:?} = {{ kind = \"{}\", odd_cells = \"missing\" }} reads them as missing",
            word(kind)
        ),
    };
    let note = format!(
        "{fitting} of {present} cells are {what}, but too many are not to be mistakes, so the column {read}: {shown}; correct them, or {key}"
    );
    let mixed = Mixed {
        what: format!("{what} in {fitting} of {present} cells and others in the rest: {shown}"),
        key,
    };
    Judged {
        note: Some(note),
        mixed: Some(mixed),
        ..Judged::default()
    }
}

fn what(reading: &Reading, kind: ColumnKind) -> String {
    match reading {
        Reading::Dates(order) => format!("dates written {}", order.words()),
        Reading::Times => "times of day".to_owned(),
        _ => plural(kind).to_owned(),
    }
}

/// The word of a configuration for a kind that is found by its cells.
fn word(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Date => "date",
        ColumnKind::Boolean => "boolean",
        _ => "numeric",
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
        if is_boolean(&array) {
            let note = told(column.cells).map(|note| format!("{note}; {}", column.key()));
            return Some(Judged::of(Reading::Plain, note));
        }
        return date_order(&array).map(|_| Judged::default());
    }
    if !is_finite(&array) {
        return None;
    }
    if !are_codes(column.cells) {
        return Some(points(column, locale));
    }
    let mut codes = column.cells.iter().flatten();
    let code = codes
        .find(|cell| cell.len() > 1 && cell.starts_with('0'))
        .unwrap_or_default();
    let name = column.name;
    let note = format!(
        "numbers that begin with 0, such as {code:?}, are codes and read as categories; columns.{name:?}.kind = \"numeric\" makes them numbers"
    );
    let note = (!column.is_target).then_some(note);
    Some(Judged::of(Reading::Plain, note))
}

/// A column of numbers as programs write them, unless its points are of thousands.
fn points(column: &Column<'_>, locale: &Locale) -> Judged {
    let cells = column.cells;
    if !cells.iter().flatten().any(|cell| cell.contains('.')) {
        let is_short = |cell: &str| cell.len() <= EXACT_DIGITS;
        // Rows to come may have points between thousands.
        let style = locale.style_of_whole().filter(|_| !column.is_target);
        let style = style.filter(|_| cells.iter().flatten().all(is_short));
        return Judged::of(style.map_or(Reading::Plain, Reading::Numbers), None);
    }
    let Some(style) = locale.style_of_points(cells) else {
        return Judged {
            has_doubtful_points: locale.doubts_points(cells),
            ..Judged::default()
        };
    };
    let mut present = cells.iter().flatten();
    if present.all(|cell| style.parse(cell).is_some()) {
        return Judged::of(Reading::Numbers(style), None);
    }
    let words = style.words(true);
    let note = format!("the numbers have decimal points, not {words}, and are read so");
    Judged::of(Reading::Plain, Some(note))
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
    let mut orders = column.orders().iter();
    let found = match kind {
        ColumnKind::Date if orders.any(|order| are_dates(cells, *order)) => None,
        ColumnKind::Boolean if booleans("", &array).is_ok() => None,
        ColumnKind::Numeric if is_numeric(&array) && is_finite(&array) => {
            return Ok(points(column, locale));
        }
        ColumnKind::Date => dates(column.name, cells, column.orders()),
        ColumnKind::Boolean => Some(truths_of(cells)),
        _ => best((column.name, cells), locale, false)
            .filter(|best| best.kind == ColumnKind::Numeric)
            .or_else(|| numbers_of(cells, locale)),
    };
    // Where no cell is of the kind, what uses the column says so.
    let Some(Candidate {
        reading,
        tally,
        doubt,
        ..
    }) = found
    else {
        return Ok(Judged::default());
    };
    if !is_agreed(kind, &tally, is_unknown) && !tally.is_nearly_all(95) && !column.keeps_odd {
        return Err(refusal(column, kind, &tally));
    }
    let (odd, present, shown) = (tally.odd(), tally.present, tally.shown());
    let what = plural(kind);
    let note = format!("{odd} of {present} cells are no {what} and are read as missing: {shown}");
    let note = (odd > 0).then_some(note).or(doubt);
    Ok(Judged::of(reading, note))
}

fn refusal(column: &Column<'_>, kind: ColumnKind, tally: &Tally) -> DataError {
    let (name, what) = (column.name, plural(kind));
    let (odd, present, shown) = (tally.odd(), tally.present, tally.shown());
    DataError::Unusable(format!(
        "column {name:?} is to be read as {what}, but {odd} of {present} cells are not: {shown}; correct them, name those that mean \"missing\" in extra_null_values, read all of them as missing with columns.{name:?}.odd_cells = \"missing\", or give the column another kind"
    ))
}
