//! Whether the first record names the columns or is data.

use std::collections::HashSet;

use super::layout::Record;

/// What the first record of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Names of columns.
    Header,
    /// A row like the others.
    Data,
    /// It could be both.
    Unsure,
}

/// What speaks for one and the other.
#[derive(Default)]
struct Votes {
    header: usize,
    data: usize,
}

/// Compares the first record with those below it, column by column.
pub(super) fn judge(records: &[Record]) -> Verdict {
    let Some((first, rows)) = records.split_first() else {
        return Verdict::Unsure;
    };
    if rows.is_empty() {
        return Verdict::Unsure;
    }
    let are_names = are_positions(first) || are_years(first);
    let mut votes = Votes::default();
    for (column, cell) in first.fields.iter().enumerate() {
        let below = rows.iter().filter_map(|row| row.fields.get(column));
        let below: Vec<&str> = below
            .map(String::as_str)
            .filter(|cell| !is_missing(cell))
            .collect();
        let is_name = are_names && number(cell).is_some();
        if !is_name && !is_missing(cell) && !below.is_empty() {
            votes.count(cell, &below);
        }
    }
    match votes {
        Votes { data: 0, .. } if are_names => Verdict::Header,
        Votes { header: 0, data: 0 } => Verdict::Unsure,
        // One cell that is far from those below it does not make a header.
        Votes { header, data } if data > 2 * header => Verdict::Data,
        _ => Verdict::Header,
    }
}

impl Votes {
    fn count(&mut self, cell: &str, below: &[&str]) {
        let numbers: Vec<f64> = below.iter().filter_map(|cell| number(cell)).collect();
        // A column of numbers may have odd cells.
        let is_numeric = 10 * numbers.len() >= 9 * below.len();
        match number(cell) {
            Some(value) if is_numeric && is_near(value, &numbers) => self.data += 1,
            _ if is_numeric => self.header += 1,
            _ => self.count_text(cell, below),
        }
    }

    fn count_text(&mut self, cell: &str, below: &[&str]) {
        let distinct: HashSet<&str> = below.iter().copied().collect();
        if distinct.contains(cell) || has_shape_of_all(cell, &distinct) {
            self.data += 1;
        } else if 3 * distinct.len() <= below.len() {
            // It is none of a few values that recur.
            self.header += 1;
        }
    }
}

/// Whether the number lies among the others, or no further from them than they from each other.
fn is_near(value: f64, others: &[f64]) -> bool {
    let low = others.iter().copied().fold(f64::INFINITY, f64::min);
    let high = others.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(high.abs());
    (low - span..=high + span).contains(&value)
}

/// Whether dates, times or codes are written alike: `2024-01-31` as `2023-12-01`.
fn has_shape_of_all(cell: &str, others: &HashSet<&str>) -> bool {
    let wanted = shape(cell);
    wanted.contains('9') && wanted.len() > 1 && others.iter().all(|other| shape(other) == wanted)
}

/// Each run of digits as `9` and each run of letters as `a`.
fn shape(cell: &str) -> String {
    let mut shape = String::new();
    for c in cell.chars() {
        let kind = match c {
            c if c.is_ascii_digit() => '9',
            c if c.is_alphabetic() => 'a',
            c => c,
        };
        if !shape.ends_with(kind) || !matches!(kind, '9' | 'a') {
            shape.push(kind);
        }
    }
    shape
}

/// Whether the names are those that pandas gives: 0, 1, 2 and so on; or evenly spaced otherwise.
fn are_positions(first: &Record) -> bool {
    let numbers = numbers_of(first);
    let step = |pair: &[f64]| pair[1] - pair[0];
    let steps: Vec<f64> = numbers.windows(2).map(step).collect();
    let is_even = |first: f64| first != 0.0 && steps.iter().all(|step| (step - first).abs() < 1e-9);
    numbers.len() >= 3 && steps.first().is_some_and(|first| is_even(*first))
}

