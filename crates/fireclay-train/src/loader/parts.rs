//! Parts of batches, and who computes them.

use std::sync::Arc;

use fireclay_data::shard_range;

use crate::position::Part;

/// One of several processes that compute the same batches together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub rank: usize,
    /// How many there are.
    pub world: usize,
}

impl Share {
    /// One process that computes everything.
    pub const WHOLE: Self = Self { rank: 0, world: 1 };

    /// One of the `parts` that this share is cut into.
    fn part(self, part: usize, parts: usize) -> Self {
        Self {
            rank: self.rank * parts + part,
            world: self.world * parts,
        }
    }
}

/// Into how many parts a batch is cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// So many of each share, if it can be divided so far.
    AtMost(usize),
    /// So many of all shares together, of which some are empty where it cannot be divided so far.
    Always(usize),
}

impl Cut {
    /// Parts of one share, at most.
    pub fn of_share(self, share: Share) -> usize {
        match self {
            Self::AtMost(parts) => parts,
            Self::Always(parts) => parts / share.world,
        }
    }

    /// The parts of `share`, as shares of a batch of so many `divisions`.
    fn parts(self, divisions: usize, share: Share) -> Vec<Share> {
        let parts = match self {
            Self::AtMost(parts) => parts.min(divisions / share.world).max(1),
            Self::Always(parts) => parts / share.world,
        };
        let parts = (0..parts).map(|part| share.part(part, parts));
        let is_there = |part: &Share| !shard_range(divisions, part.rank, part.world).is_empty();
        match self {
            Self::AtMost(_) => parts.collect(),
            Self::Always(_) => parts.filter(is_there).collect(),
        }
    }
}

/// A part of a batch that is to be put together.
pub(super) struct Job {
    /// The samples of the batch.
    pub indices: Arc<[u32]>,
    /// Where the batch ends in its epoch.
    pub end: usize,
    pub share: Share,
    pub part: Part,
}

/// The parts of this share of the batch of the samples at `indices`, which has so many `divisions` and ends at
/// `end` in its epoch.
pub(super) fn jobs(
    indices: Arc<[u32]>,
    end: usize,
    (divisions, cut): (usize, Cut),
    share: Share,
) -> impl Iterator<Item = Job> {
    let mut parts: Vec<_> = cut
        .parts(divisions, share)
        .into_iter()
        .map(|part| (part, shard_range(divisions, part.rank, part.world)))
        .collect();
    if parts.is_empty() {
        // Something is handed out for every batch, if only to be left alone.
        let first = Share {
            rank: 0,
            world: divisions.max(1),
        };
        parts.push((first, 0..0));
    }
    let last = parts.len() - 1;
    let job = move |(index, (share, samples)): (usize, (Share, _))| Job {
        indices: indices.clone(),
        end,
        share,
        part: Part {
            samples,
            number: share.rank,
            is_last: index == last,
        },
    };
    parts.into_iter().enumerate().map(job)
}
