//! The words that mean "missing", and how often they were met.

use super::NullCounts;
use crate::table::stream::{NULL_VALUES, ReadOptions};

/// The words of each column.
pub(super) struct Nulls {
    columns: Vec<NullWords>,
}

struct NullWords {
    words: Vec<Vec<u8>>,
    counts: Vec<usize>,
    /// Whether nobody chose these words.
    is_usual: bool,
}

impl Nulls {
    pub(super) fn new(names: &[String], options: &ReadOptions) -> Self {
        let words = |name: &String| {
            let words = options.nulls_of(name).iter();
            let words: Vec<_> = words.map(|word| word.trim().as_bytes().to_vec()).collect();
            NullWords {
                counts: vec![0; words.len()],
                words,
                is_usual: options.has_usual_nulls(name),
            }
        };
        Self {
            columns: names.iter().map(words).collect(),
        }
    }

    /// Whether a cell says that there is no value.
    pub(super) fn take(&mut self, column: usize, cell: &[u8]) -> bool {
        if cell.is_empty() {
            return true;
        }
        let NullWords { words, counts, .. } = &mut self.columns[column];
        // A few words of few lengths: comparing lengths settles nearly every cell.
        let found = words.iter().position(|word| word.as_slice() == cell);
        if let Some(word) = found {
            counts[word] += 1;
        }
        found.is_some()
    }

    /// By column and word, the cells that were met; of words that nobody chose.
    pub(super) fn counts(&self, names: &[String]) -> NullCounts {
        let columns = names.iter().zip(&self.columns);
        let usual = columns.filter(|(_, own)| own.is_usual);
        let counts = usual.flat_map(|(name, own)| {
            let counts = own.words.iter().zip(&own.counts);
            counts.map(|(word, count)| {
                let word = String::from_utf8_lossy(word).into_owned();
                ((name.clone(), word), *count)
            })
        });
        let is_met = |((_, word), count): &((String, String), usize)| {
            *count > 0 && NULL_VALUES.contains(&word.as_str())
        };
        counts.filter(is_met).collect()
    }
}
