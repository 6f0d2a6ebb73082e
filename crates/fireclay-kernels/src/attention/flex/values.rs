//! Attention forward.

use pulp::{Simd, WithSimd};

use super::Terms;
use super::heads::{Head, Heads, RowsMut};
use super::strips::{ROWS, Strips, padded};
use crate::softmax::flex::{Moments, weigh};

/// Mixes values for the queries of the heads that share keys.
pub(super) struct Values<'a, 'b> {
    /// The first of these heads, counted over the batch.
    pub first: usize,
    pub query: Heads<'a>,
    pub keys: Head<'a>,
    pub values: Head<'a>,
    pub terms: &'a Terms,
    /// The rows of each head's results.
    pub mixed: &'a mut [RowsMut<'b>],
    /// One for each row of each head.
    pub moments: &'a mut [Moments],
}

impl WithSimd for Values<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Terms { new, time, .. } = *self.terms;
        let keys = Strips::across::<S>(self.keys, self.terms.scale);
        let values = Strips::along::<S>(self.values, 0..time);
        let (columns, width) = (padded::<S>(time), padded::<S>(self.values.width));
        let (mut weights, mut sums) = (vec![0.0; ROWS * columns], vec![0.0; ROWS * width]);
        let heads = self
            .mixed
            .iter_mut()
            .zip(self.moments.chunks_exact_mut(new));
        for (head, (mixed, moments)) in (self.first..).zip(heads) {
            let query = self.query.head(head);
            for (index, moments) in moments.chunks_mut(ROWS).enumerate() {
                let first = index * ROWS;
                let some = first..first + moments.len();
                let shown = self.terms.shown::<S>(head, some.clone());
                let (queries, depth) = (query.some(first), 0..query.width);
                keys.product(simd, queries, depth, shown.clone(), (&mut weights, columns));
                let rows = some.zip(weights.chunks_exact_mut(columns));
                for ((row, weights), moments) in rows.zip(&mut *moments) {
                    let weights = &mut weights[shown.clone()];
                    *moments = weigh(weights, self.terms.mask(head, row, shown.clone()));
                    if let Some(factors) = self.terms.factors(head, row, shown.clone()) {
                        multiply(weights, factors);
                    }
                }
                let rows = std::array::from_fn(|row| &weights[row * columns..][shown.clone()]);
                values.product(simd, rows, shown, 0..width, (&mut sums, width));
                let rows = mixed[first..].iter_mut().zip(sums.chunks_exact(width));
                for ((row, sums), moments) in rows.zip(moments) {
                    for (x, sum) in row.iter_mut().zip(sums) {
                        *x = sum * moments.factor;
                    }
                }
            }
        }
    }
}

#[inline(always)]
pub(super) fn multiply(row: &mut [f32], factors: &[f32]) {
    for (x, factor) in row.iter_mut().zip(factors) {
        *x *= factor;
    }
}
