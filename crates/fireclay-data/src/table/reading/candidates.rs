//! Readings that may fit a column, and how well they do.

use std::collections::HashSet;

use arrow::array::{Array, StringArray};

use super::style::{Locale, sample};
use super::tally::Tally;
use crate::column::dates::{DateOrder, seconds};
use crate::column::numbers::NumberStyle;
use crate::column::reading::{Reading, label};
use crate::column::written::Written;
use crate::column::{are_codes, truth};
use crate::table::ColumnKind;

/// A reading that may fit, and how well it does.
pub(super) struct Candidate {
    pub(super) kind: ColumnKind,
    pub(super) reading: Reading,
    pub(super) tally: Tally,
    /// What to say of a reading that another would equal.
    pub(super) doubt: Option<String>,
}

/// The reading that fits most cells, if any is worth a look.
pub(super) fn best(
    (name, cells): (&str, &StringArray),
    locale: &Locale,
    with_truths: bool,
) -> Option<Candidate> {
    let truths = if with_truths { truths(cells) } else { None };
    let candidates = [
        numbers(cells, locale),
        dates(name, cells, &DateOrder::ALL),
        times(cells),
        truths,
    ];
    candidates
        .into_iter()
        .flatten()
        .max_by_key(|candidate| (candidate.tally.fitting, candidate.kind != ColumnKind::Date))
}

/// What half of the cells or more are, each in a way of its own: their plural and how many.
pub(super) fn in_several_ways(cells: &StringArray) -> Option<(&'static str, usize)> {
    const VARIED: usize = 10;
    let is_number = |cell: &&str| {
        let bare = Written::split(cell).map(Written::bare);
        bare.is_some_and(|bare| NumberStyle::all().any(|style| style.value(&bare).is_some()))
    };
    let is_date = |cell: &&str| {
        DateOrder::ALL
            .iter()
            .any(|order| order.parse(cell).is_some())
    };
    let present = cells.len() - cells.null_count();
    let count = |is_it: &dyn Fn(&&str) -> bool| cells.iter().flatten().filter(is_it).count();
    let found = [("numbers", count(&is_number)), ("dates", count(&is_date))];
    let most = found.into_iter().max_by_key(|(_, count)| *count)?;
    let distinct: HashSet<&str> = cells.iter().flatten().collect();
    let is_several = 2 * most.1 >= present && distinct.len() >= VARIED;
    (is_several && !codes(cells)).then_some(most)
}

/// Numbers in the style that fits most cells.
fn numbers(cells: &StringArray, locale: &Locale) -> Option<Candidate> {
    let is_number = |cell: &&str| Written::split(cell).is_some();
    if !is_worth_it(cells, is_number) {
        return None;
    }
    let found = numbers_of(cells, locale)?;
    let Reading::Numbers(style) = &found.reading else {
        return None;
    };
    // A unit beside a few different numbers makes names: "3 stars", "12 months".
    let is_few = found.tally.distinct < 10;
    let is_name = |unit: &String| is_few && unit.chars().all(char::is_alphabetic);
    let is_named = style.unit.as_ref().is_some_and(is_name) || style.magnitudes && is_few;
    (!is_named && !codes(cells)).then_some(found)
}

/// The same whatever else the column may be.
pub(super) fn numbers_of(cells: &StringArray, locale: &Locale) -> Option<Candidate> {
    let style = locale.style(cells)?;
    let value = |cell: &str| Some((style.parse(cell)? + 0.0).to_bits() as i64);
    Some(Candidate {
        kind: ColumnKind::Numeric,
        tally: Tally::count(cells, value),
        reading: Reading::Numbers(style),
        doubt: None,
    })
}

/// Whether the numbers among the cells are codes.
fn codes(cells: &StringArray) -> bool {
    let numbers = cells.iter().map(|cell| {
        let written = cell.and_then(Written::split)?;
        let is_bare = written.unit.is_empty() && written.letter.is_empty();
        is_bare.then_some(written.digits)
    });
    are_codes(&numbers.collect())
}

/// Dates in the one of these orders that fits most cells.
pub(super) fn dates(name: &str, cells: &StringArray, orders: &[DateOrder]) -> Option<Candidate> {
    let any_order = |cell: &&str| orders.iter().any(|order| order.parse(cell).is_some());
    if !is_worth_it(cells, any_order) {
        return None;
    }
    let count = |order: &DateOrder| (*order, Tally::count(cells, |cell| order.parse(cell)));
    let tallies: Vec<_> = orders.iter().map(count).collect();
    let most = tallies.iter().map(|(_, tally)| tally.fitting).max()?;
    let fits_most = |(_, tally): &(DateOrder, Tally)| tally.fitting == most;
    let mut best: Vec<_> = tallies.into_iter().filter(fits_most).collect();
    // Points between the numbers are the custom where the day comes first.
    let mut present = cells.iter().flatten();
    if present.any(|cell| cell.contains('.') && any_order(&cell)) {
        best.reverse();
    }
    let is_doubtful = best.len() > 1;
    let (order, tally) = best.into_iter().next()?;
    Some(Candidate {
        kind: ColumnKind::Date,
        reading: Reading::Dates(order),
        tally,
        doubt: is_doubtful.then(|| order.doubt(name)),
    })
}

/// Times of day; a few different ones are names.
fn times(cells: &StringArray) -> Option<Candidate> {
    const SEVERAL: usize = 10;
    if !is_worth_it(cells, |cell| seconds(cell).is_some()) {
        return None;
    }
    let value = |cell: &str| Some((seconds(cell.trim())? * 1e6) as i64);
    let tally = Tally::count(cells, value);
    let first = cells
        .iter()
        .flatten()
        .find(|cell| seconds(cell).is_some())?;
    let doubt = format!("times such as {first:?} are read as seconds since midnight");
    (tally.distinct >= SEVERAL).then_some(Candidate {
        kind: ColumnKind::Numeric,
        reading: Reading::Times,
        tally,
        doubt: Some(doubt),
    })
}

/// Words of yes and no, and beside them 1 and 0.
fn truths(cells: &StringArray) -> Option<Candidate> {
    let is_truth = |cell: &&str| truth(cell.trim()).is_some();
    is_worth_it(cells, is_truth).then(|| truths_of(cells))
}

/// The same whatever else the column may be.
pub(super) fn truths_of(cells: &StringArray) -> Candidate {
    Candidate {
        kind: ColumnKind::Boolean,
        reading: Reading::Truths,
        tally: Tally::count(cells, |cell| label(cell).map(i64::from)),
        doubt: None,
    }
}

/// Whether half of some cells are such that the others are worth a look.
fn is_worth_it(cells: &StringArray, is_it: impl Fn(&&str) -> bool) -> bool {
    let count = sample(cells).count();
    count > 0 && 2 * sample(cells).filter(is_it).count() >= count
}
