//! The table of a training whose batches are computed in parts.

use fireclay_config::Problems;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A training whose batches are cut into parts of a fixed number, so that the result does not depend on
/// how many processes compute them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// In how many parts each batch is computed, wherever that is: a power of two that the number of
    /// processes divides. Gradients are added up a binary tree over the parts, so any number of processes ends
    /// with the same weights on the same kind of processor. The result depends on this number by rounding.
    pub parts: usize,
    /// Seconds that the processes wait for one that does not end its step; then all of them end, and say which one
    /// it was. More than the longest step, evaluation or checkpoint takes.
    #[serde(default = "ten_minutes")]
    pub timeout: u64,
    /// Each process remembers what the optimizer keeps of a share of the parameters, and updates those: with N processes
    /// Adam takes 8 / N bytes for each parameter instead of 8. Weights and checkpoints are whole everywhere, and the
    /// result is the same to the bit.
    #[serde(default)]
    pub shard_optimizer: bool,
    /// Batch norm takes its statistics over all parts of a batch, which meet at each such layer, forward and backward. Without
    /// this, models with batch norm need `parts = 1`; models without it refuse this key. A process then holds what all of its
    /// parts keep for the backward pass at once.
    #[serde(default)]
    pub sync_batch_norm: bool,
    /// Each process of a machine has a device of its own, the first of them `device.device_index`, the next ones those that
    /// follow it; there must be enough of them. Without this all have the same. It is nothing to processes that
    /// compute on the CPU.
    #[serde(default = "yes")]
    pub device_per_process: bool,
}

/// More parts than processes that anybody has started.
const MOST: usize = 1 << 16;

fn yes() -> bool {
    true
}

fn ten_minutes() -> u64 {
    600
}

impl ClusterConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        let is_power = self.parts.is_power_of_two() && self.parts <= MOST;
        problems.check(
            "parts",
            is_power,
            "1, 2, 4, 8 or another power of two, 65536 at most",
            self.parts,
        );
        problems.at_least_one("timeout", Some(self.timeout));
        problems.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_a_power_of_two() {
        let problems = |parts| {
            ClusterConfig {
                parts,
                timeout: 600,
                shard_optimizer: false,
                sync_batch_norm: false,
                device_per_process: true,
            }
            .validate()
            .len()
        };
        assert_eq!([1, 2, 64, 65536].map(problems), [0; 4]);
        assert_eq!([0, 3, 12, 1 << 17].map(problems), [1; 4]);
    }
}
