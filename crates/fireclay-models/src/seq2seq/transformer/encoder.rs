//! The half that reads the source.

use burn::module::Module;
use burn::tensor::{Bool, Tensor};

use super::attention::Attention;
use super::config::TransformerConfig;
use crate::init::{Init, Values};
use crate::layers::activation::Activation;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, xavier};
use crate::layers::norm::LayerNorm;
use crate::layers::sizes::Sizes;

#[derive(Module, Debug)]
pub(super) struct Encoder {
    layers: Vec<EncoderBlock>,
    norm: Option<LayerNorm>,
}

impl Encoder {
    pub fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let (Sizes { width, .. }, [layers, _]) = (config.sizes(), config.depths());
        Self {
            layers: (0..layers)
                .map(|_| EncoderBlock::new(config, init))
                .collect(),
            norm: config.final_norm.then(|| init.layer_norm(width)),
        }
    }

    /// # Shapes
    ///
    /// - `x` and result: `[batch, time, width]`
    /// - `masked`: `[batch, 1, 1, time]`
    pub fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let blocks = self.layers.iter();
        let x = blocks.fold(x, |x, block| block.forward(x, masked));
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

/// norm(x + attention(x)), then norm(x + mlp(x)).
#[derive(Module, Debug)]
struct EncoderBlock {
    self_attn: Attention,
    norm1: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    norm2: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl EncoderBlock {
    fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let [width, mlp_width] = config.sizes().widths();
        Self {
            self_attn: Attention::new(config, init),
            norm1: init.layer_norm(width),
            linear1: xavier(width, mlp_width, Values::ZEROS, init),
            linear2: xavier(mlp_width, width, Values::ZEROS, init),
            norm2: init.layer_norm(width),
            dropout: init.dropout(config.dropout),
            activation: config.activation,
        }
    }

    fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let pairs = self.self_attn.pairs(x.clone());
        let branch = self.self_attn.forward(x.clone(), pairs, masked);
        let x = self.norm1.forward(x + self.dropout.forward(branch));
        let inner = self.activation.forward(self.linear1.forward(x.clone()));
        let branch = self.linear2.forward(inner);
        self.norm2.forward(x + self.dropout.forward(branch))
    }
}
