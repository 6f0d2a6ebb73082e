//! How a model that no device holds lies on many.

use serde::Serialize;

use super::Hardware;
use crate::estimate::Estimate;

/// Parts of a model on devices: each layer over the devices of a node (Shoeybi et al. 2019,
/// *Megatron-LM*, arXiv:1909.08053), layers one after the other over nodes (Huang et al. 2019,
/// *GPipe*, arXiv:1811.06965), and copies of that which each see other samples.
///
/// The rule: Adam in mixed precision keeps 16 bytes for each parameter, which are weights and
/// gradients of 2 bytes and weights, momentum and variance of 4 (Rajbhandari et al. 2020, *ZeRO*,
/// arXiv:1910.02054, section 3.1). They may take four fifths of the memory; the rest is for
/// activations, which are computed again in the backward pass. As few devices of a node as hold that
/// share a layer; if a whole node does not, as many nodes follow each other as do, up to one for each
/// block of the model. Where one device holds all states, nothing is shared out but the batch, to as
/// many copies as its activations need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sharding {
    /// Devices that share each layer.
    pub tensor: u64,
    /// Groups of them that follow each other.
    pub pipeline: u64,
    /// Copies of the model.
    pub data: u64,
    /// All of them.
    pub devices: u64,
}

/// Bytes of the states of a parameter, and of one that is frozen.
const STATE: f64 = 16.0;
const FROZEN: f64 = 2.0;

/// The share of a device's memory that states may take.
const SHARE: f64 = 0.8;

impl Sharding {
    /// The parts of the model on this hardware, and copies of it as far as `devices` go; none if it
    /// does not fit.
    pub(crate) fn new(
        estimate: &Estimate,
        hardware: &Hardware,
        devices: Option<u64>,
    ) -> Option<Self> {
        let frozen = estimate.parameters - estimate.trainable;
        let states = STATE * estimate.trainable as f64 + FROZEN * frozen as f64;
        let mut sharding = Self::of(states, hardware, devices);
        let batch = estimate.length.batch as u64;
        if sharding.is_whole() {
            let each = estimate.elsewhere.largest_batch(hardware.memory as u64)?;
            sharding.data = sharding.data.max(batch.div_ceil(each));
        }
        // A copy without a sample has nothing to do.
        let samples = batch.saturating_mul(estimate.length.accumulation as u64);
        sharding.data = sharding.data.min(samples);
        sharding.devices = sharding.tensor * sharding.pipeline * sharding.data;
        (sharding.pipeline <= estimate.blocks()).then_some(sharding)
    }

    /// Whether each device holds the whole model.
    pub(crate) fn is_whole(self) -> bool {
        self.tensor * self.pipeline == 1
    }

    /// `states`: bytes of all that stays.
    fn of(states: f64, hardware: &Hardware, devices: Option<u64>) -> Self {
        let needed = states / (SHARE * hardware.memory);
        let mut tensor = 1;
        while tensor < hardware.node && (tensor as f64) < needed {
            tensor = (2 * tensor).min(hardware.node);
        }
        let pipeline = (needed / tensor as f64).ceil().max(1.0) as u64;
        let model = tensor * pipeline;
        let data = (devices.unwrap_or(model) / model).max(1);
        Self {
            tensor,
            pipeline,
            data,
            devices: model * data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hardwares, SHIPPED};
    use super::*;

    fn parts(parameters: u64, devices: Option<u64>) -> [u64; 4] {
        let table = Hardwares::parse(SHIPPED).unwrap();
        let sharding = Sharding::of(
            STATE * parameters as f64,
            table.named("a100").unwrap(),
            devices,
        );
        [
            sharding.tensor,
            sharding.pipeline,
            sharding.data,
            sharding.devices,
        ]
    }

    #[test]
    fn nodes_come_in_when_one_is_full() {
        // 64 GB of each device are for states: 4 billion parameters.
        assert_eq!(parts(4_000_000_000, None), [1, 1, 1, 1]);
        assert_eq!(parts(4_000_000_001, None), [2, 1, 1, 2]);
        assert_eq!(parts(32_000_000_000, None), [8, 1, 1, 8]);
        assert_eq!(parts(32_000_000_001, None), [8, 2, 1, 16]);
    }

    #[test]
    fn gpt3_takes_six_nodes_and_copies_fill_the_rest() {
        assert_eq!(parts(174_604_259_328, None), [8, 6, 1, 48]);
        assert_eq!(parts(174_604_259_328, Some(1024)), [8, 6, 21, 1008]);
        assert_eq!(parts(174_604_259_328, Some(10)), [8, 6, 1, 48]);
    }
}
