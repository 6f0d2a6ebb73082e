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

mod names;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use fireclay_kernels::gelu;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::saturating_sum;
use crate::image::ImageShape;
use crate::init::{Init, Values};
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::drop_path::{DropPath, rising};
use crate::layers::linear::Linear;
use crate::layers::norm::LayerNorm;

/// A ConvNeXt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvNextConfig {
    /// The published size from which the depths and widths come where they are not given.
    #[serde(default)]
    pub size: ConvNextSize,
    /// The number of blocks in each of the four stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depths: Option<[usize; 4]>,
    /// The number of channels in each of the four stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<[usize; 4]>,
    /// The side of the patches that the first convolution reads, in pixels: 4 in the paper; less
    /// suits small images, because the stages shrink them eight times more.
    #[serde(default = "default_patch_size")]
    pub patch_size: usize,
    /// The probability of leaving out the last block's branch while training, in [0, 1); the
    /// earlier blocks' probabilities rise evenly from 0. The paper takes 0.1 for tiny, 0.4 for
    /// small and 0.5 for base and large.
    #[serde(default)]
    pub drop_path_rate: f64,
}

/// A published size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConvNextSize {
    /// Depths 3, 3, 9, 3, widths 96 to 768: 29 million parameters.
    #[default]
    Tiny,
    /// Depths 3, 3, 27, 3, widths 96 to 768: 50 million parameters.
    Small,
    /// Depths 3, 3, 27, 3, widths 128 to 1024: 89 million parameters.
    Base,
    /// Depths 3, 3, 27, 3, widths 192 to 1536: 198 million parameters.
    Large,
}

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
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push((key.to_string(), message));
        for (key, numbers) in [("depths", self.depths), ("widths", self.widths)] {
            if numbers.is_some_and(|numbers| numbers.contains(&0)) {
                problem(key, "every stage needs at least 1".into());
            }
        }
        // Building a model takes memory for every block, however narrow it is.
        if self
            .depths
            .is_some_and(|depths| depths.iter().any(|depth| *depth > 1000))
        {
            problem("depths", "must be at most 1000 each".into());
        }
        if self.patch_size == 0 {
            problem("patch_size", "must be at least 1".into());
        }
        if !(0.0..1.0).contains(&self.drop_path_rate) {
            let rate = self.drop_path_rate;
            problem(
                "drop_path_rate",
                format!("must be at least 0 and below 1, but is {rate}"),
            );
        }
        problems
    }

    /// Every way in which images of this shape do not fit, as (key, message).
    pub fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let ImageShape { height, width, .. } = *shape;
        let least = self.patch_size.saturating_mul(8);
        let message = format!(
            "patches of {} pixels need images of at least {least} x {least}, not {height} x {width}",
            self.patch_size
        );
        match height.min(width) >= least {
            true => Vec::new(),
            false => vec![("patch_size".to_string(), message)],
        }
    }

    /// A number that the number of weights cannot be below.
    pub(crate) fn least_weights(&self, shape: &ImageShape) -> usize {
        let (depths, widths) = self.sizes();
        let stage = |(depth, width): (usize, usize)| {
            let block = width.saturating_mul(width).saturating_mul(8);
            depth.saturating_mul(block)
        };
        let patch = self.patch_size.saturating_mul(self.patch_size);
        saturating_sum(
            depths.into_iter().zip(widths).map(stage).chain([
                patch
                    .saturating_mul(shape.channels)
                    .saturating_mul(widths[0]),
                widths[3].saturating_mul(shape.outputs),
            ]),
        )
    }

    /// Builds the model for images of the given shape.
    ///
    /// First weights as in the paper and in torchvision: normal with deviation 0.02, biases zero,
    /// layer scales 1e-6.
    pub fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> ConvNext {
        let mut init = Init::new(seed, device);
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
            norm: init.layer_norm_with(widths[3], EPSILON),
            head: linear(widths[3], shape.outputs, &mut init),
        }
    }

    /// The number of layers for layer-wise learning rates: the stem, the blocks, the head.
    pub(crate) fn layers_in_all(&self) -> usize {
        self.sizes().0.iter().sum::<usize>() + 2
    }

    /// The layer of the tensor with this PyTorch name. What shrinks the image for a stage belongs to
    /// the stage's first block, the last norm to the head.
    pub(crate) fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        let number = |index: usize| parts.get(index)?.parse::<usize>().ok();
        match parts[0] {
            "classifier" => Some(self.layers_in_all() - 1),
            "features" if number(1)? == 0 => Some(0),
            "features" => {
                let feature = number(1)?;
                // Each stage is two features: the one that shrinks the image, which the first
                // stage lacks, and its blocks.
                let before: usize = self.sizes().0.iter().take(feature / 2).sum();
                let block = if feature % 2 == 0 { 0 } else { number(2)? };
                Some(1 + before + block)
            }
            _ => None,
        }
    }

    /// The depths and widths, from the options or else the published size.
    fn sizes(&self) -> ([usize; 4], [usize; 4]) {
        let (depths, widths) = match self.size {
            ConvNextSize::Tiny => ([3, 3, 9, 3], [96, 192, 384, 768]),
            ConvNextSize::Small => ([3, 3, 27, 3], [96, 192, 384, 768]),
            ConvNextSize::Base => ([3, 3, 27, 3], [128, 256, 512, 1024]),
            ConvNextSize::Large => ([3, 3, 27, 3], [192, 384, 768, 1536]),
        };
        (self.depths.unwrap_or(depths), self.widths.unwrap_or(widths))
    }
}

impl Default for ConvNextConfig {
    fn default() -> Self {
        Self {
            size: ConvNextSize::default(),
            depths: None,
            widths: None,
            patch_size: default_patch_size(),
            drop_path_rate: 0.0,
        }
    }
}

impl ConvNext {
    /// Maps images to logits.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - result: `[batch, outputs]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = norm_channels(&self.stem_norm, self.stem.forward(images));
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        let x = x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2); // [batch, channels]
        self.head.forward(self.norm.forward(x))
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

/// One linear map of each patch of `side` x `side` pixels; patches do not overlap.
fn patches(inputs: usize, outputs: usize, side: usize, init: &mut Init) -> Conv2d {
    let conv = Conv {
        stride: side,
        padding: 0,
        bias: true,
        ..Conv::new(inputs, outputs, side)
    };
    conv.build(init, WEIGHTS, Values::ZEROS)
}

fn linear(inputs: usize, outputs: usize, init: &mut Init) -> Linear {
    Linear {
        weight: init.param([inputs, outputs], WEIGHTS),
        bias: Some(init.param([outputs], Values::ZEROS)),
    }
}

/// The paper cuts these at two, not at two deviations, which never happens.
const WEIGHTS: Values = Values::Normal { std: 0.02 };

fn default_patch_size() -> usize {
    4
}

#[cfg(test)]
mod tests;
