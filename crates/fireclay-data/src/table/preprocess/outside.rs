//! Numbers far from those of the training rows, for which a model has to guess.

use arrow::array::Float64Array;
use serde::{Deserialize, Serialize};

use crate::column::shortest;

/// How many times the training range numbers may lie beyond its ends without a word: the largest of new rows is
/// often larger.
const MARGIN: f64 = 1.0;
/// How many times smaller than the least or larger than the largest of training, where all of them have one sign: another
/// unit, or a point that was read as a comma.
const FACTOR: f64 = 10.0;

/// Such numbers of a column, counted over any number of batches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Outside {
    count: usize,
    /// The first of them, and the training range.
    first: Option<(f64, [f64; 2])>,
}

impl Outside {
    /// Those among some values; none where there are none.
    pub(super) fn of(range: [f64; 2], values: &Float64Array) -> Option<Self> {
        let is_outside = |value: &f64| is_far(*value, range);
        let mut outside = values.iter().flatten().filter(is_outside).peekable();
        let first = *outside.peek()?;
        Some(Self {
            first: Some((first, range)),
            count: outside.count(),
        })
    }

    /// Adds those of later rows.
    pub(super) fn add(&mut self, more: Self) {
        self.first = self.first.or(more.first);
        self.count += more.count;
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

/// Whether a number is far from the training range.
fn is_far(value: f64, [low, high]: [f64; 2]) -> bool {
    let margin = MARGIN * (high - low);
    let is_beyond = value < low - margin || value > high + margin;
    let is_other_size = low > 0.0 && !(low / FACTOR..=high * FACTOR).contains(&value);
    is_beyond || is_other_size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_unit_is_far_and_a_little_more_is_not() {
        let income = [20_000.0, 150_000.0];
        assert!(is_far(50.0, income) && is_far(1e6, income));
        assert!(!is_far(180_000.0, income) && !is_far(12_000.0, income));
        assert!(is_far(300.0, [18.0, 80.0]) && !is_far(95.0, [18.0, 80.0]));
        assert!(is_far(-9.0, [-1.0, 1.0]) && !is_far(-1.5, [-1.0, 1.0]));
    }
}
