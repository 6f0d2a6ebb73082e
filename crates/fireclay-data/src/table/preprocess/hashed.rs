//! Words of a text as features: signed hashing into a fixed number of buckets.
//!
//! Weinberger et al., *Feature hashing for large scale multitask learning* (2009),
//! <https://arxiv.org/abs/0902.2206>.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use super::Features;
use crate::column::text;
use crate::error::DataError;
use crate::table::texts::words;

/// Buckets, unless the configuration says otherwise.
const BUCKETS: usize = 256;

/// Each word and each pair of neighbours adds 1 or -1 to a bucket; the features of a text have length 1.
/// The sign makes words that share a bucket cancel out on average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Hashed {
    buckets: usize,
    indicator: bool,
}

impl Hashed {
    /// For a column of texts of the training rows.
    pub(super) fn new(array: &ArrayRef, buckets: Option<usize>, indicator: bool) -> Self {
        Self {
            buckets: buckets.unwrap_or(BUCKETS),
            indicator: indicator && array.null_count() > 0,
        }
    }

    /// The names of the features of column `name`, in order.
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        let buckets = (0..self.buckets).map(|bucket| format!("{name}#{bucket}"));
        buckets.collect()
    }

    /// How many features there are, without the one that says that the text is missing.
    pub(super) fn width(&self) -> usize {
        self.buckets
    }

    /// Whether a feature after the buckets says that the text is missing.
    pub(super) fn indicator(&self) -> bool {
        self.indicator
    }

    /// Writes the features of all rows from column `at` on; a missing text has zeros alone.
    pub(super) fn encode(
        &self,
        name: &str,
        array: &ArrayRef,
        out: &mut Features,
        at: usize,
    ) -> Result<(), DataError> {
        let cells = text(name, array)?;
        let rows = out.numeric.chunks_exact_mut(out.numeric_width);
        for (row, cell) in rows.zip(&cells) {
            match cell {
                Some(cell) => add(cell, &mut row[at..at + self.buckets]),
                None if self.indicator => row[at + self.buckets] = 1.0,
                None => {}
            }
        }
        Ok(())
    }
}

/// Adds the words of a text to its buckets, and brings them to length 1.
fn add(text: &str, buckets: &mut [f32]) {
    let words = words(text);
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    for gram in words.iter().cloned().chain(pairs) {
        // The seed is part of what a saved preprocessing means.
        let hash = XxHash64::oneshot(0, gram.as_bytes());
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        buckets[((hash & (u64::MAX >> 1)) % buckets.len() as u64) as usize] += sign;
    }
    let length = buckets
        .iter()
        .map(|value| value * value)
        .sum::<f32>()
        .sqrt();
    if length > 0.0 {
        buckets.iter_mut().for_each(|value| *value /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(text: &str) -> Vec<f32> {
        let mut buckets = vec![0.0; 64];
        add(text, &mut buckets);
        buckets
    }

    fn cosine(a: &str, b: &str) -> f32 {
        hashed(a).iter().zip(hashed(b)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn the_hash_is_that_of_the_reference() {
        // XXH64 of "a" with seed 0, from the reference implementation.
        assert_eq!(XxHash64::oneshot(0, b"a"), 0xd24e_c4f1_a98c_6e5b);
        let bucket = (0xd24e_c4f1_a98c_6e5b_u64 & (u64::MAX >> 1)) % 64;
        let features = hashed("A");
        assert_eq!(features[bucket as usize], -1.0);
        assert_eq!(features.iter().filter(|value| **value != 0.0).count(), 1);
    }

    #[test]
    fn texts_have_length_one_and_like_texts_are_near() {
        assert!((cosine("one two three", "One, two; THREE!") - 1.0).abs() < 1e-6);
        let (near, far) = (
            cosine("a very good pot", "a good pot"),
            cosine("a very good pot", "bad oven"),
        );
        assert!(near > 0.4 && far < 0.3, "{near} {far}");
        assert!(hashed("...").iter().all(|value| *value == 0.0));
    }

    #[test]
    fn the_order_of_neighbours_counts() {
        assert!(cosine("not good but cheap", "good but not cheap") < 0.95);
    }
}
