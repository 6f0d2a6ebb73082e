//! Random numbers as a pure function of their keys.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream of a seed and a number.
pub(crate) fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}
