//! Products with whole numbers that have a scale for each group.
//!
//! The other factor is rounded to whole numbers of 16 bits times a scale for each 32 of them. Four products at a time are
//! added up as whole numbers, which is exact but for `Q6_K`, and all else in single precision. So a number errs by about
//! half of a 32,767th of the largest of its 32 at most, far less than the matrix was rounded by. After ggml, which rounds
//! the inputs to eight bits (`ggml_vec_dot`).

use std::ops::Range;
use std::slice::ChunksExact;

use burn::backend::flex::FlexTensor;

use super::Packed;
use super::blocks::{PART, Part};
use super::format::OfBlocks;
use super::rounded::{Rounded, Sums, rounded};
use super::rows::{OfRows, Widely, pieces, put_together};
use super::wide::Wide;
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
        let (weight, x) = (self.weight, self.x);
        let count = x.len() * PART / weight.shape[1];
        let Some((bytes, length)) = weight.rows_of_blocks(self.rows.clone()) else {
            return vec![0.0; self.rows.len() * count];
        };
        let rows = bytes.chunks_exact(length);
        match count {
            1 => weight.format.whole(wide, One { wide, rows, x }),
            _ => weight.format.whole(wide, Several { wide, rows, x }),
        }
    }
}

/// Rows of a matrix times one row.
struct One<'a, W> {
    wide: W,
    rows: ChunksExact<'a, u8>,
    x: &'a [Rounded],
}

impl<W: Wide> OfBlocks for One<'_, W> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call<const BYTES: usize, const PARTS: usize>(
        self,
        part: impl Fn(&[u8; BYTES], usize) -> Part,
    ) -> Vec<f32> {
        let (x, _) = self.x.as_chunks::<PARTS>();
        let mut products = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let (blocks, _) = row.as_chunks();
            let mut sums = Sums::default();
            for (block, x) in blocks.iter().zip(x) {
                for (at, x) in x.iter().enumerate() {
                    sums = sums.add(self.wide, &part(block, at), x);
                }
            }
            products.push(sums.total());
        }
        products
    }
}

/// Rows of a matrix times several rows, each of which follows the one before it.
struct Several<'a, W> {
    wide: W,
    rows: ChunksExact<'a, u8>,
    x: &'a [Rounded],
}

impl<W: Wide> OfBlocks for Several<'_, W> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call<const BYTES: usize, const PARTS: usize>(
        self,
        part: impl Fn(&[u8; BYTES], usize) -> Part,
    ) -> Vec<f32> {
        let (mut products, mut sums) = (Vec::new(), Vec::new());
        for row in self.rows {
            let (blocks, _) = row.as_chunks();
            let width = PARTS * blocks.len();
            sums.clear();
            sums.resize(self.x.len() / width, Sums::default());
            for (index, block) in blocks.iter().enumerate() {
                for at in 0..PARTS {
                    let part = part(block, at);
                    let x = self.x.iter().skip(PARTS * index + at).step_by(width);
                    for (sums, x) in sums.iter_mut().zip(x) {
                        *sums = sums.add(self.wide, &part, x);
                    }
                }
            }
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
            Packing::Q4_1,
            Packing::Q5_0,
            Packing::Q5_1,
            Packing::Q4K,
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
