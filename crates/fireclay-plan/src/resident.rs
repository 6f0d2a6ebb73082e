//! How much main memory a training on the processor holds, its program and allocator included.

use std::fs;

use fireclay_run::config::RunConfig;

use crate::process::{peak_memory, private_memory};

/// What goes on top of the tensors in main memory. The numbers were measured on Linux with flex (see
/// `docs/benchmarks.md`).
#[derive(Clone, Copy)]
pub(crate) struct Resident {
    /// What the program holds with hardly a model.
    base: u64,
    /// The most that it held while it read the data.
    reading: u64,
}

/// What reading the data took of main memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// What the process holds that is in no file: the data, and blocks that reading left behind.
    private: u64,
    /// The most that the process has held so far.
    peak: u64,
}

/// Code that runs, and the share of the program's file that is looked at wherever it is: a program with
/// more backends has larger tables.
const CODE: u64 = 34_000_000;
const LOOKED_AT: f64 = 0.09;

/// Threads, metrics and files, which come after the data.
const RUNNING: u64 = 8_000_000;

/// Blocks are a little larger than what is in them, and products of matrices pack their operands.
const LOOSE: f64 = 1.15;

/// The allocator looks for room from another chunk on for each thread, and gives back what nobody has
/// taken for a second. So a thread that makes more than a few tensors fills a chunk with what is free.
const CHUNK: f64 = 30e6;
const FEW: f64 = 2e6;

impl Reading {
    /// Until now, where the system says it.
    pub fn now() -> Option<Self> {
        let (private, peak) = (private_memory()?, peak_memory()?);
        Some(Self { private, peak })
    }
}

impl Resident {
    /// What this program holds for such data.
    pub fn of(config: &RunConfig, reading: Option<Reading>) -> Self {
        let file = std::env::current_exe().and_then(fs::metadata);
        let file = file.map_or(0, |file| file.len());
        let usual = || config.data.section().reading();
        let private = reading.map_or_else(usual, |reading| reading.private);
        Self {
            base: CODE + (LOOKED_AT * file as f64) as u64 + private + RUNNING,
            reading: reading.map_or(0, |reading| reading.peak),
        }
    }

    /// Bytes in main memory for tensors that stay and tensors that come and go, all of them at once;
    /// `threads`: the most that each thread makes.
    pub fn bytes(self, staying: u64, working: u64, threads: &[u64]) -> u64 {
        let free = |bytes: &u64| CHUNK * *bytes as f64 / (*bytes as f64 + FEW);
        let free: f64 = threads.iter().map(free).sum();
        let held = self.base + staying + (LOOSE * working as f64 + free) as u64;
        held.max(self.reading)
    }

    /// Bytes of tensors for which there is room in so much memory, if so many threads make them: the
    /// inverse for large numbers.
    pub fn room(self, memory: u64, threads: usize) -> u64 {
        let left = memory.saturating_sub(self.base) as f64 - CHUNK * threads as f64;
        (left.max(0.0) / LOOSE) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_never_more_than_fits() {
        let resident = Resident {
            base: 34_000_000,
            reading: 0,
        };
        for memory in [0, 50_000_000, 1_000_000_000, 25_000_000_000] {
            let room = resident.room(memory, 3);
            for staying in [0, room / 3, room] {
                let held = resident.bytes(staying, room - staying, &[room; 3]);
                assert!(room == 0 || held <= memory, "{held} of {memory}");
            }
        }
    }

    #[test]
    fn reading_may_take_the_most() {
        let resident = Resident {
            base: 34_000_000,
            reading: 1_000_000_000,
        };
        assert_eq!(resident.bytes(0, 1000, &[1000]), 1_000_000_000);
    }
}
