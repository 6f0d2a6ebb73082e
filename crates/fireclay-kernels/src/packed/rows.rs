//! Work on the rows of a matrix, shared out.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use pulp::NullaryFnOnce;

use super::Packed;
use super::wide::{Plain, Wide};
use crate::flex::{PIECE, tensor};

/// How many rows one piece of work has: a few times as much as of other work, since it is done faster.
pub(super) fn rows_in_piece(columns: usize) -> usize {
    (4 * PIECE / columns.max(1)).max(1)
}

/// The rows of each piece of work.
pub(super) fn pieces(weight: &Packed) -> impl Iterator<Item = Range<usize>> + use<> {
    let [rows, columns] = weight.shape;
    let some = rows_in_piece(columns);
    let firsts = (0..rows).step_by(some);
    firsts.map(move |first| first..(first + some).min(rows))
}

/// The products with the rows of a matrix that were found for each row of it, in the order of the rows of x.
pub(super) fn put_together(
    found: impl Iterator<Item = (Range<usize>, Vec<f32>)>,
    count: usize,
    outputs: usize,
) -> FlexTensor {
    if count == 1 {
        let mut products = Vec::with_capacity(outputs);
        found.for_each(|(_, found)| products.extend_from_slice(&found));
        return tensor(products, [1, outputs]);
    }
    let mut products = vec![0.0; count * outputs];
    for (rows, found) in found {
        for (output, found) in rows.zip(found.chunks_exact(count)) {
            let places = products[output..].iter_mut().step_by(outputs);
            places.zip(found).for_each(|(place, found)| *place = *found);
        }
    }
    tensor(products, [count, outputs])
}

/// Work on rows of a matrix, for any processor.
pub(super) trait OfRows {
    type Output;

    fn call(self, wide: impl Wide) -> Self::Output;
}

/// Work with the widest instructions that there are.
pub(super) struct Widely<W>(pub W);

impl<W: OfRows> NullaryFnOnce for Widely<W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return self.0.call(simd);
        }
        self.0.call(Plain)
    }
}
