//! A block: x + attention(norm(x)), in the decoder also x + attention to the memory(norm(x)), then x + mlp(norm(x)).

use burn::module::Module;
use burn::tensor::{Bool, Tensor};

use super::config::T5Config;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::attention::{attend, attend_biased, join_heads, split_heads};
use crate::layers::causal::LayerCache;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::{Norm, NormStyle};
use crate::seq2seq::decoding::Sources;

impl T5Config {
    /// Layer normalisation without a mean and a shift (section 2.1).
    pub(super) fn norm(&self, init: &mut Init) -> Norm {
        init.norm(NormStyle::Rms, self.width, self.norm_eps)
    }
}

/// A layer without a bias. The published code draws its weights with this deviation.
fn layer(inputs: usize, outputs: usize, std: f64, init: &mut Init) -> Linear {
    linear::normal(inputs, outputs, std, false, init)
}

/// What the tokens of a stack see of each other.
pub(super) struct Sight<'a> {
    /// What distances add to the scores, `[1, heads, new, time]`.
    pub bias: Tensor<4>,
    /// True where masked, `[1 or batch, 1, 1 or new, time]`.
    pub masked: &'a Tensor<4, Bool>,
}

#[derive(Module, Debug)]
pub(super) struct Block {
    self_norm: Norm,
    self_attention: Attention,
    /// Of a decoder alone.
    cross: Option<Cross>,
    mlp_norm: Norm,
    mlp: Mlp,
    dropout: Dropout,
}

/// Attention to the encoded source.
#[derive(Module, Debug)]
struct Cross {
    norm: Norm,
    attention: Attention,
}

impl Block {
    /// Of an encoder, or of a decoder, which attends to a memory.
    pub fn new(config: &T5Config, has_memory: bool, init: &mut Init) -> Self {
        let self_norm = config.norm(init);
        let self_attention = Attention::new(config, init);
        let cross = has_memory.then(|| Cross {
            norm: config.norm(init),
            attention: Attention::new(config, init),
        });
        Self {
            self_norm,
            self_attention,
            cross,
            mlp_norm: config.norm(init),
            mlp: Mlp::new(config, init),
            dropout: init.dropout(config.dropout),
        }
    }

    /// # Shapes
    ///
    /// - `x` and result: `[batch, new, width]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        sight: &Sight,
        own: &mut LayerCache,
        memory: Option<(&Sources, &mut LayerCache)>,
    ) -> Tensor<3> {
        let normed = self.self_norm.forward(x.clone());
        let [keys, values] = self.self_attention.pairs(normed.clone());
        let pairs = own.extend(keys, values);
        let branch = self.self_attention.among(normed, pairs, sight);
        let x = x + self.dropout.forward(branch);

        let x = match (&self.cross, memory) {
            (Some(cross), Some((sources, cache))) => {
                let pairs = cache.once(|| cross.attention.pairs(sources.memory.clone()));
                let normed = cross.norm.forward(x.clone());
                let masked = &sources.masked_memory;
                x + self
                    .dropout
                    .forward(cross.attention.to(normed, pairs, masked))
            }
            _ => x,
        };

        let branch = self.mlp.forward(self.mlp_norm.forward(x.clone()));
        x + self.dropout.forward(branch)
    }
}

/// Multi-head attention whose scores are not divided by the root of the heads' width: the first queries are so much
/// smaller instead. All heads together need not be as wide as the tokens.
#[derive(Module, Debug)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    dropout: Dropout,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(config: &T5Config, init: &mut Init) -> Self {
        let (width, inner) = (config.width, config.heads * config.head_width);
        let std = |inputs: usize| (inputs as f64).powf(-0.5);
        Self {
            q: layer(width, inner, std(width * config.head_width), init),
            k: layer(width, inner, std(width), init),
            v: layer(width, inner, std(width), init),
            o: layer(inner, width, std(inner), init),
            dropout: init.dropout(config.dropout),
            heads: config.heads,
        }
    }

    /// The keys and values of `x`, `[batch, time, width]`: each `[batch, heads, time, head width]`.
    fn pairs(&self, x: Tensor<3>) -> [Tensor<4>; 2] {
        [&self.k, &self.v].map(|layer| split_heads(layer.forward(x.clone()), self.heads))
    }

    /// Attention of tokens to those of their own text, whose keys and values are `pairs`.
    fn among(&self, x: Tensor<3>, pairs: [Tensor<4>; 2], sight: &Sight) -> Tensor<3> {
        let query = split_heads(self.q.forward(x), self.heads);
        let bias = sight.bias.clone();
        let mixed = attend_biased(query, pairs, sight.masked, bias, &self.dropout);
        self.o.forward(join_heads(mixed))
    }

    /// Attention of tokens to those of another text, from which they have no distance.
    fn to(&self, x: Tensor<3>, pairs: [Tensor<4>; 2], masked: &Tensor<4, Bool>) -> Tensor<3> {
        let query = split_heads(self.q.forward(x), self.heads);
        // What the division of the scores takes away again.
        let query = query.clone() * (query.dims()[3] as f64).sqrt();
        let mixed = attend(query, pairs, masked, Some(&self.dropout));
        self.o.forward(join_heads(mixed))
    }
}

/// Two layers; or three, where what goes in is multiplied by a gate (Shazeer 2020, section 2).
#[derive(Module, Debug)]
struct Mlp {
    /// The gate, where there is one.
    wi_0: Option<Linear>,
    wi_1: Linear,
    wo: Linear,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    fn new(config: &T5Config, init: &mut Init) -> Self {
        let (width, inner) = (config.width, config.mlp_width);
        let [outer_std, inner_std] = [width, inner].map(|inputs| (inputs as f64).powf(-0.5));
        Self {
            wi_0: config.gated.then(|| layer(width, inner, outer_std, init)),
            wi_1: layer(width, inner, outer_std, init),
            wo: layer(inner, width, inner_std, init),
            dropout: init.dropout(config.dropout),
            activation: config.activation,
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let inner = self.wi_1.forward(x.clone());
        let inner = match &self.wi_0 {
            Some(gate) => self.activation.forward(gate.forward(x)) * inner,
            None => self.activation.forward(inner),
        };
        self.wo.forward(self.dropout.forward(inner))
    }
}
