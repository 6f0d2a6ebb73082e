//! EfficientNet: one convolutional network, scaled in depth, width and resolution at once.
//!
//! - Tan & Le 2019, *EfficientNet: rethinking model scaling for convolutional neural networks*,
//!   [arXiv:1905.11946](https://arxiv.org/abs/1905.11946): table 1 for the blocks, section 3.3 for the scaling
//! - stochastic depth: Huang et al. 2016, [arXiv:1603.09382](https://arxiv.org/abs/1603.09382)
//!
//! A convolution, seven stages of inverted residuals, a convolution, the mean over the image. First
//! weights, names and details are those of torchvision's `EfficientNet`; timm's names and details are
//! understood.

mod config;
mod names;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::init::Init;
use crate::layers::conv::Conv;
use crate::layers::drop_path::rising;
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::pool::global_average;
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;
use crate::vision::inverted_residual::{Activation, Block, ConvNorm};
pub use config::{EfficientNetConfig, EfficientNetSize};

/// The module that [`EfficientNetConfig`] builds.
#[derive(Module, Debug)]
pub struct EfficientNet {
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
    last: ConvNorm,
    dropout: Dropout,
    head: Linear,
}

impl EfficientNetConfig {
    /// First weights as torchvision draws those of convolutions: normal with deviation sqrt(2 / fan-out)
    /// (He et al. 2015), biases zero. The head is drawn as PyTorch draws a linear layer.
    fn build(&self, shape: &ImageShape, mut init: Init) -> EfficientNet {
        let (stages, details) = (self.stages(), self.details());
        let [first, narrow, features] = self.ends();

        let stem = Conv::new(shape.channels, first, 3).stride(2);
        let stem = ConvNorm::new(stem, Activation::Silu, details, &mut init);
        let count = stages.iter().map(Vec::len).sum();
        let mut rates = rising(self.drop_path_rate, count);
        let stages = stages.iter().map(|rows| {
            let blocks = rows.iter().zip(rates.by_ref());
            let blocks = blocks.map(|(row, rate)| Block::new(row, details, rate, &mut init));
            blocks.collect()
        });
        let stages = stages.collect();
        let last = Conv::new(narrow, features, 1);
        EfficientNet {
            stem,
            stages,
            last: ConvNorm::new(last, Activation::Silu, details, &mut init),
            dropout: init.dropout(self.dropout),
            head: init.linear(features, shape.outputs, true),
        }
    }
}

impl ImageNetwork for EfficientNet {
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
        self.head.forward(features)
    }
}

impl EfficientNet {
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        let blocks = self.stages.iter().flatten();
        let x = blocks.fold(self.stem.forward(images), |x, block| block.forward(x));
        self.last.forward(x)
    }
}

#[cfg(test)]
mod tests;
