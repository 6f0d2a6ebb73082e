//! T5: an encoder reads a text, a decoder writes another one, whatever the task.
//!
//! - Raffel et al. 2020, *Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer*, section 2.1,
//!   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683)
//! - gated MLPs, of version 1.1 and Flan-T5: Shazeer 2020, *GLU Variants Improve Transformer*, section 2,
//!   [arXiv:2002.05202](https://arxiv.org/abs/2002.05202)
//!
//! Norms have neither a mean nor a shift and come before each branch. Positions are a learned number for each head and each
//! bucket of distances, which is added to the scores of attention; all blocks of a stack share them. Scores are not divided,
//! and no layer has a bias. One embedding serves source, target and, in the first version, the head. Names and layouts are
//! those of Hugging Face's `T5ForConditionalGeneration`.

mod block;
mod config;
mod hugging_face;
mod names;
mod positions;

use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Bool, Int, Tensor};

use crate::init::Init;
use crate::layers::attention::padding_mask;
use crate::layers::causal::LayerCache;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::Norm;
use crate::layers::tokens::{embedding, look_up, tied_head};
use crate::seq2seq::TranslationNetwork;
use crate::seq2seq::decoding::{DecoderCache, Sources};
use crate::shape::TranslationShape;
use block::{Block, Sight};
pub use config::T5Config;
use positions::RelativePositions;

/// The module that [`T5Config`] builds.
#[derive(Module, Debug)]
pub struct T5 {
    /// The embedding of source and target.
    shared: Embedding,
    encoder: Stack,
    decoder: Stack,
    /// The head, where it is not the embedding.
    lm_head: Option<Linear>,
    #[module(skip)]
    context_length: usize,
    #[module(skip)]
    start_token: Option<usize>,
}

impl T5 {
    /// The deviations of the first weights are those of the published code, under which scores and logits begin with about
    /// one. It does not say that of a head of its own; here that reads normed values and has 1 / sqrt(width).
    fn new(config: &T5Config, shape: &TranslationShape, mut init: Init) -> Self {
        let (width, vocabulary) = (config.width, shape.target_vocabulary);
        let std = (width as f64).powf(-0.5);
        Self {
            shared: embedding(vocabulary, width, 1.0, &mut init),
            encoder: Stack::new(config, false, &mut init),
            decoder: Stack::new(config, true, &mut init),
            lm_head: (!config.tie_embeddings)
                .then(|| linear::normal(width, vocabulary, std, false, &mut init)),
            context_length: config.context_length,
            start_token: config.start_token,
        }
    }

    fn read(
        &self,
        target: Tensor<2, Int>,
        sources: &Sources,
        cache: &mut DecoderCache,
    ) -> Tensor<3> {
        let embedded = look_up(&self.shared, target);
        let x = self.decoder.decode(embedded, sources, cache); // [batch, new, width]
        match &self.lm_head {
            Some(head) => head.forward(x),
            None => {
                let width = x.dims()[2] as f64;
                tied_head(x * width.powf(-0.5), &self.shared)
            }
        }
    }
}

impl TranslationNetwork for T5 {
    fn context_length(&self) -> usize {
        self.context_length
    }

    fn start_token(&self) -> Option<usize> {
        self.start_token
    }

    fn encode(&self, source: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3> {
        let embedded = look_up(&self.shared, source);
        self.encoder.encode(embedded, &padding_mask(mask))
    }

    fn decode(
        &self,
        memory: &Tensor<3>,
        source_mask: Tensor<2, Bool>,
        target: Tensor<2, Int>,
        target_mask: Tensor<2, Bool>,
    ) -> Tensor<3> {
        let sources = Sources::of_target(memory, source_mask, target_mask);
        self.read(target, &sources, &mut self.empty_cache())
    }

    fn decode_cached(
        &self,
        tokens: Tensor<2, Int>,
        memory: &Tensor<3>,
        source_mask: Tensor<2, Bool>,
        cache: &mut DecoderCache,
    ) -> Tensor<3> {
        let counts = [cache.len(), tokens.dims()[1]];
        let sources = Sources::of_next(memory, source_mask, counts);
        self.read(tokens, &sources, cache)
    }

    fn empty_cache(&self) -> DecoderCache {
        DecoderCache::empty(self.decoder.block.len())
    }
}

/// The encoder or the decoder.
#[derive(Module, Debug)]
struct Stack {
    positions: RelativePositions,
    block: Vec<Block>,
    final_layer_norm: Norm,
    dropout: Dropout,
}

impl Stack {
    fn new(config: &T5Config, is_decoder: bool, init: &mut Init) -> Self {
        let [encoder, decoder] = config.depths();
        let layers = if is_decoder { decoder } else { encoder };
        Self {
            positions: RelativePositions::new(config, !is_decoder, init),
            block: (0..layers)
                .map(|_| Block::new(config, is_decoder, init))
                .collect(),
            final_layer_norm: config.norm(init),
            dropout: init.dropout(config.dropout),
        }
    }

    /// # Shapes
    ///
    /// - `embedded` and result: `[batch, time, width]`
    /// - `masked`: true where masked, `[batch, 1, 1, time]`
    fn encode(&self, embedded: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let bias = self
            .positions
            .bias(0, embedded.dims()[1], &embedded.device());
        let sight = Sight { bias, masked };
        let x = self.dropout.forward(embedded);
        let x = self.block.iter().fold(x, |x, block| {
            block.forward(x, &sight, &mut LayerCache::default(), None)
        });
        self.dropout.forward(self.final_layer_norm.forward(x))
    }

    /// # Shapes
    ///
    /// - `embedded` and result: `[batch, new, width]`
    fn decode(
        &self,
        embedded: Tensor<3>,
        sources: &Sources,
        cache: &mut DecoderCache,
    ) -> Tensor<3> {
        let (seen, new) = (cache.len(), embedded.dims()[1]);
        let sight = Sight {
            bias: self.positions.bias(seen, new, &embedded.device()),
            masked: &sources.masked,
        };
        let x = self.dropout.forward(embedded);
        let blocks = self.block.iter().zip(cache.layers());
        let x = blocks.fold(x, |x, (block, (own, memory))| {
            block.forward(x, &sight, own, Some((sources, memory)))
        });
        self.dropout.forward(self.final_layer_norm.forward(x))
    }
}

#[cfg(test)]
mod tests;
