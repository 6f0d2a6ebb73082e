//! Threads of one process in the place of processes, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Exchange, Lost};
use crate::loader::Share;

/// One of several threads that train together.
pub struct Thread {
    share: Share,
    hub: Arc<Hub>,
    /// Calls that it has made.
    turn: u64,
}

struct Hub {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What the threads have brought to a call, by its turn.
    rounds: BTreeMap<u64, Round>,
    left: Option<usize>,
}

#[derive(Default)]
struct Round {
    brought: BTreeMap<usize, Vec<u8>>,
    taken: usize,
}

/// So many threads.
pub fn threads(world: usize) -> Vec<Thread> {
    let hub = Arc::new(Hub {
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let thread = |rank| Thread {
        share: Share { rank, world },
        hub: hub.clone(),
        turn: 0,
    };
    (0..world).map(thread).collect()
}

impl Thread {
    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.hub.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn floats(&mut self, values: &[f32]) -> Result<Vec<Vec<f32>>, Lost> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        let all = self.gather(bytes.collect())?;
        let read = |bytes: Vec<u8>| {
            let words = bytes.chunks_exact(4);
            words
                .map(|word| f32::from_le_bytes(word.try_into().expect("four bytes")))
                .collect()
        };
        Ok(all.into_iter().map(read).collect())
    }
}

impl Exchange for Thread {
    fn share(&self) -> Share {
        self.share
    }

    fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        let Share { rank, world } = self.share;
        let turn = self.turn;
        self.turn += 1;
        let mut state = self.state();
        let round = state.rounds.entry(turn).or_default();
        round.brought.insert(rank, bytes);
        self.hub.changed.notify_all();
        loop {
            if let Some(round) = state.rounds.get_mut(&turn)
                && round.brought.len() == world
            {
                round.taken += 1;
                let all = round.brought.values().cloned().collect();
                if round.taken == world {
                    state.rounds.remove(&turn);
                }
                return Ok(all);
            }
            if let Some(rank) = state.left {
                return Err(Lost(format!("process {rank} has ended")));
            }
            let waited = self.hub.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn collect(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        let all = self.gather(bytes)?;
        Ok(match self.share.rank {
            0 => all,
            _ => Vec::new(),
        })
    }

    fn all_to_all(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Lost> {
        let Share { rank, world } = self.share;
        let chunk = values.len() / world;
        let all = self.floats(&values)?;
        let own = all
            .iter()
            .flat_map(|values| &values[rank * chunk..][..chunk]);
        Ok(own.copied().collect())
    }

    fn all_gather(&mut self, values: Vec<f32>, length: usize) -> Result<Vec<f32>, Lost> {
        Ok(self.floats(&values[..length])?.concat())
    }

    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Lost> {
        let own = match self.share.rank {
            0 => bytes,
            _ => Vec::new(),
        };
        Ok(self.gather(own)?.swap_remove(0))
    }
}

impl Drop for Thread {
    /// The others do not wait for it.
    fn drop(&mut self) {
        let rank = self.share.rank;
        self.state().left.get_or_insert(rank);
        self.hub.changed.notify_all();
    }
}
