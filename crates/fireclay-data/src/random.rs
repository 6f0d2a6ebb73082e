//! Random numbers as a pure function of their keys.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for: draws for one purpose never move those for another.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Split = 1,
    Order = 2,
    Crop = 3,
    Flip = 4,
    Warp = 5,
    RandAugment = 6,
    ColorJitter = 7,
    Erase = 8,
    Mix = 9,
    Window = 10,
    Bucket = 11,
    Mask = 12,
    Shards = 13,
}

/// The stream of (seed, purpose, counter).
pub(crate) fn stream(seed: u64, purpose: Purpose, counter: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&counter.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The stream of (seed, purpose, epoch, sample).
pub(crate) fn sample_stream(seed: u64, purpose: Purpose, epoch: u64, sample: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, part) in key
        .chunks_exact_mut(8)
        .zip([seed, purpose as u64, epoch, sample])
    {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    // The second of the streams of this key, so that epoch 0, sample 0 is not what `stream` gives.
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(1);
    rng
}

/// The permutation of Fisher and Yates. Written out so that no release of a library changes it.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u64 + 1, rng) as usize);
    }
}

/// A number below `bound`, each with the same probability (Lemire 2019, <https://arxiv.org/abs/1805.10941>).
pub(crate) fn below(bound: u64, rng: &mut ChaCha8Rng) -> u64 {
    let unfair = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= unfair {
            return (product >> 64) as u64;
        }
    }
}
