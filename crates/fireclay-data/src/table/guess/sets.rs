//! Whether the cells of a target hold several labels each.

use std::collections::{HashMap, HashSet};

use arrow::array::ArrayRef;

use crate::column::{labels_in, text};

/// What may stand between labels, the surest first.
const SEPARATORS: [&str; 3] = [";", "|", ","];

/// The separator of the labels, if the cells are sets of them: labels that come back in other company.
pub(super) fn separator(name: &str, array: &ArrayRef) -> Option<&'static str> {
    let cells = text(name, array).ok()?;
    let cells: Vec<&str> = cells.iter().flatten().collect();
    let mut separators = SEPARATORS.into_iter();
    separators.find(|separator| are_sets(&cells, separator))
}

fn are_sets(cells: &[&str], separator: &str) -> bool {
    let several = cells
        .iter()
        .filter(|cell| labels_in(cell, separator).count() > 1);
    if 10 * several.count() < cells.len().max(10) {
        return false;
    }
    let distinct: HashSet<&str> = cells.iter().copied().collect();
    let mut company: HashMap<&str, usize> = HashMap::new();
    for label in distinct.iter().flat_map(|cell| labels_in(cell, separator)) {
        *company.entry(label).or_default() += 1;
    }
    // A comma between digits is that of a number.
    let is_number = separator == "," && company.keys().all(|label| label.parse::<f64>().is_ok());
    let shared = company.values().filter(|cells| **cells > 1).count();
    !is_number && distinct.len() > company.len() && 2 * shared > company.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_come_back_in_other_company_are_sets() {
        let sets = ["old;high", "high;red", "old", "red;old;high", "high", "red"];
        assert!(are_sets(&sets, ";"));
        assert!(!are_sets(&sets, ","));
    }

    #[test]
    fn names_with_a_separator_in_them_are_no_sets() {
        let places = ["Oslo, Norway", "Paris, France", "Rome, Italy"].repeat(5);
        assert!(!are_sets(&places, ","));
        assert!(!are_sets(&["1,5", "2,5", "1,2", "5,2", "2", "1", "5"], ","));
        assert!(!are_sets(&["a", "b", "c"], ";"));
    }
}
