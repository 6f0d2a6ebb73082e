//! Llama: a decoder with rotated queries and keys, gated MLPs and norms without a mean.
//!
//! - Touvron et al. 2023, *LLaMA: Open and Efficient Foundation Language Models*, section 2.2,
//!   [arXiv:2302.13971](https://arxiv.org/abs/2302.13971)
//! - grouped queries: Touvron et al. 2023, *Llama 2*, section 2.2,
//!   [arXiv:2307.09288](https://arxiv.org/abs/2307.09288)
//! - norms: Zhang & Sennrich 2019, *Root Mean Square Layer Normalization*,
//!   [arXiv:1910.07467](https://arxiv.org/abs/1910.07467)
//! - MLP: Shazeer 2020, *GLU Variants Improve Transformer*, section 2,
//!   [arXiv:2002.05202](https://arxiv.org/abs/2002.05202)
//!
//! No layer has a bias and nothing is dropped. Names and layouts are those of Hugging Face's
//! `LlamaForCausalLM`; the rescaled rotations of Llama 3.1 and later are not here.

mod config;
mod hugging_face;
mod rotary;

use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Bool, Int, Tensor};

use crate::init::Init;
use crate::language::LanguageNetwork;
use crate::layers::activation::Activation;
use crate::layers::attention::{join_heads, split_heads};
use crate::layers::causal::{KeyValueCache, LayerCache, Positions};
use crate::layers::linear::{self, Linear};
use crate::layers::norm::RmsNorm;
use crate::layers::tokens::{STD, embedding, look_up, tied_head};
use crate::shape::LanguageShape;
pub use config::LlamaConfig;
use rotary::Rotary;

/// The module that [`LlamaConfig`] builds.
#[derive(Module, Debug)]
pub struct Llama {
    model: Decoder,
    /// Absent where the embedding of the tokens is the head.
    lm_head: Option<Linear>,
}

impl LlamaConfig {
    /// First weights are normal with deviation 0.02 (Hugging Face's `initializer_range`), norms
    /// one.
    fn build(&self, shape: &LanguageShape, mut init: Init) -> Llama {
        let model = Decoder {
            embed_tokens: embedding(shape.vocabulary, self.width, STD, &mut init),
            layers: (0..self.layers)
                .map(|_| Block::new(self, &mut init))
                .collect(),
            norm: init.rms_norm(self.width, self.norm_eps),
            config: self.clone(),
        };
        let head = || linear::normal(self.width, shape.vocabulary, STD, false, &mut init);
        Llama {
            model,
            lm_head: (!self.tie_embeddings).then(head),
        }
    }
}

impl LanguageNetwork for Llama {
    fn logits(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3> {
        let x = self.model.forward(tokens, positions, cache); // [batch, new, width]
        match &self.lm_head {
            Some(head) => head.forward(x),
            None => tied_head(x, &self.model.embed_tokens),
        }
    }

    fn empty_cache(&self) -> KeyValueCache {
        KeyValueCache::empty(self.model.layers.len())
    }

    fn context_length(&self) -> usize {
        self.model.config.context_length
    }
}

#[derive(Module, Debug)]
struct Decoder {
    embed_tokens: Embedding,
    layers: Vec<Block>,
    norm: RmsNorm,
    #[module(skip)]
    config: LlamaConfig,
}

impl Decoder {
    fn forward(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3> {
        let (head_width, theta) = (self.config.head_width(), self.config.rope_theta);
        let turns = Turns {
            rotary: Rotary::new(positions, head_width, theta),
            masked: positions.masked.clone(),
        };
        let x = look_up(&self.embed_tokens, tokens);
        let blocks = self.layers.iter().zip(&mut cache.layers);
        let x = blocks.fold(x, |x, (block, cache)| block.forward(x, &turns, cache));
        self.norm.forward(x)
    }
}

/// [`Positions`], with rotations for positions.
struct Turns {
    rotary: Rotary,
    /// The mask of each token, `[1 or batch, 1, new, time]`.
    masked: Tensor<4, Bool>,
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
#[derive(Module, Debug)]
struct Block {
    input_layernorm: RmsNorm,
    self_attn: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: Mlp,
}

impl Block {
    fn new(config: &LlamaConfig, init: &mut Init) -> Self {
        Self {
            input_layernorm: init.rms_norm(config.width, config.norm_eps),
            self_attn: Attention::new(config, init),
            post_attention_layernorm: init.rms_norm(config.width, config.norm_eps),
            mlp: Mlp::new(config, init),
        }
    }

    fn forward(&self, x: Tensor<3>, turns: &Turns, cache: &mut LayerCache) -> Tensor<3> {
        let branch = self.input_layernorm.forward(x.clone());
        let x = x + self.self_attn.forward(branch, turns, cache);
        let branch = self.post_attention_layernorm.forward(x.clone());
        x + self.mlp.forward(branch)
    }
}

/// Attention whose heads share keys and values in groups.
#[derive(Module, Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    kv_heads: usize,
}

impl Attention {
    fn new(config: &LlamaConfig, init: &mut Init) -> Self {
        let (width, kv_width) = (config.width, config.kv_width());
        Self {
            q_proj: linear::normal(width, width, STD, false, init),
            k_proj: linear::normal(width, kv_width, STD, false, init),
            v_proj: linear::normal(width, kv_width, STD, false, init),
            o_proj: linear::normal(width, width, STD, false, init),
            heads: config.heads,
            kv_heads: config.kv_heads(),
        }
    }

    fn forward(&self, x: Tensor<3>, turns: &Turns, cache: &mut LayerCache) -> Tensor<3> {
        let query = split_heads(self.q_proj.forward(x.clone()), self.heads);
        let keys = split_heads(self.k_proj.forward(x.clone()), self.kv_heads);
        let values = split_heads(self.v_proj.forward(x), self.kv_heads);
        // A key is turned once, by its own position, so the cache holds turned keys.
        let keys = turns.rotary.turn(keys);
        let query = turns.rotary.turn(query);
        let mixed = cache.attend(query, [keys, values], &turns.masked, None);
        self.o_proj.forward(join_heads(mixed))
    }
}

/// down(silu(gate(x)) * up(x)), called SwiGLU.
#[derive(Module, Debug)]
struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Mlp {
    fn new(config: &LlamaConfig, init: &mut Init) -> Self {
        let (width, mlp_width) = (config.width, config.mlp_width);
        Self {
            gate_proj: linear::normal(width, mlp_width, STD, false, init),
            up_proj: linear::normal(width, mlp_width, STD, false, init),
            down_proj: linear::normal(mlp_width, width, STD, false, init),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let gate = Activation::Silu.forward(self.gate_proj.forward(x.clone()));
        self.down_proj.forward(gate * self.up_proj.forward(x))
    }
}

#[cfg(test)]
mod tests;
