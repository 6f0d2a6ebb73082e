//! A permutation that is computed where it is asked for, of more samples than should be listed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A permutation of `0..n` in a few bytes, whatever `n` is.
///
/// A network of Feistel's over two digits to the base √n, walked along its cycle until it is below
/// `n`: Black and Rogaway 2002, *Ciphers with Arbitrary Finite Domains*, methods 2 and 3. What mixes
/// the digits is no cipher, but all that an order of samples needs.
#[derive(Clone, Debug)]
pub(crate) struct Permutation {
    n: u32,
    /// The least number whose square is `n` or more.
    base: u64,
    keys: [u64; ROUNDS],
}

/// Twice what makes a network of random functions look random.
const ROUNDS: usize = 8;

impl Permutation {
    pub fn new(n: u32, rng: &mut ChaCha8Rng) -> Self {
        let root = u64::from(n).isqrt();
        Self {
            n,
            base: root + u64::from(root * root < u64::from(n)),
            keys: std::array::from_fn(|_| rng.next_u64()),
        }
    }

    /// What is at `position`, which is below `n`.
    pub fn at(&self, position: u32) -> u32 {
        let mut at = self.network(position.into());
        // The square of the base is hardly more than `n`: this is as good as never taken.
        while at >= u64::from(self.n) {
            at = self.network(at);
        }
        at as u32
    }

    fn network(&self, at: u64) -> u64 {
        let (mut left, mut right) = (at / self.base, at % self.base);
        for key in self.keys {
            (left, right) = (right, (left + mix(right ^ key) % self.base) % self.base);
        }
        left * self.base + right
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014, figure 17): every bit depends on all.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Purpose, stream};

    fn permutation(seed: u64, n: u32) -> Permutation {
        Permutation::new(n, &mut stream(seed, Purpose::Order, 0))
    }

    proptest! {
        #[test]
        fn everything_is_somewhere_once(seed: u64, n in 1u32..3000) {
            let permutation = permutation(seed, n);
            let mut all: Vec<u32> = (0..n).map(|position| permutation.at(position)).collect();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..n));
        }
    }

    #[test]
    fn the_largest_number_of_samples_fits() {
        let permutation = permutation(1, u32::MAX);
        assert!((0..1000).all(|position| permutation.at(u32::MAX - 1 - position) < u32::MAX));
    }

    #[test]
    fn every_place_is_reached_about_equally_often() {
        let mut counts = [[0; 5]; 5];
        for seed in 0..5000 {
            let permutation = permutation(seed, 5);
            for position in 0..5 {
                counts[position as usize][permutation.at(position) as usize] += 1;
            }
        }
        let mut counts = counts.iter().flatten();
        assert!(counts.all(|count| (880..1120).contains(count)));
    }

    #[test]
    fn neighbours_are_parted() {
        let permutation = permutation(3, 1 << 20);
        let steps = (1..10_000).map(|position| {
            let (a, b) = (permutation.at(position - 1), permutation.at(position));
            f64::from(a.abs_diff(b)) / f64::from(1 << 20)
        });
        // Two independent numbers between 0 and 1 differ by a third on average.
        let mean = steps.sum::<f64>() / 9999.0;
        assert!((mean - 1.0 / 3.0).abs() < 0.01, "{mean}");
    }
}
