//! The decoders of today's open language models: one core, whose parts a family chooses.
//!
//! Vaswani et al. 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.1, with what
//! the files in `families/` say of each family and its paper. Names and layouts are those of Hugging
//! Face's `transformers`; nothing is dropped.

mod attention;
mod block;
mod config;
mod experts;
mod families;
mod hugging_face;
mod mlp;
mod parts;
mod problems;
mod rotary;
mod scaling;
mod words;

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};

use crate::init::Init;
use crate::language::{Head, LanguageNetwork};
use crate::layers::causal::{KeyValueCache, Positions};
use crate::layers::linear::{self, Linear};
use crate::layers::norm::Norm;
use crate::layers::table::Embedding;
use crate::layers::tokens::STD;
use crate::layers::weight::Weight;
use block::Block;
pub use config::DecoderConfig;
pub use families::DecoderFamily;
pub(crate) use parts::Parts;
pub(crate) use rotary::{Rope, Rotary};
pub use scaling::RopeScaling;
pub(crate) use words::{Known, Turning, scaling_entry};

/// The module that [`DecoderConfig`] and [`LlamaConfig`](crate::LlamaConfig) build.
#[derive(Module, Debug)]
pub struct Decoder {
    model: Trunk,
    /// Absent where the embedding of the tokens is the head.
    lm_head: Option<Linear>,
}

impl Decoder {
    /// First weights are normal with deviation 0.02 (Hugging Face's `initializer_range`); norms change
    /// nothing, and biases are zero.
    pub(crate) fn new(parts: Parts, vocabulary: usize, mut init: Init) -> Self {
        let width = parts.width;
        let blocks = parts.blocks.clone().into_iter();
        let model = Trunk {
            embed_tokens: Embedding::new(vocabulary, width, STD, &mut init),
            layers: blocks
                .map(|own| Block::new(&parts, own, &mut init))
                .collect(),
            norm: init.norm(parts.norm, width, parts.norm_eps),
            parts,
        };
        let ties = model.parts.tie_embeddings;
        let head = || linear::normal(width, vocabulary, STD, false, &mut init);
        Self {
            lm_head: (!ties).then(head),
            model,
        }
    }

    /// The weights that can be kept in few bits.
    pub(crate) fn weights(&mut self) -> Vec<&mut Weight> {
        let table = &mut self.model.embed_tokens.weight;
        let blocks = self.model.layers.iter_mut().flat_map(Block::weights);
        let head = self.lm_head.iter_mut().map(|head| &mut head.weight);
        [table].into_iter().chain(blocks).chain(head).collect()
    }
}

impl LanguageNetwork for Decoder {
    fn hidden(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3> {
        self.model.forward(tokens, positions, cache)
    }

    fn head(&self) -> Head {
        let head = match &self.lm_head {
            Some(head) => Head::layer(&head.weight),
            None => Head::tied(&self.model.embed_tokens.weight),
        };
        head.capped(self.model.parts.logit_cap)
    }

    fn empty_cache(&self) -> KeyValueCache {
        KeyValueCache::empty(self.model.layers.len())
    }

    fn context_length(&self) -> usize {
        self.model.parts.context_length
    }
}

/// All but the head.
#[derive(Module, Debug)]
struct Trunk {
    embed_tokens: Embedding,
    layers: Vec<Block>,
    norm: Norm,
    #[module(skip)]
    parts: Parts,
}

impl Trunk {
    fn forward(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3> {
        let turns = Turns::new(&self.parts, positions);
        let x = self.embed_tokens.look_up(tokens);
        let x = match self.parts.embedding_scale {
            Some(scale) => x * scale,
            None => x,
        };
        let blocks = self.layers.iter().zip(&mut cache.layers);
        let x = blocks.fold(x, |x, (block, cache)| block.forward(x, &turns, cache));
        self.norm.forward(x)
    }
}

/// [`Positions`], with rotations for positions.
struct Turns {
    /// One for each kind of rotations.
    rotaries: Vec<Rotary>,
    /// The mask of each token, `[1 or batch, 1, new, time]`.
    masked: Tensor<4, Bool>,
    /// That of blocks that attend to a window, with its length; all windows of a model are as long.
    local: Option<(usize, Tensor<4, Bool>)>,
}

impl Turns {
    fn new(parts: &Parts, positions: &Positions) -> Self {
        let rotary = |rope| Rotary::new(positions, rope);
        let window = parts.blocks.iter().find_map(|block| block.window);
        // Not by the length of this text: the recorded pass stands for texts of all lengths.
        let window = window.filter(|window| *window < parts.context_length);
        Self {
            rotaries: parts.ropes.iter().map(rotary).collect(),
            masked: positions.masked.clone(),
            local: window.map(|window| (window, positions.within(window))),
        }
    }

    /// The mask of a block with this window.
    fn masked(&self, window: Option<usize>) -> &Tensor<4, Bool> {
        match &self.local {
            Some((length, masked)) if window == Some(*length) => masked,
            _ => &self.masked,
        }
    }
}

#[cfg(test)]
mod tests;
