//! Which group each row is in.

use std::collections::BTreeMap;

/// Rows parted into groups with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What the groups differ in.
    pub name: String,
    rows: usize,
    /// The names and rows of the groups, the largest first.
    groups: Vec<(String, Vec<usize>)>,
}

impl Partition {
    /// Groups rows by these names, one a row. The largest group comes first; of equally large ones, the
    /// first by name.
    pub fn new<S: AsRef<str>>(name: impl Into<String>, of_rows: &[S]) -> Self {
        let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (row, group) in of_rows.iter().enumerate() {
            found.entry(group.as_ref()).or_default().push(row);
        }
        let groups = found.into_iter();
        let mut groups: Vec<_> = groups.map(|(name, rows)| (name.to_owned(), rows)).collect();
        groups.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
        Self {
            name: name.into(),
            rows: of_rows.len(),
            groups,
        }
    }

    /// The same groups, ascending by a key of their rows; of equal ones, the largest comes first.
    #[must_use]
    pub fn sorted_by_key<K: Ord>(mut self, key: impl Fn(&[usize]) -> K) -> Self {
        self.groups.sort_by_cached_key(|(_, rows)| key(rows));
        self
    }

    /// The number of all rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The groups with their rows.
    pub fn groups(&self) -> impl Iterator<Item = (&String, &[usize])> {
        self.groups.iter().map(|(name, rows)| (name, &rows[..]))
    }
}
