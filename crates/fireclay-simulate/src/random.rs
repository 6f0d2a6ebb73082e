//! Random numbers as a pure function of their keys.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Arm = 1,
    Sign = 2,
}

/// A stream of random numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream of (seed, purpose, counter).
    pub(crate) fn new(seed: u64, purpose: Purpose, counter: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&counter.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number in [0, 1), one of 2⁵³.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A number with the standard normal distribution (Box & Muller 1958, <https://doi.org/10.1214/aoms/1177706645>).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), TAU * self.unit());
        (-2.0 * libm::log(radius)).sqrt() * libm::cos(angle)
    }

    /// Whether what happens with this probability does.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_distributions() {
        let mut random = Random::new(7, Purpose::Arm, 0);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let moment = |power| draws.iter().map(|draw| draw.powi(power)).sum::<f64>() / f64::from(n);
        // The standard errors of the moments are 0.003, 0.0045 and 0.03.
        assert!(moment(1).abs() < 0.015, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.02, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.15, "{}", moment(4));
        let draws: Vec<f64> = (0..n).map(|_| random.between(-1.0, 3.0)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!(draws.iter().all(|draw| (-1.0..3.0).contains(draw)));
        let often = (0..n).filter(|_| random.happens(0.3)).count() as f64 / f64::from(n);
        assert!((often - 0.3).abs() < 0.01, "{often}");
    }

    #[test]
    fn every_key_has_a_stream_of_its_own() {
        let first = |seed, purpose, counter| Random::new(seed, purpose, counter).unit();
        let streams = [
            first(1, Purpose::Arm, 0),
            first(2, Purpose::Arm, 0),
            first(1, Purpose::Sign, 0),
            first(1, Purpose::Arm, 1),
        ];
        for (index, stream) in streams.iter().enumerate() {
            assert!(!streams[..index].contains(stream));
        }
    }
}
