//! Labels of yes and no.

use std::collections::HashMap;

use arrow::array::StringArray;

use super::judge::Judged;
use super::tally::is_missing;
use crate::column::reading::{Reading, label};
use crate::column::{is_english, truth};
use crate::error::list;

/// How a target is read whose labels are words of yes and no in several spellings.
pub(super) fn labels(cells: &StringArray) -> Option<Judged> {
    let mut spellings: HashMap<&str, usize> = HashMap::new();
    for cell in cells.iter().flatten() {
        // More spellings than there can be of two words are something else.
        if label(cell).is_none() && !is_missing(cell) || spellings.len() > 100 {
            return None;
        }
        *spellings.entry(cell).or_default() += 1;
    }
    if !spellings.keys().any(|cell| truth(cell.trim()).is_some()) {
        return None;
    }
    let [no, yes] = [Some(false), Some(true)].map(|meaning| spelled(&spellings, meaning));
    let odd = spelled(&spellings, None);
    if no.len() < 2 && yes.len() < 2 && odd.is_empty() {
        return None;
    }
    let first = |words: &[String]| words.first().cloned().unwrap_or_default();
    let named = [(first(&no), &no), (first(&yes), &yes)].into_iter();
    let named = named.filter(|(_, words)| words.len() > 1);
    let named = named.map(|(label, words)| format!("{} as {label:?}", list(&words[1..], 10)));
    let missing = (!odd.is_empty()).then(|| format!("{} as missing", list(&odd, 10)));
    let parts: Vec<String> = named.chain(missing).collect();
    let (no, yes) = (first(&no), first(&yes));
    Some(Judged {
        reading: Reading::Labels { no, yes },
        note: Some(format!(
            "labels of yes and no are read as two classes: {}",
            parts.join(", ")
        )),
        ..Judged::default()
    })
}

/// What there is to say of a column of words of yes and no alone: which mean what, unless they are those of
/// programs, each in one spelling.
pub(super) fn told(cells: &StringArray) -> Option<String> {
    let mut spellings: HashMap<&str, usize> = HashMap::new();
    for cell in cells.iter().flatten() {
        *spellings.entry(cell).or_default() += 1;
    }
    let [no, yes] = [Some(false), Some(true)].map(|meaning| spelled(&spellings, meaning));
    let is_plain = [&no, &yes].iter().all(|words| words.len() < 2)
        && spellings.keys().all(|word| is_english(word));
    (!is_plain).then(|| format!("read as yes: {}; as no: {}", list(&yes, 10), list(&no, 10)))
}

/// The spellings of one meaning, the most frequent first.
fn spelled(spellings: &HashMap<&str, usize>, meaning: Option<bool>) -> Vec<String> {
    let own = spellings.iter().filter(|(cell, _)| label(cell) == meaning);
    let mut own: Vec<_> = own.collect();
    own.sort_by_key(|(cell, count)| (std::cmp::Reverse(**count), **cell));
    own.into_iter()
        .map(|(cell, _)| cell.trim().to_owned())
        .collect()
}
