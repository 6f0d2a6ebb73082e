//! A small convolutional network of which every part can be chosen: blocks of convolution → norm
//! → activation with pooling after each, then one linear layer. At home on tiny images.
//!
//! - convolutional networks: LeCun et al., *Backpropagation applied to handwritten zip code
//!   recognition* (1989)
//! - several small kernels in a row: Simonyan & Zisserman 2014,
//!   [arXiv:1409.1556](https://arxiv.org/abs/1409.1556)
//! - the mean of each map before the output: Lin, Chen & Yan 2013,
//!   [arXiv:1312.4400](https://arxiv.org/abs/1312.4400)

use burn::module::Module;
use burn::nn::GroupNorm;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::family::{Architecture, Layered};
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::norm::NormKind;
use crate::layers::pool::{Pool, global_average};
use crate::limits::{check, check_range, check_rate};
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;

/// A small convolutional network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CnnConfig {
    /// The channels of each block; every block halves height and width.
    pub widths: Vec<usize>,
    /// Convolutions in each block.
    pub convs: usize,
    /// Height and width of the kernels, an odd number.
    pub kernel: usize,
    /// The normalisation before each activation; "layer" takes each image over all its channels
    /// and positions at once.
    pub norm: NormKind,
    /// The non-linearity after each convolution.
    pub activation: Activation,
    /// How each block halves its feature maps.
    pub pool: Pool,
    /// Whether the output layer reads the mean of each channel instead of all positions.
    pub global_average: bool,
    /// The probability of zeroing a number before the output while training, in [0, 1).
    pub dropout: f64,
}

/// The module that [`CnnConfig`] builds.
#[derive(Module, Debug)]
pub struct Cnn {
    blocks: Vec<Block>,
    dropout: Dropout,
    fc: Linear,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pool: Pool,
    global_average: bool,
}

impl Architecture for CnnConfig {
    type Shape = ImageShape;
    type Model = Cnn;

    fn validate(&self) -> Vec<(String, String)> {
        let (kernel, range) = (self.kernel, 1..=MAX_WIDTH);
        let text = "needs at least one block";
        let mut problems = Vec::from_iter(check(!self.widths.is_empty(), "widths", text));
        let is_right = self.widths.iter().all(|width| range.contains(width));
        let text = format!("every width must be from 1 to {MAX_WIDTH}");
        problems.extend(check(is_right, "widths", text));
        problems.extend(check_range("convs", self.convs, MAX_CONVS));
        let is_right = !kernel.is_multiple_of(2) && kernel <= MAX_KERNEL;
        let text = format!("must be odd and at most {MAX_KERNEL}, but is {kernel}");
        problems.extend(check(is_right, "kernel", text));
        problems.extend(check_rate("dropout", self.dropout));
        problems
    }

    fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let side = shape.height.min(shape.width);
        let text = format!(
            "{} blocks halve the image as often, but its shorter side has {side} pixels: at most {} fit",
            self.widths.len(),
            side.max(1).ilog2()
        );
        Vec::from_iter(check(self.side(side) > 0, "widths", text))
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let [convs, kernel] = [self.convs, self.kernel].map(|number| number as f64);
        let widths: f64 = self.widths.iter().map(|width| *width as f64).sum();
        let blocks = (widths * convs * kernel * kernel) as usize;
        let head = self.positions(shape).max(shape.outputs);
        blocks.max(shape.channels).saturating_add(head)
    }

    fn has_batch_norm(&self) -> bool {
        self.norm == NormKind::Batch
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> Cnn {
        let mut init = Init::new(seed, device);
        let mut channels = shape.channels;
        let mut block = |&width: &usize| {
            let inputs = std::mem::replace(&mut channels, width);
            Block::new(self, inputs, width, &mut init)
        };
        let blocks = self.widths.iter().map(&mut block).collect();
        Cnn {
            blocks,
            dropout: init.dropout(self.dropout),
            fc: init.linear(channels * self.positions(shape), shape.outputs, true),
            activation: self.activation,
            pool: self.pool,
            global_average: self.global_average,
        }
    }
}

