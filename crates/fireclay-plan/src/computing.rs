//! How a device goes about a batch.

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
    /// In how many parts it computes a batch at once.
    pub parts: usize,
}

impl Computing {
    pub const PLAIN: Self = Self {
        fused: false,
        parts: 1,
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
        Self {
            fused: config.device.backend.is_one_pass(),
            parts: on_host(config, parameters, samples).get(),
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

/// Whether the run computes on the processor, as far as can be known: who says how much memory there
/// is, and lets the program choose, means a GPU.
pub(crate) fn is_host(device: &DeviceConfig) -> bool {
    let is_chosen = device.backend == BackendName::Auto && device.memory_gb.is_some();
    device.backend.is_host() && !is_chosen
}
