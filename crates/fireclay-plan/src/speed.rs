//! How fast a training computed, and what share that is of what its device can do.

use std::time::Instant;

use burn::tensor::{Device, Tensor};
use fireclay_run::config::RunConfig;
use fireclay_run::{RunData, RunDevice};
use fireclay_train::cost::{Cost, Speed};

use crate::estimator::Estimator;
use crate::hardware::{Hardware, Hardwares, SHIPPED};

/// How fast a training that cost this computed; none where it made no step, or plans are of the
/// longest texts and batches are cut to their own.
pub fn speed(config: &RunConfig, data: &RunData, device: &RunDevice, cost: &Cost) -> Option<Speed> {
    if cost.steps == 0 {
        return None;
    }
    let flops = Estimator::of_run(config, data)?.training_flops();
    let flops = flops.training_per_sample * cost.samples as f64;
    let flops_per_second = flops / cost.step_seconds();
    let able = match fireclay_kernels::is_flex(&device.device) {
        true => Some(of_a_product(&device.device)),
        false => {
            named_in(&device.description).map(|hardware| hardware.peak.of(config.device.precision))
        }
    };
    Some(Speed {
        flops,
        flops_per_second,
        utilisation: able.map(|able| flops_per_second / able),
    })
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
