//! Which samples a step sees: a pure function of (seed, epoch, step, rank).

use std::ops::Range;

use crate::permutation::Permutation;
use crate::random::{Purpose, shuffle, stream};

/// The samples of an epoch in the order in which they are visited.
#[derive(Clone, Debug)]
pub struct EpochOrder(Order);

#[derive(Clone, Debug)]
enum Order {
    Source(Range<u32>),
    Listed(Vec<u32>),
    Computed(Range<u32>, Permutation),
}

/// The order in which epoch `epoch` visits `samples`: a permutation of them that depends on nothing
/// but the arguments. Up to four million are listed; the order of more takes no memory.
pub fn epoch_order(seed: u64, epoch: u64, samples: Range<u32>) -> EpochOrder {
    let mut random = stream(seed, Purpose::Order, epoch);
    if samples.len() > LISTED {
        let permutation = Permutation::new(samples.len() as u32, &mut random);
        return EpochOrder(Order::Computed(samples, permutation));
    }
    let mut order: Vec<u32> = samples.collect();
    shuffle(&mut order, &mut random);
    EpochOrder(Order::Listed(order))
}

/// The most samples whose order is written down: 16 MiB of numbers.
const LISTED: usize = 1 << 22;

impl EpochOrder {
    /// The order of the source.
    pub fn source(samples: Range<u32>) -> Self {
        Self(Order::Source(samples))
    }

    /// An order that is written down.
    pub fn listed(order: Vec<u32>) -> Self {
        Self(Order::Listed(order))
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Order::Source(samples) | Order::Computed(samples, _) => samples.len(),
            Order::Listed(order) => order.len(),
        }
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples at these positions, which must be below [`len`](Self::len).
    pub fn at(&self, positions: Range<usize>) -> Vec<u32> {
        match &self.0 {
            Order::Source(samples) => {
                let sample = |position: usize| samples.start + position as u32;
                positions.map(sample).collect()
            }
            Order::Listed(order) => order[positions].to_vec(),
            Order::Computed(samples, permutation) => {
                let sample = |position: usize| samples.start + permutation.at(position as u32);
                positions.map(sample).collect()
            }
        }
    }

    /// All samples, written down.
    pub fn into_list(self) -> Vec<u32> {
        match self.0 {
            Order::Listed(order) => order,
            _ => self.at(0..self.len()),
        }
    }
}

/// Rearranges the `order` of an epoch so that batches of `batch_size` hold samples of about the same
/// length, and little of them is padding: the samples of every 64 batches are sorted, then their
/// batches are shuffled. A pure function of its arguments.
pub fn by_length(
    order: &mut [u32],
    batch_size: usize,
    (seed, epoch): (u64, u64),
    length: impl Fn(u32) -> usize,
) {
    let mut random = stream(seed, Purpose::Bucket, epoch);
    for pool in order.chunks_mut(batch_size.saturating_mul(POOL)) {
        pool.sort_by_key(|sample| length(*sample));
        // What does not fill a batch stays at the end, where the short one is.
        let full = pool.len() / batch_size;
        let sorted = pool.to_vec();
        let mut batches: Vec<usize> = (0..full).collect();
        shuffle(&mut batches, &mut random);
        for (to, from) in batches.into_iter().enumerate() {
            let [to, from] = [to, from].map(|batch| batch * batch_size);
            pool[to..to + batch_size].copy_from_slice(&sorted[from..from + batch_size]);
        }
    }
}

/// Few enough that a batch is not the same in every epoch, and enough for little padding.
const POOL: usize = 64;

/// The batches of one epoch of `n` samples, as ranges into its order; with `drop_last` without a
/// last one that is not full, unless it is the only one.
///
/// A last batch that would hold one sample alone joins the batch before it: a single sample has
/// no batch statistics.
pub fn batches(
    n: usize,
    batch_size: usize,
    drop_last: bool,
) -> impl ExactSizeIterator<Item = Range<usize>> + Clone + Send + use<> {
    let count = batch_count(n, batch_size, drop_last);
    let range = move |batch| {
        let start = batch * batch_size;
        match batch + 1 == count && !drop_last {
            true => start..n,
            false => start..start.saturating_add(batch_size).min(n),
        }
    };
    (0..count).map(range)
}

/// How many [`batches`] there are, without making them.
pub fn batch_count(n: usize, batch_size: usize, drop_last: bool) -> usize {
    let count = n.div_ceil(batch_size);
    let rest = n % batch_size;
    match count > 1 && rest > 0 && (drop_last || rest == 1) {
        true => count - 1,
        false => count,
    }
}

/// The part of a batch that `rank` of `world` computes: contiguous, sizes differ by at most one,
/// and all ranks together are the batch in its order.
pub fn shard(batch: &[u32], rank: usize, world: usize) -> &[u32] {
    &batch[shard_range(batch.len(), rank, world)]
}

