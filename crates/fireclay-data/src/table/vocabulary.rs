//! The names that a categorical column or a class label takes.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::column::reading::label;
use crate::column::shortest;

/// Distinct names in order: by value if all are numbers, else by their letters.
///
/// Names that differ only in how a file writes them are the same: `1` and `1.0` where all are
/// numbers, `true` and `True`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub(crate) struct Vocabulary {
    names: Vec<String>,
    is_numeric: bool,
    index: HashMap<String, u32>,
}

impl Vocabulary {
    /// Counts the names and keeps the `most` most frequent; says how many are left out.
    pub(crate) fn fit<'a>(
        cells: impl Iterator<Item = &'a str> + Clone,
        most: usize,
    ) -> (Self, usize) {
        let mut spellings: HashMap<&str, usize> = HashMap::new();
        for cell in cells {
            *spellings.entry(cell).or_default() += 1;
        }
        let is_numeric = spellings.keys().all(|name| is_number(name));
        let mut counts: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for (name, count) in spellings {
            let entry = counts.entry(key(name, is_numeric)).or_insert((0, name));
            entry.0 += count;
            // The shortest of several spellings stays, whatever order the map gives them in.
            if (name.len(), name) < (entry.1.len(), entry.1) {
                entry.1 = name;
            }
        }
        let mut kept: Vec<_> = counts.into_values().collect();
        // The sort is stable, so equally frequent names stay in the order of their keys.
        kept.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let left_out = kept.len().saturating_sub(most);
        kept.truncate(most);
        let mut names: Vec<String> = kept.into_iter().map(|(_, name)| name.to_owned()).collect();
        sort(&mut names, is_numeric);
        (Self::from(names), left_out)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name that a spelling stands for.
    pub(crate) fn name_of(&self, spelling: &str) -> Option<&str> {
        let index = self.find(spelling)?;
        self.names.get(index as usize).map(String::as_str)
    }

    /// The index of a name.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.index
            .get(name)
            .or_else(|| self.index.get(&key(name, self.is_numeric)))
            .copied()
    }
}

impl From<Vec<String>> for Vocabulary {
    fn from(names: Vec<String>) -> Self {
        let is_numeric = names.iter().all(|name| is_number(name));
        let mut index = HashMap::new();
        for (number, name) in (0..).zip(&names) {
            index.insert(name.clone(), number);
            index.insert(key(name, is_numeric), number);
        }
        Self {
            names,
            is_numeric,
            index,
        }
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.names
    }
}

/// What two spellings of one name have in common.
fn key(name: &str, is_numeric: bool) -> String {
    match name.parse::<f64>() {
        Ok(value) if is_numeric => shortest(value),
        _ if name.eq_ignore_ascii_case("true") || name.eq_ignore_ascii_case("false") => {
            name.to_ascii_lowercase()
        }
        _ => name.to_owned(),
    }
}

/// Whether the name is a number that a real holds exactly. Longer ones are codes, and two of them
/// could look the same; so are those with leading zeros, such as `007` or a postcode.
fn is_number(name: &str) -> bool {
    let digits = name.trim_start_matches(['-', '+']).as_bytes();
    let is_code = matches!(digits, [b'0', next, ..] if next.is_ascii_digit());
    !is_code && name.len() <= 15 && name.parse::<f64>().is_ok_and(f64::is_finite)
}

fn sort(names: &mut [String], is_numeric: bool) {
    names.sort();
    if is_numeric {
        let value = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
        names.sort_by(|a, b| value(a).total_cmp(&value(b)));
    }
    // Yes is after no, whatever the letters.
    if names.len() == 2 && names.iter().all(|name| label(name).is_some()) {
        names.sort_by_key(|name| label(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(cells: &[&str], most: usize) -> Vec<String> {
        Vocabulary::fit(cells.iter().copied(), most).0.into()
    }

    #[test]
    fn numbers_are_sorted_by_value_and_shown_as_written() {
        assert_eq!(fit(&["10", "9", "1.0", "1", "10"], 9), ["1", "9", "10"]);
        assert_eq!(fit(&["b", "10", "9", "a"], 9), ["10", "9", "a", "b"]);
    }

    #[test]
    fn no_is_before_yes() {
        assert_eq!(fit(&["True", "no"], 9), ["no", "True"]);
        assert_eq!(fit(&["false", "1"], 9), ["false", "1"]);
        assert_eq!(fit(&["T", "F", "U"], 9), ["F", "T", "U"]);
    }

    #[test]
    fn codes_with_leading_zeros_are_not_numbers() {
        assert_eq!(fit(&["001", "1", "01"], 9), ["001", "01", "1"]);
        assert_eq!(fit(&["0.5", "0"], 9), ["0", "0.5"]);
    }

    #[test]
    fn spellings_are_reconciled() {
        let (numbers, _) = Vocabulary::fit(["0", "1"].into_iter(), 9);
        assert_eq!(numbers.find("1.0"), Some(1));
        assert_eq!(numbers.find("2"), None);
        let (words, _) = Vocabulary::fit(["True", "False", "no"].into_iter(), 9);
        assert_eq!(words.find("true"), words.find("True"));
        assert_eq!(words.find("NO"), None);
    }

    #[test]
    fn long_codes_are_not_rounded() {
        let codes = ["9007199254740992", "9007199254740993"];
        assert_eq!(fit(&codes, 9), codes);
    }

    #[test]
    fn the_most_frequent_names_stay() {
        let (kept, left_out) = Vocabulary::fit(["a", "b", "b", "c", "c"].into_iter(), 2);
        assert_eq!(kept.names(), ["b", "c"]);
        assert_eq!(left_out, 1);
    }
}
