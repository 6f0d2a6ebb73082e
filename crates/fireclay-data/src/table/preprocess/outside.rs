//! Numbers far from those of the training rows, for which a model has to guess.

use arrow::array::ArrayRef;

use crate::column::{numbers, shortest};

/// The part of the training range that numbers may lie beyond its ends without a word: the largest of new
/// rows is often a little larger.
const MARGIN: f64 = 0.1;

/// Such numbers of a column, counted over any number of batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    count: usize,
    /// The first of them, and the training range.
    first: Option<(f64, [f64; 2])>,
}

impl Outside {
    /// Adds the cells of a column; those that are no numbers are told of by what encodes them.
    pub(super) fn add(&mut self, range: [f64; 2], name: &str, cells: &ArrayRef) {
        let Ok(values) = numbers(name, cells) else {
            return;
        };
        let [low, high] = range;
        // Where all rows had one value, there is no scale to judge others by.
        let margin = MARGIN * (high - low);
        let is_outside = |value: &f64| *value < low - margin || *value > high + margin;
        let mut outside = values.iter().flatten().filter(is_outside).peekable();
        if let (None, Some(first)) = (self.first, outside.peek()) {
            self.first = Some((*first, range));
        }
        self.count += outside.count();
    }

    pub(super) fn note(&self, rows: usize) -> Option<String> {
        let (first, [low, high]) = self.first?;
        let [first, low, high] = [first, low, high].map(shortest);
        let count = self.count;
        Some(format!(
            "{count} of {rows} rows have numbers far outside the range of training, such as {first}, where training had {low} to {high}: the answers for them are guesses; see that the unit is the same"
        ))
    }
}
