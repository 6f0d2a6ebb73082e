//! Models that predict the next token of a text.

pub mod gpt;
pub mod llama;
#[cfg(test)]
pub(crate) mod tests;

use burn::tensor::{Int, Tensor};

use crate::family::{Architecture, Layered, TextArchitecture, registry};
use crate::layers::causal::KeyValueCache;
use crate::shape::LanguageShape;

registry! {
    /// A model that predicts the next token of a text.
    pretrainable LanguageConfig builds LanguageModel for LanguageShape {
        gpt::Gpt(GptConfig => Gpt) = "gpt", "decoder of GPT-2 and 3, gpt2 to gpt3-175b (Radford et al. 2019, Brown et al. 2020)";
        llama::Llama(LlamaConfig => Llama) = "llama", "decoder of Llama with grouped queries, by default TinyLlama's (Touvron et al. 2023)";
    }

    impl LanguageConfig {
        /// Tokens that the model reads, at most.
        pub fn context_length(&self) -> usize;

        /// The number of different tokens that the model is usually trained with.
        pub fn usual_vocabulary(&self) -> usize;
    }

    impl LanguageModel {
        /// The logits of the token after each token, given it and those before it.
        ///
        /// # Shapes
        ///
        /// - `tokens`: `[batch, time]`, no longer than the context
        /// - result: `[batch, time, vocabulary]`
        pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3>;

        /// As [`forward`](Self::forward) for rows of documents, one after another, each of which is
        /// read as if it stood alone.
        ///
        /// # Shapes
        ///
        /// - `tokens`: `[batch, time]`
        /// - `starts`: where in its row the document of each token starts, `[batch, time]`
        /// - result: `[batch, time, vocabulary]`
        pub fn forward_packed(&self, tokens: Tensor<2, Int>, starts: Tensor<2, Int>) -> Tensor<3>;

        /// As [`forward`](Self::forward) for the tokens after those in `cache`, which takes them up.
        ///
        /// # Shapes
        ///
        /// - `tokens`: `[batch, new]`; with those in the cache no longer than the context
        /// - result: `[batch, new, vocabulary]`
        pub fn forward_cached(&self, tokens: Tensor<2, Int>, cache: &mut KeyValueCache) -> Tensor<3>;

        /// A cache of no tokens.
        pub fn empty_cache(&self) -> KeyValueCache;

        /// Tokens that the model reads, at most.
        pub fn context_length(&self) -> usize;
    }
}
