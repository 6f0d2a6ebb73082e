//! GPT: a decoder that predicts the next token.
//!
//! - Radford et al. 2019, *Language Models are Unsupervised Multitask Learners* (GPT-2), section
//!   2.3
//! - Brown et al. 2020, *Language Models are Few-Shot Learners* (GPT-3), table 2.1,
//!   [arXiv:2005.14165](https://arxiv.org/abs/2005.14165); its sparse attention is dense here
//!
//! Norms come before each branch and once more at the end, positions are learned, the MLP's GELU is
//! the one with tanh, and the embedding of the tokens is the head too. Names and layouts are those
//! of Hugging Face's `GPT2LMHeadModel`, whose linear layers are `[inputs, outputs]`.

mod config;
mod hugging_face;
mod sizes;

use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::{Bool, Int, Tensor};

use crate::family::Architecture;
use crate::init::{Init, Values};
use crate::language::{Head, LanguageNetwork};
use crate::layers::activation::Activation;
use crate::layers::adapter::adapted_linear;
use crate::layers::attention::{attend_itself, join_heads, split_heads};
use crate::layers::causal::{KeyValueCache, LayerCache, Positions, Seen};
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::LayerNorm;
use crate::layers::sizes::Sizes;
use crate::layers::tokens::{STD, branch_std, embedding, look_up, tied_weight};
use crate::shape::LanguageShape;
pub use config::GptConfig;
pub use sizes::GptSize;

/// The module that [`GptConfig`] builds.
#[derive(Module, Debug)]
pub struct Gpt {
    transformer: Transformer,
    /// Absent where the embedding of the tokens is the head.
    lm_head: Option<Linear>,
    #[module(skip)]
    context_length: usize,
}

impl GptConfig {
    /// First weights are normal with deviation 0.02, those that end a branch with 0.02 divided by
    /// the root of the number of branches (GPT-2, section 2.3), biases zero.
    fn build(&self, shape: &LanguageShape, mut init: Init) -> Gpt {
        let Sizes { layers, width, .. } = self.sizes();
        let context_length = self.context_length();
        let transformer = Transformer {
            wte: embedding(shape.vocabulary, width, STD, &mut init),
            wpe: embedding(context_length, width, STD, &mut init),
            drop: init.dropout(self.dropout),
            h: (0..layers).map(|_| Block::new(self, &mut init)).collect(),
            ln_f: norm(self, &mut init),
        };
        let head = || linear::normal(width, shape.vocabulary, STD, false, &mut init);
        Gpt {
            transformer,
            lm_head: (!self.tie_embeddings).then(head),
            context_length,
        }
    }
}

impl LanguageNetwork for Gpt {
    fn hidden(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3> {
        self.transformer.forward(tokens, positions, cache)
    }

    fn head(&self) -> Head {
        match &self.lm_head {
            Some(head) => Head::layer(&head.weight),
            None => Head::whole(tied_weight(&self.transformer.wte)),
        }
    }

    fn empty_cache(&self) -> KeyValueCache {
        KeyValueCache::empty(self.transformer.h.len())
    }

    fn context_length(&self) -> usize {
        self.context_length
    }
}

#[derive(Module, Debug)]
struct Transformer {
    wte: Embedding,
    wpe: Embedding,
    drop: Dropout,
    h: Vec<Block>,
    ln_f: LayerNorm,
}

impl Transformer {
    fn forward(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3> {
        let added = look_up(&self.wpe, positions.indices.clone()); // [1 or batch, new, width]
        let x = self.drop.forward(look_up(&self.wte, tokens) + added);
        let (masked, blocks) = (&positions.masked, self.h.iter().zip(&mut cache.layers));
        let x = blocks.fold(x, |x, (block, cache)| block.forward(x, masked, cache));
        self.ln_f.forward(x)
    }
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
#[derive(Module, Debug)]
struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn new(config: &GptConfig, init: &mut Init) -> Self {
        Self {
            ln_1: norm(config, init),
            attn: Attention::new(config, init),
            ln_2: norm(config, init),
            mlp: Mlp::new(config, init),
        }
    }

    fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>, cache: &mut LayerCache) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(self.ln_1.forward(x), masked, cache);
        x.clone() + self.mlp.forward(self.ln_2.forward(x))
    }
}

#[derive(Module, Debug)]
struct Attention {
    /// Queries, keys and values, in this order.
    c_attn: Conv1d,
    c_proj: Conv1d,
    attn_dropout: Dropout,
    resid_dropout: Dropout,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(config: &GptConfig, init: &mut Init) -> Self {
        let Sizes { heads, width, .. } = config.sizes();
        let std = branch_std(config.sizes().layers);
        Self {
            c_attn: Conv1d::new(width, 3 * width, STD, config.bias, init),
            c_proj: Conv1d::new(width, width, std, config.bias, init),
            attn_dropout: init.dropout(config.dropout),
            resid_dropout: init.dropout(config.dropout),
            heads,
        }
    }

    fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>, cache: &mut LayerCache) -> Tensor<3> {
        // [batch, 3 heads, new, head width]
        let all = split_heads(self.c_attn.forward(x), 3 * self.heads);
        let part = |index| all.clone().narrow(1, index * self.heads, self.heads);
        let [keys, values] = [part(1), part(2)];
        let mixed = if cache.is_empty() {
            cache.extend(keys, values);
            attend_itself(all, masked, &self.attn_dropout)
        } else {
            let seen = Seen {
                masked,
                window: None,
                cap: None,
                dropout: Some(&self.attn_dropout),
            };
            cache.attend(part(0), [keys, values], &seen)
        };
        let x = self.c_proj.forward(join_heads(mixed));
        self.resid_dropout.forward(x)
    }
}

#[derive(Module, Debug)]
struct Mlp {
    c_fc: Conv1d,
    c_proj: Conv1d,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    fn new(config: &GptConfig, init: &mut Init) -> Self {
        let [width, mlp_width] = config.sizes().widths();
        let std = branch_std(config.sizes().layers);
        Self {
            c_fc: Conv1d::new(width, mlp_width, STD, config.bias, init),
            c_proj: Conv1d::new(mlp_width, width, std, config.bias, init),
            dropout: init.dropout(config.dropout),
            activation: config.activation,
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.activation.forward(self.c_fc.forward(x));
        self.dropout.forward(self.c_proj.forward(x))
    }
}

/// A linear layer whose weight is `[inputs, outputs]` in files too, as GPT-2 keeps it.
#[derive(Module, Debug)]
struct Conv1d {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Conv1d {
    fn new(inputs: usize, outputs: usize, std: f64, bias: bool, init: &mut Init) -> Self {
        Self {
            weight: init.param([inputs, outputs], Values::Normal { std }),
            bias: bias.then(|| init.param([outputs], Values::ZEROS)),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let bias = self.bias.as_ref().map(Param::val);
        adapted_linear(x, &self.weight, bias)
    }
}

fn norm(config: &GptConfig, init: &mut Init) -> LayerNorm {
    let mut norm = init.layer_norm_with(config.sizes().width, config.norm_eps);
    norm.beta = norm.beta.filter(|_| config.bias);
    norm
}

#[cfg(test)]
mod tests;
