//! Inverted residuals, the blocks of which MobileNetV3 and EfficientNet are made.
//!
//! - Sandler et al. 2018, *MobileNetV2: inverted residuals and linear bottlenecks*,
//!   [arXiv:1801.04381](https://arxiv.org/abs/1801.04381), section 3.3
//! - squeeze and excitation: Hu et al. 2017, [arXiv:1709.01507](https://arxiv.org/abs/1709.01507)
//!
//! A block widens its input, convolves each channel by itself, weighs the channels by what they
//! hold on the whole image, and narrows the result. First weights, names and details are those of
//! torchvision; timm's names and details are understood.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{hard_sigmoid, hard_swish, relu, sigmoid};
use fireclay_kernels::{silu, widely};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::init::Init;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::drop_path::DropPath;

/// How zeros are put around an image before it is convolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImagePadding {
    /// As many on each side, half the kernel: PyTorch's.
    #[default]
    Symmetric,
    /// As few as leave height and width divided by the stride, rounded up; of an odd number the one
    /// more is below or on the right: TensorFlow's "SAME", as the `tf_` models of timm have it.
    Same,
}

impl ImagePadding {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What all convolutions of a network have alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Details {
    /// What each norm adds to the variance.
    pub norm_eps: f64,
    /// The share of the newest batch in the running statistics.
    pub momentum: f64,
    pub padding: ImagePadding,
}

/// What follows a convolution and its norm.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    None,
    Relu,
    HardSwish,
    Silu,
}

/// What a block is built from.
pub(super) struct Row {
    pub input: usize,
    pub kernel: usize,
    pub expanded: usize,
    pub output: usize,
    /// Channels between the two layers that weigh the channels; none where they are not weighed.
    pub squeezed: Option<usize>,
    pub activation: Activation,
    pub stride: usize,
}

/// Widen, convolve each channel, weigh the channels, narrow.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub(super) block: Vec<Layer>,
    residual: bool,
    drop_path: DropPath,
}

#[derive(Module, Debug)]
pub(super) enum Layer {
    Conv(ConvNorm),
    Squeeze(SqueezeExcite),
}

impl Block {
    /// The block is left out with probability `drop` while training, if its input is added to it.
    pub fn new(row: &Row, details: Details, drop: f64, init: &mut Init) -> Self {
        let (input, expanded, output) = (row.input, row.expanded, row.output);
        let activation = row.activation;
        let mut block = Vec::new();
        if row.widens() {
            let widen = Conv::new(input, expanded, 1);
            block.push(Layer::Conv(ConvNorm::new(widen, activation, details, init)));
        }
        let depthwise = Conv {
            groups: expanded,
            ..Conv::new(expanded, expanded, row.kernel).stride(row.stride)
        };
        let depthwise = ConvNorm::new(depthwise, activation, details, init);
        block.push(Layer::Conv(depthwise));
        if let Some(squeezed) = row.squeezed {
            let squeeze = SqueezeExcite::new([expanded, squeezed], activation, init);
            block.push(Layer::Squeeze(squeeze));
        }
        let narrow = Conv::new(expanded, output, 1);
        let narrow = ConvNorm::new(narrow, Activation::None, details, init);
        block.push(Layer::Conv(narrow));
        Self {
            block,
            residual: row.stride == 1 && input == output,
            drop_path: init.drop_path(drop),
        }
    }

    /// `[batch, input, height, width]` -> `[batch, output, height / stride, width / stride]`,
    /// rounded up.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self
            .block
            .iter()
            .fold(input.clone(), |x, layer| match layer {
                Layer::Conv(conv) => conv.forward(x),
                Layer::Squeeze(squeeze) => squeeze.forward(x),
            });
        match self.residual {
            true => self.drop_path.forward(x) + input,
            false => x,
        }
    }
}

impl Row {
    fn widens(&self) -> bool {
        self.expanded != self.input
    }

    /// A lower bound of the number of weights of the block.
    pub fn least_weights(&self) -> usize {
        let widen = if self.widens() { self.input } else { 0 };
        self.expanded.saturating_mul(widen + self.output)
    }

