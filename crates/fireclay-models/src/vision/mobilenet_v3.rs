//! MobileNetV3: a small and fast convolutional network for phones.
//!
//! - Howard et al. 2019, *Searching for MobileNetV3*,
//!   [arXiv:1905.02244](https://arxiv.org/abs/1905.02244): tables 1 (large) and 2 (small)
//! - inverted residuals: Sandler et al. 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381)
//! - squeeze and excitation: Hu et al. 2017, [arXiv:1709.01507](https://arxiv.org/abs/1709.01507)
//!
//! A block widens its input, convolves each channel by itself, weighs the channels by what they
//! hold on the whole image, and narrows the result. First weights, names and details are those of
//! torchvision's `MobileNetV3`.

mod config;
mod tables;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{hard_sigmoid, hard_swish, relu};

use crate::init::Init;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, normal};
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;
pub use config::{MobileNetV3Config, MobileNetV3Size};
use config::{Row, round_to_eight};
use tables::{Activation, HARD_SWISH};

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
        let rows = self.rows();
        let [hidden, last] = self.tail();
        let (first, narrow) = (rows[0].input, hidden / 6);

        let stem = Conv::new(shape.channels, first, 3).stride(2);
        let mut features = vec![Feature::Conv(ConvNorm::new(stem, HARD_SWISH, &mut init))];
        for row in &rows {
            features.push(Feature::Block(Block::new(row, &mut init)));
        }
        let wide = Conv::new(narrow, hidden, 1);
        features.push(Feature::Conv(ConvNorm::new(wide, HARD_SWISH, &mut init)));
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

/// Widen, convolve each channel, weigh the channels, narrow.
#[derive(Module, Debug)]
struct Block {
    block: Vec<Layer>,
    residual: bool,
}

#[derive(Module, Debug)]
enum Layer {
    Conv(ConvNorm),
    Squeeze(SqueezeExcite),
}

impl Block {
    fn new(row: &Row, init: &mut Init) -> Self {
        let (input, expanded, output) = (row.input, row.expanded, row.output);
        let activation = row.activation;
        let mut block = Vec::new();
        if expanded != input {
            let widen = Conv::new(input, expanded, 1);
            block.push(Layer::Conv(ConvNorm::new(widen, activation, init)));
        }
        let depthwise = Conv {
            groups: expanded,
            ..Conv::new(expanded, expanded, row.kernel).stride(row.stride)
        };
        block.push(Layer::Conv(ConvNorm::new(depthwise, activation, init)));
        if row.squeeze {
            block.push(Layer::Squeeze(SqueezeExcite::new(expanded, init)));
        }
        let narrow = Conv::new(expanded, output, 1);
        block.push(Layer::Conv(ConvNorm::new(narrow, Activation::None, init)));
        Self {
            block,
            residual: row.stride == 1 && input == output,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self
            .block
            .iter()
            .fold(input.clone(), |x, layer| match layer {
                Layer::Conv(conv) => conv.forward(x),
                Layer::Squeeze(squeeze) => squeeze.forward(x),
            });
        match self.residual {
            true => x + input,
            false => x,
        }
    }
}

/// Weighs each channel by a function of all channels' means.
#[derive(Module, Debug)]
struct SqueezeExcite {
    fc1: Conv2d,
    fc2: Conv2d,
}

impl SqueezeExcite {
    fn new(channels: usize, init: &mut Init) -> Self {
        let squeezed = round_to_eight((channels / 4) as f64);
        Self {
            fc1: pointwise(channels, squeezed, init),
            fc2: pointwise(squeezed, channels, init),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = mean_of_image(input.clone()); // [batch, channels, 1, 1]
        let x = self.fc2.forward(relu(self.fc1.forward(x)));
        input * hard_sigmoid(x, 1.0 / 6.0, 0.5)
    }
}

/// A convolution without bias, a batch norm, a non-linearity.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
    #[module(skip)]
    activation: Activation,
}

impl ConvNorm {
    fn new(conv: Conv, activation: Activation, init: &mut Init) -> Self {
        let outputs = conv.outputs;
        let conv = conv.he(init);
        let mut norm = init.batch_norm(outputs);
        // torchvision's numbers, from the paper's TensorFlow code.
        norm.epsilon = 1e-3;
        norm.momentum = 0.01;
        Self {
            conv,
            norm,
            activation,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(input);
        match self.activation {
            Activation::None => self.norm.forward(x),
            Activation::Relu => self.norm.relu(x),
            Activation::HardSwish => hard_swish(self.norm.forward(x)),
        }
    }
}

/// A convolution of single pixels with a bias.
fn pointwise(inputs: usize, outputs: usize, init: &mut Init) -> Conv2d {
    let conv = Conv {
        bias: true,
        ..Conv::new(inputs, outputs, 1)
    };
    conv.he(init)
}

/// The mean over height and width, which stay as axes of length 1.
fn mean_of_image(input: Tensor<4>) -> Tensor<4> {
    input.mean_dim(3).mean_dim(2)
}

#[cfg(test)]
mod tests;
