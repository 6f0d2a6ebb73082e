//! Models that predict the next token of a text.

pub mod decoder;
pub mod gpt;
pub mod llama;
#[cfg(test)]
pub(crate) mod tests;

use burn::tensor::{Int, Tensor};

use crate::family::{Architecture, Layered, registry};
use crate::layers::causal::{KeyValueCache, Positions};
use crate::shape::LanguageShape;

registry! {
    /// A model that predicts the next token of a text.
    pretrainable LanguageConfig builds LanguageModel for LanguageShape {
        gpt::Gpt(GptConfig => Gpt) = "gpt", "decoder of GPT-2 and 3, gpt2 to gpt3-175b (Radford et al. 2019, Brown et al. 2020)";
        llama::Llama(LlamaConfig => Llama) = "llama", "decoder of Llama with grouped queries, by default TinyLlama's (Touvron et al. 2023)";
        decoder::Decoder(DecoderConfig => Decoder) = "decoder", "decoder of Mistral, Qwen2, Qwen3, Gemma 2, Gemma 3, Phi-3, SmolLM3, OLMo 2, Mixtral or GPT-NeoX, by its family";
    }

    impl LanguageNetwork for LanguageModel {
        fn logits(&self, tokens: Tensor<2, Int>, positions: &Positions, cache: &mut KeyValueCache) -> Tensor<3>;
        fn empty_cache(&self) -> KeyValueCache;
        fn context_length(&self) -> usize;
    }
}

/// What a model that predicts the next token computes.
pub trait LanguageNetwork {
    /// The logits of the token after each token at these positions, which `cache` takes up.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`
    /// - result: `[batch, new, vocabulary]`
    fn logits(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3>;

    /// A cache of no tokens.
    fn empty_cache(&self) -> KeyValueCache;

    /// Tokens that the model reads, at most.
    fn context_length(&self) -> usize;

    /// The logits of the token after each token, given it and those before it.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`, no longer than the context
    /// - result: `[batch, time, vocabulary]`
    fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.forward_cached(tokens, &mut self.empty_cache())
    }

    /// As [`forward`](Self::forward) for rows of documents, one after another, each of which is
    /// read as if it stood alone.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`
    /// - `starts`: where in its row the document of each token starts, `[batch, time]`
    /// - result: `[batch, time, vocabulary]`
    fn forward_packed(&self, tokens: Tensor<2, Int>, starts: Tensor<2, Int>) -> Tensor<3> {
        let positions = Positions::of_documents(starts);
        self.logits(tokens, &positions, &mut self.empty_cache())
    }

    /// As [`forward`](Self::forward) for the tokens after those in `cache`, which takes them up.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`; with those in the cache no longer than the context
    /// - result: `[batch, new, vocabulary]`
    fn forward_cached(&self, tokens: Tensor<2, Int>, cache: &mut KeyValueCache) -> Tensor<3> {
        let [_, new] = tokens.dims();
        let positions = Positions::after(cache.len(), new, &tokens.device());
        self.logits(tokens, &positions, cache)
    }
}
