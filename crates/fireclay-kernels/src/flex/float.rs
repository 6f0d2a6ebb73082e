//! Functions of single numbers, without a branch or a call, so that loops over them become vector
//! instructions, and sums in a fixed order.
//!
//! Products and sums are kept apart rather than fused: where a processor has no fused form, that
//! would be a call for each. Bounds of the errors are those which the tests check.

use pulp::Simd;

/// Sums run side by side, of which the compiler makes vectors.
pub(crate) const LANES: usize = 16;

/// x y + sum, rounded once where the processor has instructions for it.
#[inline(always)]
pub(crate) fn fused<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
    // Without instructions for it a fused product would be a call.
    if S::IS_SCALAR {
        simd.add_f32s(simd.mul_f32s(x, y), sum)
    } else {
        simd.mul_add_f32s(x, y, sum)
    }
}

/// e^x for x that is not above zero; 0 below -87.3, where the result would be subnormal. Relative
/// error below 2e-7.
///
/// Cody & Waite's reduction to |r| <= ln 2 / 2, then a polynomial fitted to (e^r - 1 - r) / r².
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LEAST: f32 = -87.3;
    /// Adding 1.5 * 2^23 rounds to an integer, which then is in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few enough bits for an exact product.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // A comparison that is false for NaN keeps it.
    let y = if x < LEAST { LEAST } else { x };
    let rounded = y * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = y - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 0.001_395_05;
    p = p * r + 0.008_368_89;
    p = p * r + 0.041_666_21;
    p = p * r + 0.166_665_2;
    p = p * r + 0.5;
    let power = p * r * r + r + 1.0;
    let two_to_n = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x < LEAST { 0.0 } else { power * two_to_n }
}

/// max(0, x); what is no number stays.
#[inline(always)]
pub(crate) fn relu(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// 1 / (1 + e^-x), with a relative error below 4e-7 down to -87.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let small = exp(-x.abs());
    let top = if x < 0.0 { small } else { 1.0 };
    top / (1.0 + small)
}

/// The standard normal distribution at x: the share below it, with an absolute error below 3e-7,
/// and the density.
///
/// The tail is e^(-x²/2) times a polynomial in 1 / (1 + c |x|), as in Abramowitz & Stegun 7.1.26
/// but fitted for a relative error of 3e-8.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    const C: f32 = 0.282_842_7;
    const DENSITY_AT_ZERO: f32 = 0.398_942_3;
    let z = 1.0 / (1.0 + C * x.abs());
    let bell = exp(-0.5 * x * x);
    let mut p = 0.014_347_795;
    p = p * z - 0.037_374_03;
    p = p * z - 0.031_844_28;
    p = p * z + 0.137_895_67;
    p = p * z - 0.034_284_7;
    p = p * z + 0.134_319_54;
    p = p * z + 0.088_707_94;
    p = p * z + 0.115_677_62;
    p = p * z + 0.112_541_28;
    p = p * z + 1.320_282_8e-5;
    let tail = p * bell;
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    (below, bell * DENSITY_AT_ZERO)
}

/// The sum of `f` over a row.
#[inline(always)]
pub(crate) fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = Sums::default();
    sums.add(row, f);
    sums.total()
}

/// The sum of the products of two rows of the same length.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = Sums::default();
    sums.add_pairs(a, b, |a, b| a * b);
    sums.total()
}

/// Sums side by side, which are added up at the end: that takes longer than to add a short row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums([f32; LANES]);

