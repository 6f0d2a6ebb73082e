//! Whether a part of a split fares otherwise than the rest.

use crate::fisher_exact;

/// A part of a split, by a value of each row: 1 where it is right and 0 where not, or an error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// How many rows it has.
    pub n: usize,
    /// The mean of their values.
    pub mean: f64,
    /// The mean of the values of all other rows.
    pub others: f64,
    /// The probability of a mean that is at least as far from that of the split, had the rows of the
    /// slice been drawn from the split at random.
    pub p: f64,
}

/// Compares the rows of a slice with the split. `values` is `[n]`; `rows` are row numbers, each once.
///
/// The probability is that of a two-sided permutation test. Where every value is 0 or 1 it is exact
/// ([`fisher_exact`]). Else it is by the exact mean and variance of a sum that is drawn without
/// replacement, and a normal distribution (Hájek 1960): good from some ten rows on. `None` unless there
/// are rows in the slice and outside.
pub fn slice(values: &[f64], rows: &[usize]) -> Option<Slice> {
    let (all, n) = (values.len(), rows.len());
    if n == 0 || n >= all {
        return None;
    }
    let total: f64 = values.iter().sum();
    let sum: f64 = rows.iter().map(|&row| values[row]).sum();
    let are_hits = values.iter().all(|value| *value == 0.0 || *value == 1.0);
    Some(Slice {
        n,
        mean: sum / n as f64,
        others: (total - sum) / (all - n) as f64,
        p: match are_hits {
            true => fisher_exact((sum as usize, n), ((total - sum) as usize, all - n)),
            false => by_normal(values, total / all as f64, (sum, n)),
        },
    })
}

/// The probability of a sum of `n` of the values that is at least as far from what their mean lets expect.
fn by_normal(values: &[f64], mean: f64, (sum, n): (f64, usize)) -> f64 {
    let (all, n) = (values.len() as f64, n as f64);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let of_mean = squares / (all - 1.0) / n * (1.0 - n / all);
    match of_mean > 0.0 {
        true => two_sided((sum / n - mean).abs() / of_mean.sqrt()),
        false => 1.0,
    }
}

/// The probability that a standard normal variable is at least this far from 0 (Abramowitz and
/// Stegun 1964, 7.1.26, for the error function; its error is below 2e-7).
pub(crate) fn two_sided(z: f64) -> f64 {
    const FACTORS: [f64; 5] = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = FACTORS
        .iter()
        .rev()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    (sum * (-x * x).exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_normal_distribution() {
        for (z, p) in [
            (0.0, 1.0),
            (1.0, 0.317_310_5),
            (1.959_964, 0.05),
            (3.0, 0.002_699_8),
        ] {
            assert!((two_sided(z) - p).abs() < 1e-6, "{z}: {}", two_sided(z));
        }
    }

    #[test]
    fn a_slice_of_errors_is_found_and_a_usual_one_is_not() {
        // 90 rows of which every tenth is wrong, and 10 that are all wrong.
        let values: Vec<f64> = (0..100)
            .map(|row| f64::from(u8::from(row < 90 && row % 10 > 0)))
            .collect();
        let bad = slice(&values, &(90..100).collect::<Vec<_>>()).expect("a part");
        assert_eq!((bad.n, bad.mean, bad.others), (10, 0.0, 0.9));
        assert!(bad.p < 1e-6, "{}", bad.p);
        let usual = slice(&values, &(0..50).collect::<Vec<_>>()).expect("a part");
        // 45 of 50 against 36 of 50.
        assert_eq!(usual.p, fisher_exact((45, 50), (36, 50)));
        // The same as errors of another size: hypergeometric variance 50·0.81·0.19·50/99.
        let errors: Vec<f64> = values.iter().map(|value| 2.0 * value).collect();
        let usual = slice(&errors, &(0..50).collect::<Vec<_>>()).expect("a part");
        let z = 4.5 / (50.0_f64 * 0.81 * 0.19 * 50.0 / 99.0).sqrt();
        assert!((usual.p - two_sided(z)).abs() < 1e-12);
        assert!(slice(&values, &[]).is_none());
        assert!(slice(&values, &(0..100).collect::<Vec<_>>()).is_none());
        assert_eq!(slice(&[1.0; 9], &[0, 1]).expect("a part").p, 1.0);
    }
}
