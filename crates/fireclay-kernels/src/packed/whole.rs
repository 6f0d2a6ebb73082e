//! Products with whole numbers that have a scale for each group.
//!
//! The other factor is rounded to whole numbers of 16 bits times a scale for each sixteen of them. The products of two
//! neighbours are added up as whole numbers, which is exact, and all else in single precision. So a number errs by about
//! half of a 32,767th of the largest of its group at most, far less than the matrix was rounded by. After ggml, which rounds
//! the inputs to eight bits (`ggml_vec_dot`).

use std::ops::Range;

use burn::backend::flex::FlexTensor;

use super::Packed;
use super::rounded::{Rounded, Sums, rounded};
use super::rows::{OfRows, Widely, pieces, put_together};
use super::wide::{GROUP, Wide};
use crate::flex::run;

/// The products of a few rows with several matrices of as many columns, each row of a matrix in turn.
pub(super) fn by_rows<const N: usize>(
    x: &FlexTensor,
    count: usize,
    weights: [&Packed; N],
) -> [FlexTensor; N] {
    let x = &rounded(x.storage::<f32>());
    let work = weights.iter().flat_map(|weight| {
        let rows = pieces(weight);
        rows.map(move |rows| Widely(Rows { weight, rows, x }))
    });
    let mut found = run(work).into_iter();
    weights.map(|weight| {
        let found = pieces(weight).zip(found.by_ref());
        put_together(found, count, weight.shape[0])
    })
}

/// Multiplies some rows of a matrix with each of `x`.
struct Rows<'a> {
    weight: &'a Packed,
    rows: Range<usize>,
    x: &'a [Rounded],
}

impl OfRows for Rows<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call(self, wide: impl Wide) -> Vec<f32> {
        let (x, _) = self.x.as_chunks();
        let width = self.weight.shape[1] / (2 * GROUP);
        let count = x.len() / width;
        let mut products = Vec::with_capacity(self.rows.len() * count);
        if count == 1 {
            for index in self.rows {
                let mut x = x.iter();
                let sums = self.weight.fold(
                    wide,
                    index,
                    Sums::default(),
                    // Inlined, or it is compiled for any processor.
                    #[inline(always)]
                    |sums, groups| match x.next() {
                        Some(x) => sums.add(wide, &groups, x),
                        None => sums,
                    },
                );
                products.push(sums.total());
            }
            return products;
        }
        let mut sums = vec![Sums::default(); count];
        for index in self.rows {
            sums.fill(Sums::default());
            self.weight.fold(
                wide,
                index,
                0,
                #[inline(always)]
                |at, groups| {
                    for (sums, x) in sums.iter_mut().zip(x.iter().skip(at).step_by(width)) {
                        *sums = sums.add(wide, &groups, x);
                    }
                    at + 1
                },
            );
            products.extend(sums.iter().map(|sums| sums.total()));
        }
        products
    }
}

#[cfg(test)]
mod tests {
    use super::super::Packing;
    use super::super::wide::Plain;
    use super::*;

    #[test]
    fn every_processor_finds_the_same_but_for_the_last_bits() {
        for format in [
            Packing::Q8_0,
            Packing::Q4_0,
            Packing::Q5_1,
            Packing::Q5K,
            Packing::Q6K,
        ] {
            let bytes = 0..format.bytes([9, 256]);
            let bytes = bytes
                .map(|at| (at * at * 31 + at * 7) as u8 & 0xbf)
                .collect();
            let weight = &Packed::of_bytes(format, [9, 256], bytes).expect("as many bytes");
            for count in [1, 3] {
                let x: Vec<f32> = (0..count * 256).map(|at| (at as f32).sin()).collect();
                let x = &rounded(&x);
                let rows = || Rows {
                    weight,
                    rows: 0..9,
                    x,
                };
                let plain = rows().call(Plain);
                let [wide] = <[Vec<f32>; 1]>::try_from(run([Widely(rows())].into_iter()))
                    .expect("one piece");
                assert_eq!(wide.len(), 9 * count);
                let most = plain.iter().fold(1.0, |most: f32, x| most.max(x.abs()));
                for (plain, wide) in plain.iter().zip(wide) {
                    assert!((plain - wide).abs() <= 1e-5 * most, "{plain}, {wide}");
                }
            }
        }
    }
}
