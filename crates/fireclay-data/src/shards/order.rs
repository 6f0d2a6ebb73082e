//! The order of an epoch over shards of which only a few are at hand at a time.

use crate::error::DataError;
use crate::order::EpochOrder;
use crate::random::{Purpose, shuffle, stream};

/// Shards whose samples are mixed where the configuration does not say.
pub(crate) const MIXED: usize = 4;

/// What a folder keeps of shards at a time without throwing one out that is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// How many shards are mixed, and fetched ahead at most.
    pub(crate) shards: usize,
    /// The bytes of those that are kept while one more is fetched.
    pub(crate) bytes: u64,
}

/// The room in a cache of `most` bytes; one that would throw out what the next batch needs is refused.
///
/// # Errors
/// [`DataError::Unusable`].
pub(crate) fn check_room(
    mut lengths: Vec<u64>,
    mixed: usize,
    most: u64,
) -> Result<Room, DataError> {
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let needed: u64 = lengths.iter().take(mixed).sum();
    match needed > most / 2 {
        true => Err(DataError::Unusable(format!(
            "the samples of {mixed} shards are mixed (data.shards_mixed), which have up to {needed} bytes, more than half of \
             data.shard_cache_bytes = {most}: raise that, or mix fewer"
        ))),
        false => Ok(Room {
            shards: mixed,
            bytes: most / 2,
        }),
    }
}

/// The order of an epoch, rearranged: the `shards` come in a random order, and the samples of `mixed` of them at a time
/// stay in the order that they had. A pure function of its arguments.
pub(crate) fn arrange(
    order: EpochOrder,
    (shards, mixed): (usize, usize),
    (seed, epoch): (u64, u64),
    shard: impl Fn(u32) -> usize,
) -> EpochOrder {
    let mut places: Vec<usize> = (0..shards).collect();
    shuffle(&mut places, &mut stream(seed, Purpose::Shards, epoch));
    let mut group = vec![0; shards];
    for (place, shard) in places.into_iter().enumerate() {
        group[shard] = place / mixed;
    }
    let order = order.into_list();
    // Counted and put in their places, which keeps the order of what is mixed.
    let mut next = vec![0; shards.div_ceil(mixed) + 1];
    for sample in &order {
        next[group[shard(*sample)] + 1] += 1;
    }
    for at in 1..next.len() {
        next[at] += next[at - 1];
    }
    let mut arranged = vec![0; order.len()];
    for sample in order {
        let place = &mut next[group[shard(sample)]];
        arranged[*place] = sample;
        *place += 1;
    }
    EpochOrder::listed(arranged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::epoch_order;

    #[test]
    fn groups_follow_each_other_and_keep_their_order() {
        let order = epoch_order(3, 1, 0..100);
        let shard = |sample: u32| sample as usize / 10;
        let arranged = arrange(order.clone(), (10, 3), (3, 1), shard).into_list();
        let listed = order.into_list();
        let place = |sample: &u32| listed.iter().position(|one| one == sample);
        let mut seen = Vec::new();
        for group in arranged.chunks(30) {
            assert!(group.is_sorted_by_key(place), "{group:?}");
            let mut shards: Vec<usize> = group.iter().map(|sample| shard(*sample)).collect();
            shards.sort_unstable();
            shards.dedup();
            seen.extend(shards);
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..10), "each in one group");
    }
}
