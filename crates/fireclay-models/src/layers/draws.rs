//! What is drawn in a forward pass, as a pure function of what it is drawn for.

use std::cell::Cell;
#[cfg(test)]
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

/// What the masks of one forward pass depend on, and nothing else: not on other threads, nor on how
/// a batch is cut into parts.
///
/// Burn has one generator for the whole process, from which two threads would draw in any order.
/// Inside [`scope`](Self::scope) dropout draws on the host, by counting: each element of a mask is a
/// function of this key, of how many masks came before it in the pass, and of its position in the whole
/// batch. Outside, and on every device that is not the CPU, Burn's generator serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// What tells this pass from others: made of the seed and the step.
    pub key: u64,
    /// Samples of the batch before those of this pass, where the batch is cut into parts.
    pub before: usize,
    /// Samples of this pass.
    pub samples: usize,
}

thread_local! {
    static CURRENT: Cell<Option<(Draws, u64)>> = const { Cell::new(None) };
}

impl Draws {
    /// Runs a forward pass on this thread that draws from here.
    pub fn scope<R>(self, forward: impl FnOnce() -> R) -> R {
        let _outer = Outer(CURRENT.replace(Some((self, 0))));
        forward()
    }

    /// The bits of the elements of mask number `turn`, two to each number.
    fn bits(self, turn: u64, length: usize) -> impl Iterator<Item = u32> {
        let each = length / self.samples.max(1);
        let start = (self.before * each) as u64;
        let stream = mix(self.key ^ mix(turn));
        let pair =
            move |position: u64| mix(stream.wrapping_add((position / 2).wrapping_mul(GAMMA)));
        (start..start + length as u64)
            .map(move |position| (pair(position) >> (32 * (position % 2))) as u32)
    }
}

/// Puts back what was there, also when the pass panics.
struct Outer(Option<(Draws, u64)>);

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// A key made of the seed and of what tells a pass from others, such as its step.
pub fn key<const N: usize>(seed: u64, parts: [u64; N]) -> u64 {
    parts
        .into_iter()
        .fold(seed, |key, part| mix(key ^ mix(part)))
}

/// A mask of `1 / keep` with probability `keep` and of 0 otherwise, whose first axis is made of the
/// batch's samples.
pub fn mask<const D: usize>(
    shape: [usize; D],
    keep: f64,
    (device, dtype): (&Device, DType),
) -> Tensor<D> {
    let Some((draws, turn)) = CURRENT.get() else {
        #[cfg(test)]
        Alone::check();
        let random = Tensor::random(shape, Distribution::Bernoulli(keep), (device, dtype));
        return random.mul_scalar(1.0 / keep);
    };
    CURRENT.set(Some((draws, turn + 1)));
    let below = (keep * 2f64.powi(32)) as u64;
    let scale = (1.0 / keep) as f32;
    let bits = draws.bits(turn, shape.iter().product());
    let values = bits.map(|bits| if u64::from(bits) < below { scale } else { 0.0 });
    let data = TensorData::new(values.collect::<Vec<f32>>(), shape);
    Tensor::from_data(data, (device, dtype))
}

/// Burn's generator, held by one test at a time: it is the process's, so a test that draws beside one that
/// compares two draws would part them.
#[cfg(test)]
pub(crate) struct Alone(#[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

#[cfg(test)]
thread_local! {
    static IS_ALONE: Cell<bool> = const { Cell::new(false) };
}

#[cfg(test)]
impl Alone {
    pub(crate) fn new() -> Self {
        static GENERATOR: Mutex<()> = Mutex::new(());
        let held = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        IS_ALONE.set(true);
        Self(held)
    }

    /// Fails in a test that draws and does not hold the generator.
    fn check() {
        assert!(IS_ALONE.get(), "a test that draws holds `generator()`");
    }
}

#[cfg(test)]
impl Drop for Alone {
    fn drop(&mut self) {
        IS_ALONE.set(false);
    }
}

/// The increment of SplitMix64.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele, Lea & Flood 2014, *Fast splittable pseudorandom number generators*): its
/// state counts, so that any of its numbers is had at once.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(GAMMA);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(draws: Draws, rows: usize) -> Vec<f32> {
        let device = Device::flex();
        let two = draws
            .scope(|| [0, 1].map(|_| mask([rows, 3], 0.75, (&device, DType::F32)).into_data()));
        two.iter().flat_map(|data| data.iter::<f32>()).collect()
    }

    fn draws(before: usize, samples: usize) -> Draws {
        Draws {
            key: 7,
            before,
            samples,
        }
    }

    #[test]
    fn parts_of_a_batch_draw_what_the_whole_draws() {
        let whole = values(draws(0, 5), 5);
        let (first, second) = (values(draws(0, 2), 2), values(draws(2, 3), 3));
        for mask in 0..2 {
            let parts = [&first[mask * 6..][..6], &second[mask * 9..][..9]].concat();
            assert_eq!(whole[mask * 15..][..15], parts);
        }
        assert_ne!(whole[..15], whole[15..]);
        assert_ne!(
            whole,
            values(
                Draws {
                    key: 8,
                    ..draws(0, 5)
                },
                5
            )
        );
    }

    #[test]
    fn the_share_that_stays_is_what_was_asked_for() {
        let values = values(draws(0, 20_000), 20_000);
        let kept = values.iter().filter(|value| **value > 0.0).count() as f64;
        let share = kept / values.len() as f64;
        // Four standard deviations of a share of 120,000 draws with probability 0.75.
        assert!((share - 0.75).abs() < 0.005, "{share}");
        assert!(
            values
                .iter()
                .all(|v| *v == 0.0 || *v == (1.0 / 0.75f64) as f32)
        );
    }

    #[test]
    fn neighbours_are_independent() {
        let values = values(draws(0, 20_000), 20_000);
        for distance in [1, 2, 3, 6] {
            let pairs = values.iter().zip(&values[distance..]);
            let both = pairs.filter(|(a, b)| **a > 0.0 && **b > 0.0).count() as f64;
            let share = both / (values.len() - distance) as f64;
            assert!((share - 0.5625).abs() < 0.008, "{distance}: {share}");
        }
    }

    #[test]
    fn nothing_of_a_scope_is_left_behind() {
        let outer = draws(0, 1);
        outer.scope(|| {
            let inside = std::panic::catch_unwind(|| draws(9, 1).scope(|| panic!("as planned")));
            assert!(inside.is_err());
            assert_eq!(CURRENT.get(), Some((outer, 0)));
        });
        assert_eq!(CURRENT.get(), None);
    }
}
