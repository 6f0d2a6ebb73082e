//! The shards of windows, fetched or made before they are needed.

use super::TokenSplit;
use crate::shards::{Ahead, Shelf, Upcoming};
use crate::stop::Stop;

impl TokenSplit {
    /// Fetches or makes ahead of time the shards of these windows, with their positions; none where all of them stay where
    /// they are.
    pub fn ahead(&self, windows: Upcoming) -> Option<Ahead> {
        Ahead::new(self.clone(), windows, self.tokens.room()?)
    }
}

impl Shelf for TokenSplit {
    fn wants(&self, window: u32) -> Option<(usize, u64)> {
        self.tokens.wants(self.stretches.of(window).0.start)
    }

    fn prepare(&self, shard: usize, stop: &Stop) {
        self.tokens.prepare(shard, stop);
    }
}