impl Layered for CnnConfig {
    const HEAD: &'static str = "fc";

    fn layers(&self) -> usize {
        self.widths.len() + 1
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let (block, _) = name.strip_prefix("blocks.")?.split_once('.')?;
        block.parse().ok()
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("norm", json!(self.norm)),
            ("activation", json!(self.activation)),
            ("pool", json!(self.pool)),
            ("global_average", json!(self.global_average)),
        ]
    }
}

impl CnnConfig {
    /// Height or width of the last feature map, 0 where the image is too small.
    fn side(&self, pixels: usize) -> usize {
        self.widths.iter().fold(pixels, |side, _| side / 2)
    }

    /// The pixels of each channel that the output is given.
    fn positions(&self, shape: &ImageShape) -> usize {
        let [height, width] = [shape.height, shape.width].map(|pixels| self.side(pixels));
        match self.global_average {
            true => 1,
            false => height.saturating_mul(width),
        }
    }
}

impl Default for CnnConfig {
    fn default() -> Self {
        Self {
            widths: vec![32, 64],
            convs: 1,
            kernel: 3,
            norm: NormKind::Batch,
            activation: Activation::default(),
            pool: Pool::default(),
            global_average: true,
            dropout: 0.0,
        }
    }
}

impl ImageNetwork for Cnn {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.features_of_maps(self.convolve(images))
    }

    fn maps(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        Some(self.convolve(images))
    }

    fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        let x = self.pool.halve(maps);
        let x = match self.global_average {
            true => global_average(x),
            false => x.flatten::<2>(1, 3),
        };
        self.dropout.forward(x)
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.fc.forward(features)
    }
}

impl Cnn {
    /// All but the last halving.
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        let (first, others) = self.blocks.split_first().expect("validate: one at least");
        let step = |x, block: &Block| block.forward(self.pool.halve(x), self.activation);
        let x = first.forward(images, self.activation);
        others.iter().fold(x, step)
    }
}

#[derive(Module, Debug)]
struct Block {
    convs: Vec<Conv2d>,
    norms: Vec<Norm>,
}

impl Block {
    fn new(config: &CnnConfig, inputs: usize, width: usize, init: &mut Init) -> Self {
        let mut block = Self {
            convs: Vec::new(),
            norms: Vec::new(),
        };
        for index in 0..config.convs {
            let conv = Conv {
                // A norm's shift does what a bias would.
                bias: config.norm == NormKind::None,
                ..Conv::new(
                    if index == 0 { inputs } else { width },
                    width,
                    config.kernel,
                )
            };
            block.convs.push(conv.he(init));
            block.norms.extend(Norm::new(config.norm, width, init));
        }
        block
    }

    fn forward(&self, mut x: Tensor<4>, activation: Activation) -> Tensor<4> {
        for (index, conv) in self.convs.iter().enumerate() {
            x = conv.forward(x);
            x = match self.norms.get(index) {
                Some(norm) => norm.forward(x, activation),
                None => activation.forward(x),
            };
        }
        x
    }
}

#[derive(Module, Debug)]
enum Norm {
    Batch(BatchNorm),
    /// A single group holds all channels, which is layer norm with a scale for each channel.
    Layer(GroupNorm),
}

impl Norm {
    fn new(kind: NormKind, width: usize, init: &mut Init) -> Option<Self> {
        match kind {
            NormKind::None => None,
            NormKind::Batch => Some(Self::Batch(init.batch_norm(width))),
            NormKind::Layer => Some(Self::Layer(init.group_norm(1, width))),
        }
    }

    fn forward(&self, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        match self {
            Self::Batch(norm) if activation == Activation::Relu => norm.relu(input),
            Self::Batch(norm) => activation.forward(norm.forward(input)),
            Self::Layer(norm) => activation.forward(norm.forward(input)),
        }
    }
}

/// Far beyond any sensible network; a slip of the key beyond them would ask for more memory than
/// there is.
const MAX_WIDTH: usize = 1 << 14;
const MAX_CONVS: usize = 1000;
const MAX_KERNEL: usize = 99;

#[cfg(test)]
mod tests;
