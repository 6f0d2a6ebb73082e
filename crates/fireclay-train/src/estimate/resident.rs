//! How much main memory a training on the processor holds, its program and allocator included.

use crate::config::{DataConfig, RunConfig};

/// What goes on top of the tensors in main memory, as it was measured on Linux with flex in the
/// program with its default backends (see `docs/benchmarks.md`).
#[derive(Clone, Copy)]
pub(super) struct Resident {
    base: u64,
}

/// The allocator's blocks are a little larger than what is in them.
const LOOSE: f64 = 1.3;

/// It keeps blocks that were given back for others of their size, so far as there are any.
const WAITING: f64 = 2.7;
const MOST_WAITING: f64 = 26e6;

/// A tokenizer that is trained leaves blocks behind; those of a run that finds it in the cache are
/// fewer.
const TRAINED: u64 = 60_000_000;

/// Each thread that computes a part of the batch has blocks of its own.
const APART: u64 = 20_000_000;

impl Resident {
    /// What the program holds for this data with hardly a model, on so many threads.
    pub fn of(config: &RunConfig, parts: usize) -> Self {
        let tokenizer = config.tokenizer.as_ref();
        let kept = match tokenizer.is_some_and(|tokenizer| tokenizer.kind.is_trained()) {
            true => TRAINED,
            false => 0,
        };
        let base = match config.data {
            DataConfig::Table(_) => 60_000_000,
            DataConfig::Image(_) => 72_000_000,
            DataConfig::Text(_) | DataConfig::TextTable(_) | DataConfig::Pairs(_) => 74_000_000,
        };
        Self {
            base: base + kept + APART * (parts as u64 - 1),
        }
    }

    /// Bytes in main memory for tensors that stay and tensors that come and go with each step.
    pub fn bytes(self, staying: u64, working: u64) -> u64 {
        let working = working as f64;
        let loose = LOOSE * working + (WAITING * working).min(MOST_WAITING);
        self.base + staying + loose as u64
    }

    /// Bytes of tensors for which there is room in so much memory: the inverse for large numbers.
    pub fn room(self, memory: u64) -> u64 {
        let left = memory.saturating_sub(self.base) as f64 - MOST_WAITING;
        (left.max(0.0) / LOOSE) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_never_more_than_fits() {
        let resident = Resident { base: 34_000_000 };
        for memory in [0, 50_000_000, 1_000_000_000, 25_000_000_000] {
            let room = resident.room(memory);
            for staying in [0, room / 3, room] {
                let held = resident.bytes(staying, room - staying);
                assert!(room == 0 || held <= memory, "{held} of {memory}");
            }
        }
    }
}
