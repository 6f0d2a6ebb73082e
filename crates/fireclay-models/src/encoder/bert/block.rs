//! A block whose norms come after its branches.

use burn::module::Module;
use burn::tensor::{Bool, Tensor};

use super::parts::Parts;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::attention::{attend, join_heads, split_heads, weights};
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::LayerNorm;
use crate::layers::sizes::Sizes;
use crate::layers::tokens::STD;

/// norm(x + attention(x)), then norm(x + mlp(x)).
#[derive(Module, Debug)]
pub(super) struct Block {
    pub attention: Attention,
    /// The first layer of the MLP.
    intermediate: Linear,
    /// The second.
    output: Output,
    #[module(skip)]
    activation: Activation,
}

impl Block {
    pub fn new(parts: &Parts, init: &mut Init) -> Self {
        let [width, mlp_width] = parts.sizes.widths();
        Self {
            attention: Attention::new(parts, init),
            intermediate: linear::normal(width, mlp_width, STD, true, init),
            output: Output::new(parts, mlp_width, init),
            activation: parts.activation,
        }
    }

    pub fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let x = self.attention.forward(x, masked);
        let inner = self.intermediate.forward(x.clone());
        self.output.forward(self.activation.forward(inner), x)
    }
}

#[derive(Module, Debug)]
pub(super) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    dropout: Dropout,
    output: Output,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(parts: &Parts, init: &mut Init) -> Self {
        let Sizes { width, heads, .. } = parts.sizes;
        Self {
            query: linear::normal(width, width, STD, true, init),
            key: linear::normal(width, width, STD, true, init),
            value: linear::normal(width, width, STD, true, init),
            dropout: init.dropout(parts.dropout),
            output: Output::new(parts, width, init),
            heads,
        }
    }

    fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let split = |layer: &Linear| split_heads(layer.forward(x.clone()), self.heads);
        let pairs = [split(&self.key), split(&self.value)];
        let mixed = attend(split(&self.query), pairs, masked, Some(&self.dropout));
        self.output.forward(join_heads(mixed), x)
    }

    /// How much each token attends to each other one, `[batch, heads, time, time]`.
    pub fn weights(&self, x: &Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<4> {
        let split = |layer: &Linear| split_heads(layer.forward(x.clone()), self.heads);
        weights(split(&self.query), split(&self.key), Some(masked))
    }
}

/// The end of a branch: norm(x + dense(branch)).
#[derive(Module, Debug)]
struct Output {
    dense: Linear,
    layer_norm: LayerNorm,
    dropout: Dropout,
}

impl Output {
    fn new(parts: &Parts, inputs: usize, init: &mut Init) -> Self {
        let Sizes { width, .. } = parts.sizes;
        Self {
            dense: linear::normal(inputs, width, STD, true, init),
            layer_norm: init.layer_norm_with(width, parts.norm_eps),
            dropout: init.dropout(parts.dropout),
        }
    }

    fn forward(&self, branch: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let branch = self.dropout.forward(self.dense.forward(branch));
        self.layer_norm.forward(x + branch)
    }
}
