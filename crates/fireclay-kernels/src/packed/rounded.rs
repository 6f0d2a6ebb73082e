//! Rows of whole numbers of 16 bits, and sums of their products.

use super::blocks::Group;
use super::wide::{GROUP, Wide};

/// The largest of the whole numbers.
const MOST: f32 = 32767.0;

/// Sixteen numbers of a row, rounded.
pub(super) struct Rounded {
    numbers: [i16; GROUP],
    scale: f32,
    /// What they add up to.
    sum: f32,
}

/// Numbers, sixteen at a time; there are whole groups.
pub(super) fn rounded(row: &[f32]) -> Vec<Rounded> {
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

/// The sums of a row of a matrix times a row of numbers, two groups after two. They go from hand to hand rather than stay in
/// a place, so that they are in registers.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    /// For each pair of numbers of the first of two groups.
    first: [f32; GROUP / 2],
    /// Of the second.
    second: [f32; GROUP / 2],
    below: f32,
}

impl Sums {
    #[inline(always)]
    pub(super) fn add(
        self,
        wide: impl Wide,
        [first, second]: &[Group; 2],
        x: &[Rounded; 2],
    ) -> Self {
        let [left, right] = x;
        Self {
            first: wide.add_pairs(
                first.codes,
                left.numbers,
                first.scale * left.scale,
                self.first,
            ),
            second: wide.add_pairs(
                second.codes,
                right.numbers,
                second.scale * right.scale,
                self.second,
            ),
            below: below(wide, second, right, below(wide, first, left, self.below)),
        }
    }

    #[inline(always)]
    pub(super) fn total(self) -> f32 {
        let sums = self.first.into_iter().zip(self.second);
        sums.map(|(first, second)| first + second).sum::<f32>() - self.below
    }
}

#[inline(always)]
fn below(wide: impl Wide, group: &Group, x: &Rounded, sum: f32) -> f32 {
    match group.below {
        Some(below) => wide.fused(below, x.sum, sum),
        None => sum,
    }
}