    /// What torchvision calls a tensor of the block that timm calls `name`, both without the name of the block.
    pub fn of_timm(&self, name: &[&str]) -> Option<String> {
        const WIDE: [[&str; 2]; 3] = [["conv_pw", "bn1"], ["conv_dw", "bn2"], ["conv_pwl", "bn3"]];
        const NARROW: [[&str; 2]; 2] = [["conv_dw", "bn1"], ["conv_pw", "bn2"]];
        let convolutions: &[[&str; 2]] = match self.widens() {
            true => &WIDE,
            false => &NARROW,
        };
        let last = convolutions.len() - 1;
        Some(match *name {
            ["se", "conv_reduce", kind] => format!("block.{last}.fc1.{kind}"),
            ["se", "conv_expand", kind] => format!("block.{last}.fc2.{kind}"),
            [layer, kind] => {
                let mut layers = convolutions.iter().enumerate();
                let (index, part) = layers.find_map(|(index, parts)| {
                    let part = parts.iter().position(|part| *part == layer)?;
                    Some((index, part))
                })?;
                // The channels are weighed before the last convolution.
                let squeeze = usize::from(index == last && self.squeezed.is_some());
                format!("block.{}.{part}.{kind}", index + squeeze)
            }
            _ => return None,
        })
    }
}

/// Weighs each channel by a function of all channels' means.
#[derive(Module, Debug)]
pub(super) struct SqueezeExcite {
    fc1: Conv2d,
    fc2: Conv2d,
    #[module(skip)]
    activation: Activation,
}

impl SqueezeExcite {
    fn new([channels, squeezed]: [usize; 2], activation: Activation, init: &mut Init) -> Self {
        Self {
            fc1: pointwise(channels, squeezed, init),
            fc2: pointwise(squeezed, channels, init),
            activation,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.fc1.forward(mean_of_image(input.clone())); // [batch, squeezed, 1, 1]
        let weights = match self.activation {
            Activation::Silu => widely(self.fc2.forward(silu(x)), sigmoid),
            // MobileNetV3 has these, whatever is around them.
            _ => hard_sigmoid(self.fc2.forward(relu(x)), 1.0 / 6.0, 0.5),
        };
        input * weights
    }
}

/// A convolution without bias, a batch norm, a non-linearity.
#[derive(Module, Debug)]
pub(super) struct ConvNorm {
    conv: Conv2d,
    pub(super) norm: BatchNorm,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    padding: ImagePadding,
}

impl ConvNorm {
    pub fn new(conv: Conv, activation: Activation, details: Details, init: &mut Init) -> Self {
        let outputs = conv.outputs;
        let conv = conv.he(init);
        let mut norm = init.batch_norm(outputs);
        norm.epsilon = details.norm_eps;
        norm.momentum = details.momentum;
        Self {
            conv,
            norm,
            activation,
            padding: details.padding,
        }
    }

    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = match self.padding {
            ImagePadding::Symmetric => self.conv.forward(input),
            ImagePadding::Same => self.conv.forward_same(input),
        };
        match self.activation {
            Activation::None => self.norm.forward(x),
            Activation::Relu => self.norm.relu(x),
            Activation::HardSwish => hard_swish(self.norm.forward(x)),
            Activation::Silu => silu(self.norm.forward(x)),
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
pub(super) fn mean_of_image(input: Tensor<4>) -> Tensor<4> {
    input.mean_dim(3).mean_dim(2)
}

/// The nearest multiple of 8, but at least 8 and never more than a tenth below `channels`, as in the papers' code.
pub(super) fn round_to_eight(channels: f64) -> usize {
    let rounded = (((channels + 4.0) / 8.0).floor() * 8.0).max(8.0);
    match rounded < 0.9 * channels {
        true => rounded as usize + 8,
        false => rounded as usize,
    }
}

/// torchvision's name of a tensor whose path has the fields of this file.
pub(super) fn torch_name(path: &str) -> String {
    let parts = path.split('.').map(|part| match part {
        "conv" => "0",
        "norm" => "1",
        part => part,
    });
    parts.collect::<Vec<_>>().join(".")
}
