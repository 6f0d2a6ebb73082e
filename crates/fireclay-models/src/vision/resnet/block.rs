//! The two kinds of residual block.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::ops::MaxPoolOptions;
use fireclay_kernels::{add_relu, max_pool2d};

use super::config::{BlockKind, Shortcut};
use crate::init::Init;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::drop_path::DropPath;

/// One residual block; the third convolution is the bottleneck's.
#[derive(Module, Debug)]
pub struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    downsample: Option<(Conv2d, BatchNorm)>,
    pub(super) drop_path: DropPath,
    stride: usize,
}

/// What a block is built from.
pub struct BlockConfig {
    pub kind: BlockKind,
    pub inputs: usize,
    pub outputs: usize,
    pub stride: usize,
    pub shortcut: Shortcut,
    pub zero_scale: bool,
    pub drop: f64,
}

impl BlockConfig {
    pub fn init(&self, init: &mut Init) -> Block {
        let (inputs, outputs, stride) = (self.inputs, self.outputs, self.stride);
        let width = outputs / self.kind.expansion();
        let bottleneck = self.kind == BlockKind::Bottleneck;
        let [first, second] = match bottleneck {
            true => [
                Conv::new(inputs, width, 1),
                Conv::new(width, width, 3).stride(stride),
            ],
            false => [
                Conv::new(inputs, width, 3).stride(stride),
                Conv::new(width, width, 3),
            ],
        };
        let last = |init: &mut Init| match self.zero_scale {
            true => init.batch_norm_zero(outputs),
            false => init.batch_norm(outputs),
        };
        let changes = inputs != outputs || stride != 1;
        let project = changes && self.shortcut == Shortcut::Projection;
        Block {
            conv1: first.he(init),
            bn1: init.batch_norm(width),
            conv2: second.he(init),
            bn2: if bottleneck {
                init.batch_norm(width)
            } else {
                last(init)
            },
            conv3: bottleneck.then(|| Conv::new(width, outputs, 1).he(init)),
            bn3: bottleneck.then(|| last(init)),
            downsample: project.then(|| {
                let conv = Conv::new(inputs, outputs, 1).stride(stride);
                (conv.he(init), init.batch_norm(outputs))
            }),
            drop_path: init.drop_path(self.drop),
            stride,
        }
    }
}

impl Block {
    /// `[batch, inputs, height, width]` -> `[batch, outputs, height / stride, width / stride]`,
    /// rounded up.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.bn1.relu(self.conv1.forward(input.clone()));
        let x = self.conv2.forward(x);
        let x = match (&self.conv3, &self.bn3) {
            (Some(conv), Some(norm)) => norm.forward(conv.forward(self.bn2.relu(x))),
            _ => self.bn2.forward(x),
        };
        let shortcut = match &self.downsample {
            Some((conv, norm)) => norm.forward(conv.forward(input)),
            None => pad_channels(every_other(input, self.stride), x.dims()[1]),
        };
        add_relu(self.drop_path.forward(x), shortcut)
    }
}

/// Every `stride`-th row and column.
fn every_other(input: Tensor<4>, stride: usize) -> Tensor<4> {
    if stride == 1 {
        return input;
    }
    // The maximum of one pixel is that pixel, and every backend can take gradients through it.
    let mut options = MaxPoolOptions::new([1, 1]);
    options.stride = [stride, stride];
    max_pool2d(input, options)
}

/// Zeros for the channels that the input lacks: half before, half after, as the PyTorch ports of
/// the small networks have it; the paper leaves it open.
fn pad_channels(input: Tensor<4>, channels: usize) -> Tensor<4> {
    let [batch, inputs, height, width] = input.dims();
    let missing = channels - inputs;
    if missing == 0 {
        return input;
    }
    let options = (&input.device(), input.dtype());
    let zeros = |channels| Tensor::<4>::zeros([batch, channels, height, width], options);
    let (before, after) = (missing / 2, missing - missing / 2);
    let mut parts = vec![input, zeros(after)];
    if before > 0 {
        parts.insert(0, zeros(before));
    }
    Tensor::cat(parts, 1)
}
