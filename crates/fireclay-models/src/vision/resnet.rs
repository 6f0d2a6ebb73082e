//! Residual networks: stages of blocks whose input is added to their result.
//!
//! - He, Zhang, Ren & Sun 2015, *Deep residual learning for image recognition*,
//!   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385): table 1 for photographs, section 4.2
//!   for images of 32 × 32 pixels. As in torchvision, whose tensor names these are, a bottleneck
//!   has its stride in the 3 × 3 convolution (the paper: in the first 1 × 1).
//! - initial weights: He et al. 2015, [arXiv:1502.01852](https://arxiv.org/abs/1502.01852)
//! - a zero scale in the last norm of each block: Goyal et al. 2017,
//!   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677)
//! - stochastic depth: Huang et al. 2016, [arXiv:1603.09382](https://arxiv.org/abs/1603.09382)

mod block;
mod config;
mod hugging_face;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::ops::MaxPoolOptions;
use fireclay_kernels::max_pool2d;

use crate::init::Init;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::pool::global_average;
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;
use block::Block;
pub use config::{BlockKind, ResNetConfig, Shortcut, Stem};

/// The module that [`ResNetConfig`] builds.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    // A network with fewer than four stages has no block in the last ones.
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    dropout: Dropout,
    fc: Linear,
    #[module(skip)]
    stem: Stem,
}

impl ResNetConfig {
    fn build(&self, shape: &ImageShape, mut init: Init) -> ResNet {
        let width = self.width();
        let conv1 = match self.stem() {
            Stem::Imagenet => Conv::new(shape.channels, width, 7).stride(2),
            Stem::Cifar => Conv::new(shape.channels, width, 3),
        };
        let (conv1, bn1) = (conv1.he(&mut init), init.batch_norm(width));
        let mut stages: Vec<_> = (0..self.depths().len())
            .map(|stage| self.stage(stage, &mut init))
            .collect();
        stages.resize_with(config::MAX_STAGES, Vec::new);
        let [layer1, layer2, layer3, layer4] = stages
            .try_into()
            .expect("validate allows no more stages than there are fields");
        ResNet {
            conv1,
            bn1,
            layer1,
            layer2,
            layer3,
            layer4,
            dropout: init.dropout(self.dropout),
            fc: init.linear(self.features(), shape.outputs, true),
            stem: self.stem(),
        }
    }

    fn stage(&self, stage: usize, init: &mut Init) -> Vec<Block> {
        let layers = self.depths();
        let before: usize = layers[..stage].iter().sum();
        let count: usize = layers.iter().sum();
        let outputs = self.channels_after(stage + 1);
        let block = |index: usize| {
            let first = index == 0;
            let plan = block::BlockConfig {
                kind: self.block(),
                inputs: if first {
                    self.channels_after(stage)
                } else {
                    outputs
                },
                outputs,
                stride: if first && stage > 0 { 2 } else { 1 },
                shortcut: self.shortcut(),
                zero_scale: self.zero_init_residual,
                // Equation 4 of Huang et al.: the later a block, the likelier it is left out.
                drop: self.drop_path_rate * (before + index + 1) as f64 / count as f64,
            };
            plan.init(init)
        };
        (0..layers[stage]).map(block).collect()
    }
}

impl ImageNetwork for ResNet {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.features_of_maps(self.convolve(images))
    }

    fn maps(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        Some(self.convolve(images))
    }

    fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        self.dropout.forward(global_average(maps))
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.fc.forward(features)
    }
}

impl ResNet {
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        let blocks = self.stages().into_iter().flatten();
        blocks.fold(self.stem(images), |x, block| block.forward(x))
    }

    /// `[batch, channels, height, width]` -> `[batch, width, height / 4, width / 4]`, or the same
    /// height and width with the stem for small images.
    fn stem(&self, images: Tensor<4>) -> Tensor<4> {
        let x = self.bn1.relu(self.conv1.forward(images));
        match self.stem {
            Stem::Cifar => x,
            Stem::Imagenet => {
                let mut options = MaxPoolOptions::new([3, 3]);
                options.stride = [2, 2];
                options.padding = [(1, 1), (1, 1)];
                max_pool2d(x, options)
            }
        }
    }

    fn stages(&self) -> [&Vec<Block>; config::MAX_STAGES] {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
    }
}
