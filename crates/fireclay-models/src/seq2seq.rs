//! Models that turn one text into another.

mod decoding;
pub mod t5;
pub mod transformer;

use burn::tensor::{Bool, Int, Tensor};

use crate::family::{Architecture, Layered, registry};
use crate::shape::TranslationShape;
pub use decoding::DecoderCache;

registry! {
    /// A model that turns a source into a target.
    pretrainable TranslationConfig builds
    #[expect(clippy::large_enum_variant, reason = "there is one model, or a few")]
    TranslationModel for TranslationShape {
        transformer::Transformer(TransformerConfig => Transformer) = "transformer", "encoder and decoder of Attention Is All You Need, base or big (Vaswani et al. 2017)";
        t5::T5(T5Config => T5) = "t5", "encoder and decoder with relative positions, T5 or Flan-T5 (Raffel et al. 2020)";
    }

    impl TranslationNetwork for TranslationModel {
        fn encode(&self, source: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3>;
        fn decode(&self, memory: &Tensor<3>, source_mask: Tensor<2, Bool>, target: Tensor<2, Int>, target_mask: Tensor<2, Bool>) -> Tensor<3>;
        fn decode_cached(&self, tokens: Tensor<2, Int>, memory: &Tensor<3>, source_mask: Tensor<2, Bool>, cache: &mut DecoderCache) -> Tensor<3>;
        fn empty_cache(&self) -> DecoderCache;
        fn context_length(&self) -> usize;
        fn start_token(&self) -> Option<usize>;
    }
}

impl TranslationConfig {
    /// The token that begins every target, by its number; none where it is the one that ends a text.
    pub fn start_token(&self) -> Option<usize> {
        match self {
            Self::Transformer(_) => None,
            Self::T5(config) => config.start_token,
        }
    }
}

/// What a model that turns a source into a target computes.
pub trait TranslationNetwork {
    /// The encoded source, to which the decoder attends.
    ///
    /// # Shapes
    ///
    /// - `source`: `[batch, source time]`, no longer than the context
    /// - `mask`: `[batch, source time]`, true where there is a token
    /// - result: `[batch, source time, width]`; without meaning where the mask is false
    fn encode(&self, source: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3>;

    /// The logits of the token after each token of the target, given it and those before it.
    ///
    /// # Shapes
    ///
    /// - `memory`: `[batch, source time, width]`, from [`encode`](Self::encode)
    /// - `source_mask`: `[batch, source time]`, true where there is a token
    /// - `target`: `[batch, time]`, no longer than the context
    /// - `target_mask`: `[batch, time]`, true where there is a token
    /// - result: `[batch, time, target vocabulary]`; without meaning where the mask is false
    fn decode(
        &self,
        memory: &Tensor<3>,
        source_mask: Tensor<2, Bool>,
        target: Tensor<2, Int>,
        target_mask: Tensor<2, Bool>,
    ) -> Tensor<3>;

    /// As [`decode`](Self::decode) for the tokens after those in `cache`, which takes them up;
    /// none of them is padding. The memory must be the same for the life of a cache.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`; with those in the cache no longer than the context
    /// - `memory` and `source_mask`: as for [`decode`](Self::decode)
    /// - result: `[batch, new, target vocabulary]`
    fn decode_cached(
        &self,
        tokens: Tensor<2, Int>,
        memory: &Tensor<3>,
        source_mask: Tensor<2, Bool>,
        cache: &mut DecoderCache,
    ) -> Tensor<3>;

    /// A cache of no tokens.
    fn empty_cache(&self) -> DecoderCache;

    /// Tokens that a source and a target have, at most.
    fn context_length(&self) -> usize;

    /// The token that begins every target, by its number; none where it is the one that ends a text.
    fn start_token(&self) -> Option<usize> {
        None
    }
}
