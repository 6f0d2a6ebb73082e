//! How many cells of a column fit a reading, and which do not.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, StringArray};

/// What a reading finds in a column of text.
#[derive(Default)]
pub(super) struct Tally {
    /// Cells that are not missing.
    pub(super) present: usize,
    /// Those of them that fit.
    pub(super) fitting: usize,
    /// Different values of these, counted up to [`ENOUGH`].
    pub(super) distinct: usize,
    /// The others.
    odd: HashMap<String, Odd>,
    /// Whether so many different cells do not fit that they are no longer told apart.
    is_full: bool,
}

/// How often an odd cell occurs, and the first row that it occurs in, from 0.
#[derive(Clone, Copy)]
struct Odd {
    count: usize,
    first: usize,
}

/// Different values that make a quantity: fewer may be names of something.
const ENOUGH: usize = 20;

/// Different values beside which one odd cell does not undo a column.
const SEVERAL: usize = 10;

/// Odd words that may be frequent.
const WORDS: usize = 3;

/// Different odd cells that are kept.
const MOST_ODD: usize = 1000;

impl Tally {
    /// Counts the cells, of which `value` reads those that fit.
    pub(super) fn count(cells: &StringArray, value: impl Fn(&str) -> Option<i64>) -> Self {
        let (mut tally, mut values) = (Self::default(), HashSet::new());
        for (row, cell) in cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            tally.present += 1;
            match value(cell) {
                Some(value) => {
                    tally.fitting += 1;
                    if values.len() < ENOUGH {
                        values.insert(value);
                    }
                }
                None => tally.add_odd(row, cell),
            }
        }
        tally.distinct = values.len();
        tally
    }

    /// The same where the rows that do not fit are known.
    pub(super) fn of_rows(cells: &StringArray, odd: &[usize]) -> Self {
        let present = cells.len() - cells.null_count();
        let mut tally = Self {
            present,
            fitting: present - odd.len(),
            ..Self::default()
        };
        odd.iter()
            .for_each(|row| tally.add_odd(*row, cells.value(*row)));
        tally
    }

    fn add_odd(&mut self, row: usize, cell: &str) {
        if let Some(known) = self.odd.get_mut(cell) {
            known.count += 1;
        } else if self.odd.len() < MOST_ODD {
            let odd = Odd {
                count: 1,
                first: row,
            };
            self.odd.insert(cell.to_owned(), odd);
        } else {
            self.is_full = true;
        }
    }

    pub(super) fn odd(&self) -> usize {
        self.present - self.fitting
    }

    /// Whether the cells that do not fit are no reason to read the column otherwise: they are words for
    /// "missing", or few beside many different values, or a single one.
    pub(super) fn is_agreed(&self, is_missing: fn(&str) -> bool) -> bool {
        if self.odd() == 0 {
            return self.present > 0;
        }
        if self.is_full || 2 * self.fitting < self.present {
            return false;
        }
        let mut words = self.odd.keys();
        let (is_quantity, is_varied) = (self.distinct >= ENOUGH, self.distinct >= SEVERAL);
        let has_digit = |word: &String| word.bytes().any(|byte| byte.is_ascii_digit());
        words.all(|word| is_missing(word))
            || is_varied && self.odd() == 1
            || is_quantity && !self.has_codes() && self.is_nearly_all(95)
            || is_quantity && self.odd.len() <= WORDS && !self.odd.keys().any(has_digit)
    }

    /// Whether so many percent of the cells fit.
    pub(super) fn is_nearly_all(&self, percent: usize) -> bool {
        100 * self.fitting >= percent * self.present
    }

    /// Whether every cell that does not fit is such a word.
    pub(super) fn all_odd(&self, is_word: fn(&str) -> bool) -> bool {
        !self.is_full && self.odd.keys().all(|word| is_word(word))
    }

    /// Whether most cells fit and have many values, so that somebody may wonder about the rest.
    pub(super) fn is_mixed(&self) -> bool {
        self.odd() > 0 && 2 * self.fitting >= self.present && self.distinct >= SEVERAL
    }

    /// Whether the odd cells are codes, such as V57 and E11 among 250 and 401.
    fn has_codes(&self) -> bool {
        self.odd.keys().filter(|cell| is_code(cell)).count() > 1
    }

    /// The odd cells, the most frequent first, with their numbers and rows.
    pub(super) fn shown(&self) -> String {
        const SHOWN: usize = 5;
        let mut odd: Vec<_> = self.odd.iter().collect();
        odd.sort_by_key(|(_, odd)| (std::cmp::Reverse(odd.count), odd.first));
        let cells = odd.iter().take(SHOWN).map(|(cell, odd)| {
            let (row, count) = (odd.first + 1, odd.count);
            match count {
                1 => format!("{:?} (row {row})", short(cell)),
                _ => format!("{:?} ({count} cells, first in row {row})", short(cell)),
            }
        });
        let cells = cells.collect::<Vec<_>>().join(", ");
        match odd.len().saturating_sub(SHOWN) {
            0 => cells,
            _ if self.is_full => format!("{cells} and many more"),
            more => format!("{cells} and {more} more"),
        }
    }
}

