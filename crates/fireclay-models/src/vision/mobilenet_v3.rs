//! MobileNetV3: a small and fast convolutional network for phones.
//!
//! - Howard et al. 2019, *Searching for MobileNetV3*,
//!   [arXiv:1905.02244](https://arxiv.org/abs/1905.02244): tables 1 (large) and 2 (small)
//!
//! Inverted residuals whose means over the image go through two more layers. First weights, names and
//! details are those of torchvision's `MobileNetV3`; timm's names and details are understood.

mod config;
mod tables;
mod timm;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::hard_swish;

use crate::init::Init;
use crate::layers::conv::Conv;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, normal};
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;
use crate::vision::inverted_residual::{Block, ConvNorm, mean_of_image};
pub use config::{MobileNetV3Config, MobileNetV3Scaling, MobileNetV3Size};
use tables::HARD_SWISH;

/// The module that [`MobileNetV3Config`] builds.
#[derive(Module, Debug)]
pub struct MobileNetV3 {
    features: Vec<Feature>,
    hidden: Linear,
    dropout: Dropout,
    head: Linear,
}

impl MobileNetV3Config {
    /// First weights as torchvision draws them: convolutions normal with deviation
    /// sqrt(2 / fan-out) (He et al. 2015), linear layers normal with deviation 0.01, biases zero.
    fn build(&self, shape: &ImageShape, mut init: Init) -> MobileNetV3 {
        let (rows, details) = (self.rows(), self.details());
        let [narrow, hidden, last] = self.tail();

        let stem = Conv::new(shape.channels, self.stem(), 3).stride(2);
        let stem = ConvNorm::new(stem, HARD_SWISH, details, &mut init);
        let mut features = vec![Feature::Conv(stem)];
        for row in &rows {
            features.push(Feature::Block(Block::new(row, details, 0.0, &mut init)));
        }
        let wide = Conv::new(narrow, hidden, 1);
        let wide = ConvNorm::new(wide, HARD_SWISH, details, &mut init);
        features.push(Feature::Conv(wide));
        MobileNetV3 {
            features,
            hidden: normal(hidden, last, 0.01, true, &mut init),
            dropout: init.dropout(self.dropout),
            head: normal(last, shape.outputs, 0.01, true, &mut init),
        }
    }
}

impl ImageNetwork for MobileNetV3 {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.features_of_maps(self.convolve(images))
    }

    fn maps(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        Some(self.convolve(images))
    }

    fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        let x = mean_of_image(maps).flatten(1, 3); // [batch, channels]
        self.dropout.forward(hard_swish(self.hidden.forward(x)))
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.head.forward(features)
    }
}

impl MobileNetV3 {
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        let features = self.features.iter();
        features.fold(images, |x, feature| match feature {
            Feature::Conv(conv) => conv.forward(x),
            Feature::Block(block) => block.forward(x),
        })
    }
}

#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are few of them")]
enum Feature {
    Conv(ConvNorm),
    Block(Block),
}

#[cfg(test)]
mod tests;
