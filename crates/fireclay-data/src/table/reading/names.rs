//! Names of categories that are probably the same.

use std::collections::{BTreeMap, HashMap};

use arrow::array::StringArray;

use crate::column::truth;
use crate::error::list;

/// Names beyond which a column holds texts.
const MOST: usize = 10_000;

/// What there is to say of categories that differ in nothing but case and blanks.
pub(super) fn names_alike(cells: &StringArray) -> Option<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for cell in cells.iter().flatten() {
        *counts.entry(cell).or_default() += 1;
        if counts.len() > MOST {
            return None;
        }
    }
    let rows: usize = counts.values().sum();
    // Of words of yes and no the spellings are one; of texts nearly every one is another.
    let is_truths = counts.keys().all(|name| truth(name.trim()).is_some());
    if 2 * counts.len() > rows || is_truths {
        return None;
    }
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in counts.keys() {
        let words: Vec<&str> = name.split_whitespace().collect();
        let same = words.join(" ").to_lowercase();
        groups.entry(same).or_default().push((*name).to_owned());
    }
    let alike = groups.into_values().filter(|group| group.len() > 1);
    let alike: Vec<String> = alike
        .map(|mut group| {
            group.sort();
            list(&group, 5)
        })
        .collect();
    let shown = alike[..alike.len().min(3)].join("; ");
    let more = match alike.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!alike.is_empty()).then(|| {
        format!("categories that differ only in case or blanks are different to the model: {shown}{more}; write them alike in the file, in training and in what is predicted, if they are the same")
    })
}
