//! The half that predicts the target.

use burn::module::Module;
use burn::tensor::Tensor;

use super::attention::Attention;
use super::config::TransformerConfig;
use crate::init::{Init, Values};
use crate::layers::activation::Activation;
use crate::layers::causal::LayerCache;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, xavier};
use crate::layers::norm::LayerNorm;
use crate::layers::sizes::Sizes;
use crate::seq2seq::decoding::{DecoderCache, Sources};

#[derive(Module, Debug)]
pub(super) struct Decoder {
    layers: Vec<DecoderBlock>,
    norm: Option<LayerNorm>,
}

impl Decoder {
    pub fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let (Sizes { width, .. }, [_, layers]) = (config.sizes(), config.depths());
        Self {
            layers: (0..layers)
                .map(|_| DecoderBlock::new(config, init))
                .collect(),
            norm: config.final_norm.then(|| init.layer_norm(width)),
        }
    }

    /// # Shapes
    ///
    /// - `x` and result: `[batch, new, width]`
    pub fn forward(&self, x: Tensor<3>, sources: &Sources, cache: &mut DecoderCache) -> Tensor<3> {
        let blocks = self.layers.iter().zip(cache.layers());
        let x = blocks.fold(x, |x, (block, (own, memory))| {
            block.forward(x, sources, own, memory)
        });
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }

    pub fn empty_cache(&self) -> DecoderCache {
        DecoderCache::empty(self.layers.len())
    }
}

/// norm(x + attention(x)), then norm(x + attention to the memory(x)), then norm(x + mlp(x)).
#[derive(Module, Debug)]
struct DecoderBlock {
    self_attn: Attention,
    norm1: LayerNorm,
    multihead_attn: Attention,
    norm2: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    norm3: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl DecoderBlock {
    fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let [width, mlp_width] = config.sizes().widths();
        Self {
            self_attn: Attention::new(config, init),
            norm1: init.layer_norm(width),
            multihead_attn: Attention::new(config, init),
            norm2: init.layer_norm(width),
            linear1: xavier(width, mlp_width, Values::ZEROS, init),
            linear2: xavier(mlp_width, width, Values::ZEROS, init),
            norm3: init.layer_norm(width),
            dropout: init.dropout(config.dropout),
            activation: config.activation,
        }
    }

    fn forward(
        &self,
        x: Tensor<3>,
        sources: &Sources,
        own: &mut LayerCache,
        memory: &mut LayerCache,
    ) -> Tensor<3> {
        let [keys, values] = self.self_attn.pairs(x.clone());
        let pairs = own.extend(keys, values);
        let branch = self.self_attn.forward(x.clone(), pairs, &sources.masked);
        let x = self.norm1.forward(x + self.dropout.forward(branch));

        let pairs = memory.once(|| self.multihead_attn.pairs(sources.memory.clone()));
        let masked = &sources.masked_memory;
        let branch = self.multihead_attn.forward(x.clone(), pairs, masked);
        let x = self.norm2.forward(x + self.dropout.forward(branch));

        let inner = self.activation.forward(self.linear1.forward(x.clone()));
        let branch = self.linear2.forward(inner);
        self.norm3.forward(x + self.dropout.forward(branch))
    }
}
