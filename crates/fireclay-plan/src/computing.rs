//! How a device goes about a batch.

use std::num::NonZeroUsize;
use std::thread;

use fireclay_run::config::{BackendName, DeviceConfig, RunConfig};
use fireclay_run::shards::on_host;

use crate::memory::{peak, peak_of_passes};
use crate::record::Recording;
use crate::subject::Subject;

/// How a device goes about a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Computing {
    /// Whether it has the operations of `fireclay-kernels` in one pass.
    pub fused: bool,
    /// How many parts of a batch it computes at once.
    pub parts: usize,
    /// In how many parts the batch is cut.
    pub of: usize,
}

impl Computing {
    pub const PLAIN: Self = Self {
        fused: false,
        parts: 1,
        of: 1,
    };

    pub fn of(config: &RunConfig, subject: &Subject, rows: usize) -> Self {
        if !is_host(&config.device) {
            return Self::PLAIN;
        }
        let parameters = subject.parameters() as usize;
        let samples = match config.data.section().own_batches() {
            Some(_) => 1,
            None => rows,
        };
        let threads = on_host(config, parameters, samples).get();
        let (parts, of) = match &config.cluster {
            // They wait for each other.
            Some(cluster) if cluster.sync_batch_norm => (cluster.parts, cluster.parts),
            // The training has as many threads for its parts as there are cores.
            Some(cluster) => (threads.min(cluster.parts).min(cores()), cluster.parts),
            None => (threads, threads),
        };
        Self {
            fused: config.device.backend.is_one_pass(),
            parts,
            of,
        }
    }

    /// The same for one of so many processes that share the parts of a batch out.
    pub fn among(self, processes: usize) -> Self {
        let own = (self.of / processes).max(1);
        Self {
            parts: self.parts.min(own),
            ..self
        }
    }

    /// The most bytes that it holds at once for what was recorded, but for the weights.
    pub fn peak(self, recording: &Recording) -> u64 {
        match self.fused {
            true => peak_of_passes(recording),
            false => peak(recording),
        }
    }

    /// How many batches it evaluates at once, if there are so many.
    pub fn workers(self) -> usize {
        match self.fused {
            true => rayon::current_num_threads(),
            false => 1,
        }
    }

    /// Threads that make tensors, at most.
    pub fn threads(self) -> usize {
        1 + self.parts.max(self.workers())
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Whether the run computes on the processor, as far as can be known: who says how much memory there
/// is, and lets the program choose, means a GPU.
pub(crate) fn is_host(device: &DeviceConfig) -> bool {
    let is_chosen = device.backend == BackendName::Auto && device.memory_gb.is_some();
    device.backend.is_host() && !is_chosen
}
