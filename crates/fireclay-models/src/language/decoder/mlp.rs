//! The MLP of a block.

use burn::module::Module;
use burn::tensor::Tensor;

use super::parts::{MlpKind, Parts, Projection};
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::linear::{self, Linear};
use crate::layers::tokens::STD;
use crate::layers::weight::Weight;

/// Gated (Shazeer 2020, *GLU Variants Improve Transformer*, section 2,
/// [arXiv:2002.05202](https://arxiv.org/abs/2002.05202)) or plain; the layers that it does not have
/// are absent.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    gate_proj: Option<Linear>,
    up_proj: Option<Linear>,
    /// Both in one.
    gate_up_proj: Option<Linear>,
    down_proj: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    pub fn new(parts: &Parts, init: &mut Init) -> Self {
        let (width, mlp_width, bias) = (parts.width, parts.mlp_width, parts.biases.mlp);
        let is_gated = parts.mlp == MlpKind::Gated;
        let is_joined = is_gated && parts.projection == Projection::Joined;
        let mut layer = |there: bool, inputs, outputs| {
            there.then(|| linear::normal(inputs, outputs, STD, bias, init))
        };
        Self {
            gate_proj: layer(is_gated && !is_joined, width, mlp_width),
            up_proj: layer(!is_joined, width, mlp_width),
            gate_up_proj: layer(is_joined, width, 2 * mlp_width),
            down_proj: linear::normal(mlp_width, width, STD, bias, init),
            activation: parts.activation,
        }
    }

    /// Those of its linear layers.
    pub fn weights(&mut self) -> Vec<&mut Weight> {
        let inner = [
            &mut self.gate_proj,
            &mut self.up_proj,
            &mut self.gate_up_proj,
        ];
        let inner = inner.into_iter().flatten();
        let layers = inner.chain([&mut self.down_proj]);
        layers.map(|layer| &mut layer.weight).collect()
    }

    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let inner = match (&self.gate_proj, &self.up_proj, &self.gate_up_proj) {
            (Some(gate), Some(up), _) => {
                let [gate, up] = Linear::forward_each([gate, up], x);
                self.activation.forward(gate) * up
            }
            (None, Some(up), _) => self.activation.forward(up.forward(x)),
            (_, None, both) => {
                let both = both.as_ref().expect("there is one layer or two").forward(x);
                let half = both.dims()[2] / 2;
                let [gate, up] = [0, half].map(|start| both.clone().narrow(2, start, half));
                self.activation.forward(gate) * up
            }
        };
        self.down_proj.forward(inner)
    }
}
