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

mod tables;

use burn::module::Module;
use burn::tensor::activation::{hard_sigmoid, hard_swish, relu};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::saturating_sum;
use crate::image::ImageShape;
use crate::init::{Init, Values};
use crate::layers::batch_norm::BatchNorm;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use tables::{Activation, HARD_SWISH, LARGE, SMALL, TableRow};

/// A MobileNetV3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MobileNetV3Config {
    /// The published size.
    #[serde(default)]
    pub size: MobileNetV3Size,
    /// What every number of channels is multiplied by, above 0 and at most 16.
    #[serde(default = "default_width")]
    pub width: f64,
    /// The probability of zeroing a value before the last layer while training, in [0, 1).
    #[serde(default = "default_dropout")]
    pub dropout: f64,
}

/// A published size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MobileNetV3Size {
    /// 11 blocks: 2.5 million parameters.
    #[default]
    Small,
    /// 15 blocks: 5.5 million parameters.
    Large,
}

/// The module that [`MobileNetV3Config`] builds.
#[derive(Module, Debug)]
pub struct MobileNetV3 {
    features: Vec<Feature>,
    hidden: Linear,
    dropout: Dropout,
    head: Linear,
}

impl MobileNetV3Config {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push((key.to_string(), message));
        if !(self.width > 0.0 && self.width <= 16.0) {
            let message = format!("must be above 0 and at most 16, but is {}", self.width);
            problem("width", message);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let message = format!("must be at least 0 and below 1, but is {}", self.dropout);
            problem("dropout", message);
        }
        problems
    }

    /// Every way in which images of this shape do not fit, as (key, message): none, because every
    /// convolution pads its input.
    pub fn validate_for(&self, _shape: &ImageShape) -> Vec<(String, String)> {
        Vec::new()
    }

    /// A number that the number of weights cannot be below.
    pub(crate) fn least_weights(&self, shape: &ImageShape) -> usize {
        let [hidden, last] = self.tail();
        saturating_sum([
            shape.channels,
            hidden.saturating_mul(last),
            last.saturating_mul(shape.outputs),
        ])
    }

    /// Builds the model for images of the given shape.
    ///
    /// First weights as torchvision draws them: convolutions normal with deviation
    /// sqrt(2 / fan-out) (He et al. 2015), linear layers normal with deviation 0.01, biases zero.
    pub fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> MobileNetV3 {
        let mut init = Init::new(seed, device);
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
            hidden: linear(hidden, last, &mut init),
            dropout: init.dropout(self.dropout),
            head: linear(last, shape.outputs, &mut init),
        }
    }

    /// The number of layers for layer-wise learning rates: the stem, the blocks, the last
    /// convolution, the two linear layers of the head.
    pub(crate) fn layers_in_all(&self) -> usize {
        self.rows().len() + 3
    }

    /// The layer of the tensor with this PyTorch name.
    pub(crate) fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["features", index, ..] => index.parse().ok(),
            ["classifier", ..] => Some(self.layers_in_all() - 1),
            _ => None,
        }
    }

    /// torchvision's name of a tensor of this module.
    pub(crate) fn torch_name(path: &str) -> String {
        let parts = path.split('.').map(|part| match part {
            "conv" => "0",
            "norm" => "1",
            "hidden" => "classifier.0",
            "head" => "classifier.3",
            part => part,
        });
        parts.collect::<Vec<_>>().join(".")
    }

    /// The widths of the last convolution and of the layer before the head.
    fn tail(&self) -> [usize; 2] {
        let last = match self.size {
            MobileNetV3Size::Small => 1024,
            MobileNetV3Size::Large => 1280,
        };
        let narrow = self.rows().last().map_or(0, |row| row.output);
        [6 * narrow, self.scale(last)]
    }

    /// A number of channels times the width, to the nearest multiple of 8.
    fn scale(&self, channels: usize) -> usize {
        round_to_eight(channels as f64 * self.width)
    }

    /// The blocks of the paper's tables, with their widths scaled.
    fn rows(&self) -> Vec<Row> {
        let table: &[TableRow] = match self.size {
            MobileNetV3Size::Small => &SMALL,
            MobileNetV3Size::Large => &LARGE,
        };
        let mut input = self.scale(16);
        let row = |&(kernel, expanded, output, squeeze, activation, stride): &TableRow| {
            let row = Row {
                input,
                kernel,
                expanded: self.scale(expanded),
                output: self.scale(output),
                squeeze,
                activation,
                stride,
            };
            input = row.output;
            row
        };
        table.iter().map(row).collect()
    }
}

impl Default for MobileNetV3Config {
    fn default() -> Self {
        Self {
            size: MobileNetV3Size::default(),
            width: default_width(),
            dropout: default_dropout(),
        }
    }
}

impl MobileNetV3 {
    /// Maps images to logits.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - result: `[batch, outputs]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self
            .features
            .iter()
            .fold(images, |x, feature| match feature {
                Feature::Conv(conv) => conv.forward(x),
                Feature::Block(block) => block.forward(x),
            });
        let x = mean_of_image(x).flatten(1, 3); // [batch, channels]
        let x = self.dropout.forward(hard_swish(self.hidden.forward(x)));
        self.head.forward(x)
    }
}

/// One block of the paper's tables.
struct Row {
    input: usize,
    kernel: usize,
    expanded: usize,
    output: usize,
    squeeze: bool,
    activation: Activation,
    stride: usize,
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
        let Row {
            input,
            expanded,
            output,
            activation,
            ..
        } = *row;
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

fn linear(inputs: usize, outputs: usize, init: &mut Init) -> Linear {
    Linear {
        weight: init.param([inputs, outputs], Values::Normal { std: 0.01 }),
        bias: Some(init.param([outputs], Values::ZEROS)),
    }
}

/// The mean over height and width, which stay as axes of length 1.
fn mean_of_image(input: Tensor<4>) -> Tensor<4> {
    input.mean_dim(3).mean_dim(2)
}

/// The nearest multiple of 8, but at least 8 and never more than a tenth below `channels`.
fn round_to_eight(channels: f64) -> usize {
    let rounded = (((channels + 4.0) / 8.0).floor() * 8.0).max(8.0);
    match rounded < 0.9 * channels {
        true => rounded as usize + 8,
        false => rounded as usize,
    }
}

fn default_width() -> f64 {
    1.0
}

fn default_dropout() -> f64 {
    0.2
}

#[cfg(test)]
mod tests;
