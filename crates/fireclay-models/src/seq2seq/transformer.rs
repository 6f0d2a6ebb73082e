//! The Transformer: an encoder reads the source, a decoder predicts the target token by token.
//!
//! - Vaswani et al. 2017, *Attention Is All You Need*,
//!   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
//!
//! Norms come after each branch, positions are sinusoids, and one embedding serves source, target
//! and head. Dropout acts where section 5.4 puts it. Names and layouts are those of
//! `torch.nn.Transformer` under `transformer.`, which has one more norm at the end of each half
//! (`final_norm`).

mod attention;
mod config;
mod decoder;
mod encoder;
mod positions;

use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Bool, Int, Tensor};

use crate::init::{Init, Values};
use crate::layers::attention::padding_mask;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, xavier};
use crate::layers::sizes::Sizes;
use crate::layers::tokens::{embedding, look_up, tied_head};
use crate::seq2seq::TranslationNetwork;
use crate::seq2seq::decoding::{DecoderCache, Sources};
use crate::shape::TranslationShape;
pub use config::{TransformerConfig, TransformerSize};
use decoder::Decoder;
use encoder::Encoder;
use positions::sinusoids;

/// The module that [`TransformerConfig`] builds.
#[derive(Module, Debug)]
pub struct Transformer {
    /// The embedding of the source. Where nothing is separate, the target and the head use it too.
    embedding: Embedding,
    separate: Option<Separate>,
    transformer: Halves,
    dropout: Dropout,
    #[module(skip)]
    context_length: usize,
}

#[derive(Module, Debug)]
struct Separate {
    tgt_embedding: Embedding,
    generator: Linear,
}

#[derive(Module, Debug)]
struct Halves {
    encoder: Encoder,
    decoder: Decoder,
}

impl TransformerConfig {
    /// The paper does not give its first weights. Those of the embeddings are normal with
    /// deviation 1 / sqrt(width), so that section 3.4's factor makes it one; the others are
    /// Xavier's uniform, as `torch.nn.Transformer` has them; biases are zero.
    fn build(&self, shape: &TranslationShape, mut init: Init) -> Transformer {
        let Sizes { width, .. } = self.sizes();
        let std = (width as f64).powf(-0.5);
        let source = embedding(shape.source_vocabulary, width, std, &mut init);
        let separate = match self.tie_embeddings {
            true => None,
            false => Some(Separate {
                tgt_embedding: embedding(shape.target_vocabulary, width, std, &mut init),
                generator: xavier(width, shape.target_vocabulary, Values::ZEROS, &mut init),
            }),
        };
        Transformer {
            embedding: source,
            separate,
            transformer: Halves {
                encoder: Encoder::new(self, &mut init),
                decoder: Decoder::new(self, &mut init),
            },
            dropout: init.dropout(self.dropout),
            context_length: self.context_length,
        }
    }
}

impl TranslationNetwork for Transformer {
    fn context_length(&self) -> usize {
        self.context_length
    }

    fn encode(&self, source: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3> {
        let x = self.embed(source, &self.embedding, 0);
        self.transformer.encoder.forward(x, &padding_mask(mask))
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
        self.transformer.decoder.empty_cache()
    }
}

impl Transformer {
    fn read(
        &self,
        target: Tensor<2, Int>,
        sources: &Sources,
        cache: &mut DecoderCache,
    ) -> Tensor<3> {
        let separate = self.separate.as_ref();
        let table = separate.map_or(&self.embedding, |separate| &separate.tgt_embedding);
        let x = self.embed(target, table, cache.len());
        let x = self.transformer.decoder.forward(x, sources, cache); // [batch, new, width]
        match separate {
            Some(separate) => separate.generator.forward(x),
            None => tied_head(x, table),
        }
    }

    /// sqrt(width) embedding + position (sections 3.4 and 3.5), for tokens after `seen` others.
    fn embed(&self, tokens: Tensor<2, Int>, table: &Embedding, seen: usize) -> Tensor<3> {
        let ([_, new], device) = (tokens.dims(), tokens.device());
        let x = look_up(table, tokens); // [batch, new, width]
        let width = x.dims()[2];
        let positions = sinusoids(seen..seen + new, width, &device);
        let positions = positions.cast(x.dtype()).unsqueeze();
        self.dropout.forward(x * (width as f64).sqrt() + positions)
    }
}

#[cfg(test)]
mod tests;
