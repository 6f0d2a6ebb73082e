//! The random numbers of one operation on one image in one epoch.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::random::{Purpose, below, sample_stream};

/// A stream of draws. Operations have streams of their own, so that turning one on leaves what the
/// others do as it is. Distributions are written out so that no release of a library changes them.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64, purpose: Purpose, epoch: u64, sample: u64) -> Self {
        Self(sample_stream(seed, purpose, epoch, sample))
    }

    /// Evenly from 0 to 1, 1 excluded.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly from `low` to `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Evenly from `-most` to `most`.
    pub(crate) fn around_zero(&mut self, most: f64) -> f64 {
        self.between(-most, most)
    }

    /// Evenly on the scale of logarithms.
    pub(crate) fn log_between(&mut self, [low, high]: [f64; 2]) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// One of `0..count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        below(count as u64, &mut self.0) as usize
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// From Beta(alpha, alpha). Logarithms all the way: with a small alpha the gamma variables are
    /// far below the smallest float.
    pub(crate) fn beta(&mut self, alpha: f64) -> f64 {
        let (one, other) = (
            self.log_gamma_variable(alpha),
            self.log_gamma_variable(alpha),
        );
        1.0 / (1.0 + (other - one).exp())
    }

    /// The logarithm of a draw from Gamma(shape) (Marsaglia and Tsang 2000,
    /// <https://doi.org/10.1145/358407.358414>).
    fn log_gamma_variable(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let larger = self.log_gamma_variable(shape + 1.0);
            return larger + self.positive().ln() / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.positive().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return (d * v).ln();
            }
        }
    }

    /// Box and Muller's normal variable.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.positive().ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// Evenly from 0 to 1, 0 excluded.
    fn positive(&mut self) -> f64 {
        1.0 - self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(sample: u64) -> Draws {
        Draws::new(1, Purpose::Mix, 2, sample)
    }

    #[test]
    fn streams_never_change_between_releases() {
        let mut first = draws(3);
        assert_eq!(
            [first.below(1000), first.below(1000), first.below(1000)],
            EXPECTED
        );
        assert_ne!(draws(3).unit(), draws(4).unit());
        assert_ne!(draws(3).unit(), Draws::new(1, Purpose::Crop, 2, 3).unit());
        assert_ne!(draws(3).unit(), Draws::new(1, Purpose::Mix, 1, 3).unit());
    }

    const EXPECTED: [usize; 3] = [388, 280, 326];

    #[test]
    fn beta_has_its_mean_and_variance() {
        for alpha in [0.05, 0.2, 1.0, 4.0] {
            let mut draws = draws(5);
            let values: Vec<f64> = (0..20_000).map(|_| draws.beta(alpha)).collect();
            let mean = values.iter().sum::<f64>() / 20_000.0;
            let variance = values.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / 20_000.0;
            let expected = 0.25 / (2.0 * alpha + 1.0);
            assert!(values.iter().all(|x| (0.0..=1.0).contains(x)));
            assert!((mean - 0.5).abs() < 0.015, "alpha {alpha}: mean {mean}");
            assert!(
                (variance / expected - 1.0).abs() < 0.05,
                "alpha {alpha}: {variance}, not {expected}"
            );
        }
    }
}
