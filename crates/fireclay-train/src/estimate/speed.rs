//! How fast a training computed, and what share that is of what its device can do.

use std::time::Instant;

use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::Estimator;
use super::hardware::{Hardware, Hardwares, SHIPPED};
use crate::config::{DataConfig, RunConfig};
use crate::cost::Cost;
use crate::run::{RunData, RunDevice};

/// What the steps of a training came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Floating point operations of the training by its plan, as in [`Flops`](super::Flops).
    pub flops: f64,
    /// Those a second of its steps.
    pub flops_per_second: f64,
    /// What share that is of what the device can do: on flex, of what the product of two large
    /// matrices reaches there; else of the peak in the shipped table of hardware, if the device is in
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
}

impl Speed {
    /// That of a training which cost this; none where it made no step, or plans are of the longest
    /// texts and batches are cut to their own.
    pub(crate) fn of(
        config: &RunConfig,
        data: &RunData,
        device: &RunDevice,
        cost: &Cost,
    ) -> Option<Self> {
        if cost.steps == 0 || matches!(config.data, DataConfig::TextTable(_) | DataConfig::Pairs(_))
        {
            return None;
        }
        let flops = Estimator::of_run(config, data)?.training_flops();
        let flops = flops.training_per_sample * cost.samples as f64;
        let flops_per_second = flops / cost.step_seconds();
        let able = match fireclay_kernels::is_flex(&device.device) {
            true => Some(of_a_product(&device.device)),
            false => named_in(&device.description)
                .map(|hardware| hardware.peak.of(config.device.precision)),
        };
        Some(Self {
            flops,
            flops_per_second,
            utilisation: able.map(|able| flops_per_second / able),
        })
    }
}

/// Floating point operations a second in the product of two matrices, as large as it takes to keep all
/// threads busy, and no larger: it shows in the most memory of a small run.
fn of_a_product(device: &Device) -> f64 {
    let side = 192 * rayon::current_num_threads().isqrt().max(2);
    let matrix = Tensor::<2>::ones([side, side], device);
    // The first ones wake the threads up.
    let seconds = (0..8).map(|_| {
        let start = Instant::now();
        drop(matrix.clone().matmul(matrix.clone()));
        start.elapsed().as_secs_f64()
    });
    2.0 * (side as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
}

/// The hardware whose name is a word, or two, of what a device calls itself.
fn named_in(description: &str) -> Option<Hardware> {
    let description = description.to_lowercase();
    let words: Vec<&str> = description.split(|c: char| !c.is_alphanumeric()).collect();
    let shipped = Hardwares::parse(SHIPPED).expect("the shipped table is one");
    let named = |hardware: &Hardware| {
        let mut pairs = words.windows(2).map(<[&str]>::concat);
        words.contains(&hardware.name.as_str()) || pairs.any(|pair| pair == hardware.name)
    };
    shipped.hardware.into_iter().find(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_found_by_what_they_call_themselves() {
        let name = |description| named_in(description).map(|hardware| hardware.name);
        assert_eq!(name("NVIDIA H100 80GB HBM3").as_deref(), Some("h100"));
        let rtx = name("NVIDIA GeForce RTX 4090 (Vulkan)");
        assert_eq!(rtx.as_deref(), Some("rtx4090"));
        assert_eq!(name("NVIDIA L4").as_deref(), Some("l4"));
        assert_eq!(name("NVIDIA L40S"), None);
    }

    #[test]
    fn a_product_takes_time() {
        let rate = of_a_product(&Device::flex());
        assert!(rate.is_finite() && rate > 1e8, "{rate}");
    }
}