/// [`shard`] as a range of positions in a batch of `n` samples.
pub fn shard_range(n: usize, rank: usize, world: usize) -> Range<usize> {
    assert!(rank < world, "rank {rank} of {world}");
    let (each, extra) = (n / world, n % world);
    let start = rank * each + rank.min(extra);
    start..start + each + usize::from(rank < extra)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_never_changes_between_releases() {
        assert_eq!(list(42, 0, 8), EXPECTED);
        assert_ne!(list(42, 1, 8), EXPECTED);
        assert_ne!(list(43, 0, 8), EXPECTED);
        let large = epoch_order(42, 0, 10..10_000_010);
        assert_eq!(large.at(0..4), LARGE);
        assert_eq!(large.len(), 10_000_000);
    }

    fn list(seed: u64, epoch: u64, n: u32) -> Vec<u32> {
        epoch_order(seed, epoch, 0..n).into_list()
    }

    fn all_batches(n: usize, batch_size: usize, drop_last: bool) -> Vec<Range<usize>> {
        batches(n, batch_size, drop_last).collect()
    }

    const LARGE: [u32; 4] = [6_184_356, 1_195_540, 81_771, 2_004_559];
    const EXPECTED: [u32; 8] = [5, 0, 4, 6, 7, 1, 2, 3];

    #[test]
    fn every_place_is_reached_about_equally_often() {
        let mut counts = [[0; 5]; 5];
        for epoch in 0..5000 {
            for (position, sample) in list(7, epoch, 5).into_iter().enumerate() {
                counts[position][sample as usize] += 1;
            }
        }
        assert!(
            counts
                .iter()
                .flatten()
                .all(|count| (880..1120).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_last_batch_is_short_dropped_or_joined() {
        assert_eq!(all_batches(10, 4, false), [0..4, 4..8, 8..10]);
        assert_eq!(all_batches(10, 4, true), [0..4, 4..8]);
        assert_eq!(all_batches(9, 4, false), [0..4, 4..9]);
        assert_eq!(all_batches(9, 4, true), [0..4, 4..8]);
        assert_eq!(all_batches(3, 4, true).first(), Some(&(0..3)));
        assert_eq!(all_batches(1, 4, false).first(), Some(&(0..1)));
        assert_eq!(all_batches(2, 1, false), [0..1, 1..2]);
        assert!(all_batches(0, 4, false).is_empty());
    }

    #[test]
    fn batches_by_length_differ_from_epoch_to_epoch() {
        let arranged = |epoch| {
            let mut order = list(1, epoch, 1000);
            by_length(&mut order, 8, (1, epoch), |sample| sample as usize % 50);
            order
        };
        assert_eq!(arranged(0), arranged(0));
        assert_ne!(arranged(0), arranged(1));
        let padded = |order: &[u32]| -> u32 {
            let longest = |batch: &[u32]| batch.iter().map(|sample| sample % 50).max().unwrap_or(0);
            order
                .chunks(8)
                .map(|batch| longest(batch) * batch.len() as u32)
                .sum()
        };
        let all: u32 = (0..1000).map(|sample| sample % 50).sum();
        assert!(padded(&arranged(0)) < all * 11 / 10);
        assert!(padded(&list(1, 0, 1000)) > all * 3 / 2);
    }

    proptest! {
        #[test]
        fn what_is_arranged_by_length_is_a_permutation(n in 0u32..2000, size in 1usize..40) {
            let mut order = list(1, 2, n);
            by_length(&mut order, size, (1, 2), |sample| sample as usize % 7);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..n));
        }

        #[test]
        fn the_order_is_a_permutation(seed: u64, epoch: u64, n in 0u32..300) {
            let mut order = list(seed, epoch, n);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..n));
        }

        #[test]
        fn batches_are_counted_without_being_made(n in 0usize..200, size in 1usize..40, drop_last: bool) {
            prop_assert_eq!(batch_count(n, size, drop_last), batches(n, size, drop_last).len());
        }

        #[test]
        fn batches_and_shards_cover_the_epoch_in_order(n in 0usize..200, size in 1usize..40, world in 1usize..6) {
            let order = epoch_order(1, 2, 0..n as u32);
            let mut seen = Vec::new();
            for range in batches(n, size, false) {
                let batch = &order.at(range);
                prop_assert!(!batch.is_empty());
                for rank in 0..world {
                    let part = shard(batch, rank, world);
                    prop_assert!(part.len().abs_diff(batch.len() / world) <= 1);
                    seen.extend_from_slice(part);
                }
            }
            prop_assert_eq!(seen, order.into_list());
        }
    }
}