/// Whether all numbers are years in order, as in a table with a column for each.
fn are_years(first: &Record) -> bool {
    let numbers = numbers_of(first);
    let is_year = |value: &f64| value.fract() == 0.0 && (1500.0..2200.0).contains(value);
    let (up, down) = (
        numbers.is_sorted_by(|a, b| a < b),
        numbers.is_sorted_by(|a, b| a > b),
    );
    let is_pair = numbers.len() == 2 && (numbers[0] - numbers[1]).abs() == 1.0;
    (numbers.len() >= 3 || is_pair) && numbers.iter().all(is_year) && (up || down)
}

fn numbers_of(record: &Record) -> Vec<f64> {
    record
        .fields
        .iter()
        .filter_map(|cell| number(cell))
        .collect()
}

/// The number in a cell, with a point or a comma before its fraction.
pub(super) fn number(cell: &str) -> Option<f64> {
    // Rust reads words such as "inf" and "nan" as well.
    let is_written = cell.bytes().any(|byte| byte.is_ascii_digit());
    let value = cell.parse().or_else(|_| cell.replacen(',', ".", 1).parse());
    value.ok().filter(|_| is_written)
}

fn is_missing(cell: &str) -> bool {
    let words = ["", "?", "-", "na", "n/a", "#n/a", "nan", "null", "none"];
    words.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(first: &str, row: impl Fn(usize) -> String) -> Verdict {
        let lines = std::iter::once(first.to_owned()).chain((0..60).map(row));
        let record = |(line, text): (usize, String)| Record {
            line: line as u64 + 1,
            fields: text.split(',').map(str::to_owned).collect(),
        };
        judge(&lines.enumerate().map(record).collect::<Vec<_>>())
    }

    #[test]
    fn data_is_told_from_names() {
        let person = |i: usize| format!("{},{},{}", 20 + i % 40, ["yes", "no"][i % 2], i * 7 % 50);
        assert_eq!(verdict("39,yes,40", person), Verdict::Data);
        assert_eq!(verdict("?,yes,40", person), Verdict::Data);
        assert_eq!(verdict("age,smokes,hours", person), Verdict::Header);
        assert_eq!(verdict("age,smokes,2020", person), Verdict::Header);
        let words = |i: usize| format!("{},{}", ["a", "b", "c"][i % 3], ["x", "y"][i % 2]);
        assert_eq!(verdict("b,x", words), Verdict::Data);
        assert_eq!(verdict("letter,mark", words), Verdict::Header);
        let dated = |i: usize| format!("2024-01-{:02},{}.5", 1 + i % 28, i * 13 % 11);
        assert_eq!(verdict("2023-12-31,4.5", dated), Verdict::Data);
        assert_eq!(verdict("date,4", dated), Verdict::Header);
    }

    #[test]
    fn names_that_are_numbers_are_names() {
        let flower = |i: usize| format!("{}.1,{}.5,{}.2,{}", i % 4, i % 3, i % 5, i % 3);
        assert_eq!(verdict("0,1,2,3", flower), Verdict::Header);
        assert_eq!(verdict("5.1,3.5,1.4,0", flower), Verdict::Data);
        let country = |i: usize| format!("country {i},{},{},{}", i * 977, i * 983, i * 991);
        assert_eq!(verdict("country,1990,2000,2005", country), Verdict::Header);
        let lived = |i: usize| {
            format!(
                "{},{},{},{}",
                ["m", "f"][i % 2],
                1900 + i,
                1930 + i,
                1950 + i
            )
        };
        assert_eq!(verdict("m,1970,1995,2003", lived), Verdict::Data);
        let spectrum = |i: usize| format!("0.{},0.{},0.{}", i % 7, i % 11, i % 5);
        assert_eq!(verdict("350.5,351.2,360", spectrum), Verdict::Header);
    }
}
