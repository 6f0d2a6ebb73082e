//! Products with whole numbers that have a scale for each group.
//!
//! The other factor is rounded to whole numbers of 16 bits times a scale for each sixteen of them. The products of two
//! neighbours are added up as whole numbers, which is exact, and all else in single precision. So a number errs by about
//! half of a 32,767th of the largest of its group at most, far less than the matrix was rounded by. After ggml, which rounds
//! the inputs to eight bits (`ggml_vec_dot`).

use std::ops::Range;

use burn::backend::flex::FlexTensor;

use super::Packed;
use super::blocks::Group;
use super::rows::{OfRows, Widely, pieces, put_together};
use super::wide::{GROUP, Wide};
use crate::flex::run;

/// The largest of the whole numbers.
const MOST: f32 = 32767.0;

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

/// Sixteen numbers of a row, rounded.
struct Rounded {
    numbers: [i16; GROUP],
    scale: f32,
    /// What they add up to.
    sum: f32,
}

/// Numbers, sixteen at a time; there are whole groups.
fn rounded(row: &[f32]) -> Vec<Rounded> {
    let (groups, _) = row.as_chunks();
    groups.iter().map(round).collect()
}

fn round(x: &[f32; GROUP]) -> Rounded {
    // Of the bits without the sign, for which what is no number is larger than any.
    let sizes = x.map(|x| x.to_bits() & 0x7fff_ffff);
    let most = f32::from_bits(sizes.into_iter().fold(0, u32::max));
    let steps = MOST / most;
    if !steps.is_finite() || !most.is_finite() {
        // All are zero, or nearly; or the products are no numbers either.
        let scale = if most.is_finite() { 0.0 } else { f32::NAN };
        return Rounded {
            numbers: [0; GROUP],
            scale,
            sum: scale,
        };
    }
    let numbers = x.map(|x| nearest(x * steps));
    let scale = most / MOST;
    let sum: i32 = numbers.iter().map(|x| i32::from(*x)).sum();
    Rounded {
        numbers,
        scale,
        sum: scale * sum as f32,
    }
}

/// The nearest whole number, of 16 bits.
fn nearest(x: f32) -> i16 {
    // From 2²³ on single precision has whole numbers alone, so the sum is rounded, and its last bits are the number.
    (x + 12_582_912.0).to_bits() as i16
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
                // Apart from the loop below, so that the sums stay in registers.
                let (mut sums, mut x) = (Sums::new(), x.iter());
                self.weight.pairs(
                    wide,
                    index,
                    // Inlined, or it is compiled for any processor.
                    #[inline(always)]
                    |groups| {
                        if let Some(x) = x.next() {
                            sums.add(wide, &groups, x);
                        }
                    },
                );
                products.push(sums.total());
            }
            return products;
        }
        let mut sums: Vec<Sums> = Vec::with_capacity(count);
        for index in self.rows {
            sums.clear();
            sums.resize_with(count, Sums::new);
            let mut at = 0;
            self.weight.pairs(
                wide,
                index,
                #[inline(always)]
                |groups| {
                    for (sums, x) in sums.iter_mut().zip(x.iter().skip(at).step_by(width)) {
                        sums.add(wide, &groups, x);
                    }
                    at += 1;
                },
            );
            for sums in sums.drain(..) {
                products.push(sums.total());
            }
        }
        products
    }
}

/// A row of a matrix times a row of numbers, two groups after two.
struct Sums {
    /// A sum for each pair of numbers of a group, of the first and of the second of two groups.
    pairs: [[f32; GROUP / 2]; 2],
    below: f32,
}

impl Sums {
    #[inline(always)]
    fn new() -> Self {
        Self {
            pairs: [[0.0; GROUP / 2]; 2],
            below: 0.0,
        }
    }

    #[inline(always)]
    fn add(&mut self, wide: impl Wide, groups: &[Group; 2], x: &[Rounded; 2]) {
        for ((sums, group), x) in self.pairs.iter_mut().zip(groups).zip(x) {
            let scale = group.scale * x.scale;
            let pairs = wide.pairs(group.codes, x.numbers);
            for (sum, pair) in sums.iter_mut().zip(pairs) {
                *sum = wide.fused(scale, pair, *sum);
            }
            if let Some(below) = group.below {
                self.below = wide.fused(below, x.sum, self.below);
            }
        }
    }

    #[inline(always)]
    fn total(self) -> f32 {
        let [first, second] = self.pairs;
        let sums = first.into_iter().zip(second);
        sums.map(|(first, second)| first + second).sum::<f32>() - self.below
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