impl Sums {
    /// Adds `f` over a row.
    #[inline(always)]
    pub(crate) fn add(&mut self, row: &[f32], f: impl Fn(f32) -> f32) {
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            for (sum, x) in self.0.iter_mut().zip(chunk) {
                *sum += f(*x);
            }
        }
        for (sum, x) in self.0.iter_mut().zip(rest) {
            *sum += f(*x);
        }
    }

    /// Adds `f` over the pairs of two rows of the same length.
    #[inline(always)]
    pub(crate) fn add_pairs(&mut self, a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for ((sum, a), b) in self.0.iter_mut().zip(a).zip(b) {
                *sum += f(*a, *b);
            }
        }
        for (sum, (a, b)) in self.0.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            *sum += f(*a, *b);
        }
    }

    /// Adds both of what `f` makes of each pair of two rows of the same length, the first to the first
    /// sum, the second to the second.
    #[inline(always)]
    pub(crate) fn add_both(
        [first, second]: &mut [Self; 2],
        a: &[f32],
        b: &mut [f32],
        f: impl Fn(f32, &mut f32) -> [f32; 2],
    ) {
        let (a, a_rest) = a.as_chunks::<LANES>();
        let (b, b_rest) = b.as_chunks_mut::<LANES>();
        for (a, b) in a.iter().zip(b) {
            let sums = first.0.iter_mut().zip(&mut second.0);
            for ((first, second), (a, b)) in sums.zip(a.iter().zip(b)) {
                let [x, y] = f(*a, b);
                (*first, *second) = (*first + x, *second + y);
            }
        }
        let sums = first.0.iter_mut().zip(&mut second.0);
        for ((first, second), (a, b)) in sums.zip(a_rest.iter().zip(b_rest)) {
            let [x, y] = f(*a, b);
            (*first, *second) = (*first + x, *second + y);
        }
    }

    #[inline(always)]
    pub(crate) fn total(self) -> f32 {
        self.0.iter().sum()
    }
}

/// The greatest number of a row, minus infinity if there is none; what is no number is passed over.
#[inline(always)]
pub(crate) fn greatest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = if *x > *lane { *x } else { *lane };
    }
    // One half with the other, until one is left: a chain of all would wait for each.
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = if lanes[lane + half] > lanes[lane] {
                lanes[lane + half]
            } else {
                lanes[lane]
            };
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(low: f32, high: f32) -> impl Iterator<Item = f32> {
        (0..=200_000).map(move |i| low + (high - low) * (i as f32 / 200_000.0))
    }

    #[test]
    fn exp_is_within_its_bound() {
        for x in every(-87.3, 0.0) {
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2e-7, "exp({x}): {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(
            [exp(-88.0), exp(f32::MIN), exp(f32::NEG_INFINITY)],
            [0.0; 3]
        );
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn relu_keeps_what_is_no_number() {
        assert_eq!([relu(-1.0), relu(0.0), relu(2.0)], [0.0, 0.0, 2.0]);
        assert!(relu(f32::NAN).is_nan());
    }

    #[test]
    fn sigmoid_is_within_its_bound() {
        for x in every(-87.0, 87.0) {
            let expected = 1.0 / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(sigmoid(x)) - expected).abs() / expected;
            assert!(error < 4e-7, "sigmoid({x}): {error}");
        }
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert_eq!(sigmoid(f32::NEG_INFINITY), 0.0);
        assert!(sigmoid(f32::NAN).is_nan());
    }

    #[test]
    fn normal_is_within_its_bound() {
        // The share below x is the density's integral, by Simpson's rule in double precision.
        let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let step = 1e-3;
        let mut expected = 0.0;
        for i in -12_000..12_000 {
            let x = f64::from(i) * step;
            let (below, at) = normal(x as f32);
            assert!(
                (f64::from(below) - expected).abs() < 3e-7,
                "share below {x}"
            );
            assert!((f64::from(at) - density(x)).abs() < 2e-7, "density at {x}");
            let middle = density(x + step / 2.0);
            expected += step / 6.0 * (density(x) + 4.0 * middle + density(x + step));
        }
        assert_eq!(normal(f32::NEG_INFINITY), (0.0, 0.0));
        assert_eq!(normal(f32::INFINITY), (1.0, 0.0));
        assert!(normal(f32::NAN).0.is_nan());
    }

    #[test]
    fn sums_have_every_number() {
        for width in [0, 1, 7, 16, 17, 33, 1000] {
            let row: Vec<f32> = (0..width).map(|i| i as f32 / 8.0).collect();
            let half = width as f32 * (width as f32 - 1.0) / 2.0;
            assert_eq!(sum(&row, |x| x), half / 8.0);
            let squares: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
            assert!((f64::from(dot(&row, &row)) - squares).abs() <= 1e-6 * squares);
        }
    }
}
