//! What a training step of a residual network costs on bare Burn, to hold `fireclay train` against:
//! forward, cross-entropy, backward and AdamW on a batch that is always the same, on flex.
//!
//! `cargo run --release -p fireclay-train --example image_step` prints the median of 20 steps of
//! ResNet-18 on 16 images of 64x64 pixels, and of ResNet-20 on 64 of 32x32.

use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use fireclay_models::{Architecture, ImageNetwork, ImageShape, ResNetConfig};

fn main() {
    for (depth, batch, side) in [(18, 16, 64), (20, 64, 32)] {
        let median = median_step(depth, batch, side);
        println!("ResNet-{depth}, {batch} images of {side}x{side}: {median:.1} ms");
    }
}

/// Milliseconds.
fn median_step(depth: usize, batch: usize, side: usize) -> f64 {
    let device = Device::flex().autodiff();
    let shape = ImageShape {
        channels: 3,
        height: side,
        width: side,
        outputs: 10,
    };
    let config = ResNetConfig {
        depth,
        ..ResNetConfig::default()
    };
    let mut model = config.init(&shape, 1, &device).train();
    let mut optimizer: ModuleOptimizer = AdamWConfig::new().init();
    let images = Tensor::<4>::random([batch, 3, side, side], Distribution::Default, &device);
    let classes = Tensor::<1, Int>::zeros([batch], &device);
    let mut times = Vec::new();
    for _ in 0..25 {
        let start = Instant::now();
        let loss = CrossEntropyLossConfig::new()
            .init(&device)
            .forward(model.forward(images.clone()), classes.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model, gradients);
        loss.into_scalar::<f32>();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let mut times = times.split_off(5);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
