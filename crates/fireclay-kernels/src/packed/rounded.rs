//! Rows of whole numbers of 16 bits, and sums of their products.

use super::blocks::{PART, Part};
use super::wide::{GROUP, Wide};

/// The largest of the whole numbers.
const MOST: f32 = 32767.0;

/// Numbers of a row, as many as a [`Part`] has, rounded.
pub(super) struct Rounded {
    numbers: [[i16; GROUP]; 2],
    scale: f32,
    /// What they add up to.
    sum: f32,
}

/// Numbers, a part at a time; there are whole parts.
pub(super) fn rounded(row: &[f32]) -> Vec<Rounded> {
    let (parts, _) = row.as_chunks();
    parts.iter().map(round).collect()
}

fn round(x: &[f32; PART]) -> Rounded {
    // Of the bits without the sign, for which what is no number is larger than any.
    let sizes = x.map(|x| x.to_bits() & 0x7fff_ffff);
    let most = f32::from_bits(sizes.into_iter().fold(0, u32::max));
    let steps = MOST / most;
    if !steps.is_finite() || !most.is_finite() {
        // All are zero, or nearly; or the products are no numbers either.
        let scale = if most.is_finite() { 0.0 } else { f32::NAN };
        return Rounded {
            numbers: [[0; GROUP]; 2],
            scale,
            sum: scale,
        };
    }
    let numbers = x.map(|x| nearest(x * steps));
    let scale = most / MOST;
    let sum: i32 = numbers.iter().map(|x| i32::from(*x)).sum();
    let (numbers, _) = numbers.as_chunks();
    Rounded {
        numbers: [numbers[0], numbers[1]],
        scale,
        sum: scale * sum as f32,
    }
}

/// The nearest whole number, of 16 bits.
fn nearest(x: f32) -> i16 {
    // From 2²³ on single precision has whole numbers alone, so the sum is rounded, and its last bits are the number.
    (x + 12_582_912.0).to_bits() as i16
}

/// The sums of a row of a matrix times a row of numbers, a part after the other. They go from hand to hand rather than stay
/// in a place, so that they are in registers.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    sums: [f32; GROUP / 2],
    below: f32,
}

impl Sums {
    #[inline(always)]
    pub(super) fn add(self, wide: impl Wide, part: &Part, x: &Rounded) -> Self {
        let codes = match part.scales {
            Some([first, second]) => [
                wide.times(first.into(), part.codes[0]),
                wide.times(second.into(), part.codes[1]),
            ],
            None => part.codes,
        };
        let below = match part.below {
            Some(below) => wide.fused(below, x.sum, self.below),
            None => self.below,
        };
        let sums = wide.add_products(codes, x.numbers, part.scale * x.scale, self.sums);
        Self { sums, below }
    }

    #[inline(always)]
    pub(super) fn total(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.sums;
        (((a + b) + (c + d)) + ((e + f) + (g + h))) - self.below
    }
}
