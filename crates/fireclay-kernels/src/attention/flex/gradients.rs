//! Attention backward.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::Terms;
use super::heads::{Head, Heads, RowsMut, write};
use super::strips::{ROWS, Strips, padded};
use super::values::multiply;
use crate::softmax::flex::{Moments, gradient, shares};

/// How many queries' weights there are at a time.
const BLOCK: usize = 8 * ROWS;

/// Makes the gradients of the queries of the heads that share keys, and of these keys and their
/// values.
pub(super) struct Group<'a, 'b> {
    /// The first of these heads, counted over the batch.
    pub first: usize,
    pub query: Heads<'a>,
    pub keys: Head<'a>,
    pub values: Head<'a>,
    pub gradient: Heads<'a>,
    pub terms: &'a Terms,
    /// The moments of all rows of all heads.
    pub moments: &'a [Moments],
    /// The rows of each head's results.
    pub to_query: &'a mut [RowsMut<'b>],
    pub to_keys: &'a mut RowsMut<'b>,
    pub to_values: &'a mut RowsMut<'b>,
}

impl WithSimd for Group<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (new, width) = (self.terms.new, padded::<S>(self.keys.width));
        let mut block = Block::new::<S>(self.keys, self.values, self.terms);
        let [mut to_keys, mut to_values] = [(); 2].map(|()| vec![0.0; block.columns * width]);
        for (head, to_query) in (self.first..).zip(self.to_query) {
            let pair = Pair {
                query: self.query.head(head),
                gradient: self.gradient.head(head),
                head,
                moments: &self.moments[head * new..][..new],
            };
            for start in (0..new).step_by(BLOCK) {
                let rows = start..new.min(start + BLOCK);
                let shown = block.queries(simd, &pair, rows.clone(), to_query);
                // The queries and the gradient have as many rows here as there are weights.
                let [query, gradient] =
                    [pair.query, pair.gradient].map(|head| Strips::along::<S>(head, rows.clone()));
                let (to_scores, weights) = (&block.to_scores[..], &block.weights[..]);
                let of_keys = (&mut to_keys[..], width);
                query.add_transposed(simd, (to_scores, block.columns), shown.clone(), of_keys);
                let of_values = (&mut to_values[..], width);
                gradient.add_transposed(simd, (weights, block.columns), shown, of_values);
            }
        }
        write(self.to_keys, 0, &to_keys, width);
        write(self.to_values, 0, &to_values, width);
    }
}

/// The queries of a head and the gradient of what they found.
struct Pair<'a> {
    query: Head<'a>,
    gradient: Head<'a>,
    /// Its number, counted over the batch.
    head: usize,
    moments: &'a [Moments],
}

/// Some rows of weights and of the gradients of their scores, and what both are made of.
struct Block<'a> {
    /// Strips of the scaled keys, and of the values.
    across: [Strips; 2],
    keys: Strips,
    terms: &'a Terms,
    weights: Vec<f32>,
    to_scores: Vec<f32>,
    /// How wide their rows are.
    columns: usize,
    sums: Vec<f32>,
}

impl<'a> Block<'a> {
    #[inline(always)]
    fn new<S: Simd>(keys: Head<'_>, values: Head<'_>, terms: &'a Terms) -> Self {
        let columns = padded::<S>(terms.time);
        Self {
            across: [
                Strips::across::<S>(keys, terms.scale),
                Strips::across::<S>(values, 1.0),
            ],
            keys: Strips::along::<S>(keys, 0..terms.time),
            terms,
            weights: vec![0.0; BLOCK * columns],
            to_scores: vec![0.0; BLOCK * columns],
            columns,
            sums: vec![0.0; ROWS * padded::<S>(keys.width)],
        }
    }

    /// Takes up these rows and writes the gradients of their queries. Gives the columns that they
    /// see.
    #[inline(always)]
    fn queries<S: Simd>(
        &mut self,
        simd: S,
        pair: &Pair<'_>,
        rows: Range<usize>,
        to_query: &mut RowsMut<'_>,
    ) -> Range<usize> {
        let (columns, width) = (self.columns, padded::<S>(pair.query.width));
        let shown = self.terms.shown::<S>(pair.head, rows.clone());
        for first in rows.clone().step_by(ROWS) {
            let some = first..rows.end.min(first + ROWS);
            let seen = self.terms.shown::<S>(pair.head, some.clone());
            let start = (first - rows.start) * columns;
            let (weights, to_scores) = (&mut self.weights[start..], &mut self.to_scores[start..]);
            let (depth, [keys, values]) = (0..pair.query.width, &self.across);
            let query = pair.query.some(first);
            keys.product(simd, query, depth.clone(), seen.clone(), (weights, columns));
            let gradient = pair.gradient.some(first);
            values.product(simd, gradient, depth, seen.clone(), (to_scores, columns));
            let both = weights.chunks_exact_mut(columns);
            let both = both.zip(to_scores.chunks_exact_mut(columns));
            for (row, (weights, to_scores)) in some.zip(both) {
                for row in [&mut *weights, &mut *to_scores] {
                    row[shown.start..seen.start].fill(0.0);
                    row[seen.end..shown.end].fill(0.0);
                }
                let (weights, to_scores) =
                    (&mut weights[seen.clone()], &mut to_scores[seen.clone()]);
                self.terms
                    .finish(pair, row, seen.clone(), [weights, to_scores]);
            }
            let rows = std::array::from_fn(|row| &to_scores[row * columns..][seen.clone()]);
            self.keys
                .product(simd, rows, seen, 0..width, (&mut self.sums, width));
            write(to_query, first, &self.sums, width);
        }
        shown
    }
}

impl Terms {
    /// Makes weights of the scores in some columns of a row, and of the gradient of the weights that
    /// of the scores.
    #[inline(always)]
    fn finish(
        &self,
        pair: &Pair<'_>,
        row: usize,
        columns: Range<usize>,
        [weights, to_weights]: [&mut [f32]; 2],
    ) {
        let mask = self.mask(pair.head, row, columns.clone());
        let factors = self.factors(pair.head, row, columns);
        shares(weights, mask, pair.moments[row]);
        if let Some(factors) = factors {
            multiply(to_weights, factors);
        }
        gradient(weights, to_weights, mask, self.scale);
        if let Some(factors) = factors {
            multiply(weights, factors);
        }
    }
}
