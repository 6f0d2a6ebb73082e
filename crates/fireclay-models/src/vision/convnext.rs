//! ConvNeXt: a convolutional network with the proportions and details of a vision transformer.
//!
//! - Liu et al. 2022, *A ConvNet for the 2020s*,
//!   [arXiv:2201.03545](https://arxiv.org/abs/2201.03545)
//! - layer scale: Touvron et al. 2021, [arXiv:2103.17239](https://arxiv.org/abs/2103.17239)
//! - stochastic depth: Huang et al. 2016, [arXiv:1603.09382](https://arxiv.org/abs/1603.09382)
//!
//! A block is a 7 x 7 depthwise convolution, a norm over the channels, and an MLP on every pixel
//! four times as wide, scaled channel by channel and added to its input. First weights, names and
//! details are those of torchvision's `ConvNeXt`.

mod config;
mod hugging_face;
mod names;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::gelu;

use crate::init::{Init, Values};
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::drop_path::{DropPath, rising};
use crate::layers::linear::{Linear, normal};
use crate::layers::norm::LayerNorm;
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;
pub use config::{ConvNextConfig, ConvNextSize};

/// The module that [`ConvNextConfig`] builds.
#[derive(Module, Debug)]
pub struct ConvNext {
    stem: Conv2d,
    stem_norm: LayerNorm,
    stages: Vec<Stage>,
    norm: LayerNorm,
    head: Linear,
}

impl ConvNextConfig {
    /// First weights as in the paper and in torchvision: normal with deviation 0.02, biases zero,
    /// layer scales 1e-6.
    fn build(&self, shape: &ImageShape, mut init: Init) -> ConvNext {
        let (depths, widths) = self.sizes();
        let stem = patches(shape.channels, widths[0], self.patch_size, &mut init);
        let stem_norm = init.layer_norm_with(widths[0], EPSILON);

        let mut rates = rising(self.drop_path_rate, depths.iter().sum());
        let mut stages = Vec::new();
        for stage in 0..4usize {
            let before = stage.checked_sub(1).map(|before| widths[before]);
            let rates = rates.by_ref().take(depths[stage]);
            stages.push(Stage::new(before, widths[stage], rates, &mut init));
        }
        ConvNext {
            stem,
            stem_norm,
            stages,
            norm: init.layer_norm_with(widths[3], self.last_norm_eps),
            head: linear(widths[3], shape.outputs, &mut init),
        }
    }
}

impl ImageNetwork for ConvNext {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.features_of_maps(self.convolve(images))
    }

    fn maps(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        Some(self.convolve(images))
    }

    fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        let x = maps.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2); // [batch, channels]
        self.norm.forward(x)
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.head.forward(features)
    }
}

impl ConvNext {
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        let x = norm_channels(&self.stem_norm, self.stem.forward(images));
        self.stages.iter().fold(x, |x, stage| stage.forward(x))
    }
}

#[derive(Module, Debug)]
struct Stage {
    /// Absent in the first stage, whose image the stem has shrunk.
    shrink: Option<Shrink>,
    blocks: Vec<Block>,
}

impl Stage {
    fn new(
        before: Option<usize>,
        width: usize,
        rates: impl Iterator<Item = f64>,
        init: &mut Init,
    ) -> Self {
        Self {
            shrink: before.map(|before| Shrink {
                norm: init.layer_norm_with(before, EPSILON),
                conv: patches(before, width, 2, init),
            }),
            blocks: rates.map(|rate| Block::new(width, rate, init)).collect(),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = match &self.shrink {
            Some(shrink) => shrink.conv.forward(norm_channels(&shrink.norm, input)),
            None => input,
        };
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// Halves the height and width.
#[derive(Module, Debug)]
struct Shrink {
    norm: LayerNorm,
    conv: Conv2d,
}

#[derive(Module, Debug)]
struct Block {
    depthwise: Conv2d,
    norm: LayerNorm,
    expand: Linear,
    project: Linear,
    /// `[channels, 1, 1]`, as PyTorch keeps it.
    layer_scale: Param<Tensor<3>>,
    drop_path: DropPath,
}

impl Block {
    fn new(width: usize, drop_path: f64, init: &mut Init) -> Self {
        let depthwise = Conv {
            groups: width,
            bias: true,
            ..Conv::new(width, width, 7)
        };
        Self {
            depthwise: depthwise.build(init, WEIGHTS, Values::ZEROS),
            norm: init.layer_norm_with(width, EPSILON),
            expand: linear(width, 4 * width, init),
            project: linear(4 * width, width, init),
            layer_scale: init.param([width, 1, 1], Values::Constant(1e-6)),
            drop_path: init.drop_path(drop_path),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.depthwise.forward(input.clone());
        let x = x.permute([0, 2, 3, 1]); // [batch, height, width, channels]
        let x = gelu(self.expand.forward(self.norm.forward(x)));
        let x = self.project.forward(x).permute([0, 3, 1, 2]);
        let x = x * self.layer_scale.val().unsqueeze();
        input + self.drop_path.forward(x)
    }
}

const EPSILON: f64 = 1e-6;

/// Layer normalisation of each pixel's channels.
fn norm_channels(norm: &LayerNorm, input: Tensor<4>) -> Tensor<4> {
    let x = norm.forward(input.permute([0, 2, 3, 1])); // [batch, height, width, channels]
    x.permute([0, 3, 1, 2])
}

fn patches(inputs: usize, outputs: usize, side: usize, init: &mut Init) -> Conv2d {
    Conv::patches(inputs, outputs, side).build(init, WEIGHTS, Values::ZEROS)
}

fn linear(inputs: usize, outputs: usize, init: &mut Init) -> Linear {
    normal(inputs, outputs, STD, true, init)
}

/// The paper cuts these at two, not at two deviations, which never happens.
const STD: f64 = 0.02;
const WEIGHTS: Values = Values::Normal { std: STD };

#[cfg(test)]
mod tests;