/// A cell as a message shows it.
fn short(cell: &str) -> String {
    const LENGTH: usize = 30;
    match cell.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", &cell[..end]),
        None => cell.to_owned(),
    }
}

/// A letter or two, and digits.
fn is_code(cell: &str) -> bool {
    let digits = cell.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = cell.len() - digits.len();
    let is_digits = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    (1..=3).contains(&letters) && !digits.is_empty() && is_digits
}

/// Whether a cell says that there is no value: no letter or digit at all, or a word for it.
pub(in crate::table) fn is_missing(cell: &str) -> bool {
    const WORDS: [&str; 17] = [
        "n.a.",
        "na",
        "n/a",
        "nan",
        "nat",
        "nil",
        "null",
        "\\n",
        "(null)",
        "[null]",
        "missing",
        "(missing)",
        "not available",
        "no data",
        "#n/a",
        "<na>",
        "0000-00-00",
    ];
    // What spreadsheets write where a formula failed.
    const FAILED: [&str; 7] = [
        "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#calc!",
    ];
    let cell = cell.trim().to_lowercase();
    let is = |words: &[&str]| words.contains(&cell.as_str());
    let is_infinite = cell.parse::<f64>().is_ok_and(f64::is_infinite);
    is_infinite || !cell.chars().any(char::is_alphanumeric) || is(&WORDS) || is(&FAILED)
}

/// The same for a feature, where a word for "not known" cannot be a class.
pub(super) fn is_unknown(cell: &str) -> bool {
    const WORDS: [&str; 13] = [
        "unknown",
        "unk",
        "none",
        "undefined",
        "unspecified",
        "void",
        "tbd",
        "empty",
        "blank",
        "not applicable",
        "not known",
        "not reported",
        "no answer",
    ];
    is_missing(cell) || WORDS.contains(&cell.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(cells: impl IntoIterator<Item = String>) -> Tally {
        let cells: StringArray = cells.into_iter().map(Some).collect();
        Tally::count(&cells, |cell| cell.parse().ok())
    }

    fn with(numbers: usize, odd: &[&str]) -> Tally {
        let numbers = (0..numbers).map(|number| number.to_string());
        tally(numbers.chain(odd.iter().map(|word| (*word).to_owned())))
    }

    fn agreed(tally: &Tally) -> bool {
        tally.is_agreed(is_unknown)
    }

    #[test]
    fn odd_cells_do_not_undo_a_quantity() {
        for odd in [
            &["-", "-"][..],
            &["Total"],
            &["a", "b", "a", "c"],
            &["1x", "2x", "#5"],
        ] {
            assert!(agreed(&with(100, odd)), "{odd:?}");
        }
        assert!(agreed(&with(12, &["years"])));
        assert!(agreed(&with(3, &["?", "n.a."])));
    }

    #[test]
    fn codes_words_and_halves_do() {
        assert!(!agreed(&with(100, &["V57", "E11"])), "codes");
        assert!(!agreed(&with(30, &["a", "b", "c", "d"])), "many words");
        assert!(!agreed(&with(20, &["a"; 30])), "more words than numbers");
        let ratings = (0..100).map(|row| (row % 5).to_string());
        assert!(
            !agreed(&tally(ratings.chain(["other".into()]))),
            "names of something"
        );
        assert!(!agreed(&with(0, &["a"])));
    }

    #[test]
    fn what_is_odd_is_shown_with_its_rows() {
        let tally = with(3, &["-", "x", "-"]);
        assert_eq!(
            tally.shown(),
            "\"-\" (2 cells, first in row 4), \"x\" (row 5)"
        );
    }
}
