//! Models that predict the next token of a text.

pub mod decoder;
pub mod gpt;
mod head;
pub mod llama;
#[cfg(test)]
pub(crate) mod tests;

use burn::tensor::{Int, Tensor};
use fireclay_kernels::{each_row_alone, is_flex};

use crate::family::{Architecture, Layered, registry};
use crate::layers::causal::{KeyValueCache, Positions, ReadText};
use crate::shape::LanguageShape;
pub use head::Head;

registry! {
    /// A model that predicts the next token of a text.
    pretrainable LanguageConfig builds LanguageModel for LanguageShape {
        gpt::Gpt(GptConfig => Gpt) = "gpt", "decoder of GPT-2 and 3, gpt2 to gpt3-175b (Radford et al. 2019, Brown et al. 2020)";
        llama::Llama(LlamaConfig => Llama) = "llama", "decoder of Llama with grouped queries, by default TinyLlama's (Touvron et al. 2023)";
        decoder::Decoder(DecoderConfig => Decoder) = "decoder", "decoder of Mistral, Qwen2, Qwen3, Gemma 2, Gemma 3, Phi-3, SmolLM3, OLMo 2, Mixtral or GPT-NeoX, by its family";
    }

    impl LanguageNetwork for LanguageModel {
        fn hidden(&self, tokens: Tensor<2, Int>, positions: &Positions, cache: &mut KeyValueCache) -> Tensor<3>;
        fn head(&self) -> Head;
        fn empty_cache(&self) -> KeyValueCache;
        fn context_length(&self) -> usize;
    }
}

/// What a model that predicts the next token computes.
pub trait LanguageNetwork {
    /// What the head makes logits of, for each token at these positions, which `cache` takes up.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`
    /// - result: `[batch, new, width]`
    fn hidden(
        &self,
        tokens: Tensor<2, Int>,
        positions: &Positions,
        cache: &mut KeyValueCache,
    ) -> Tensor<3>;

    /// What makes logits of that.
    fn head(&self) -> Head;

    /// A cache of no tokens.
    fn empty_cache(&self) -> KeyValueCache;

    /// Tokens that the model reads, at most.
    fn context_length(&self) -> usize;

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
    ) -> Tensor<3> {
        let hidden = self.hidden(tokens, positions, cache);
        self.head().logits(hidden)
    }

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

    /// What the head makes the logits of [`forward_cached`](Self::forward_cached) of, for who wants few of them.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`; with those in the cache no longer than the context
    /// - result: `[batch, new, width]`
    fn hidden_cached(&self, tokens: Tensor<2, Int>, cache: &mut KeyValueCache) -> Tensor<3> {
        let [_, new] = tokens.dims();
        let positions = Positions::after(cache.len(), new, &tokens.device());
        self.hidden(tokens, &positions, cache)
    }

    /// What the head makes the logits of [`forward`](Self::forward) of, or of [`forward_packed`](Self::forward_packed)
    /// where rows are of documents.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`, no longer than the context
    /// - `starts`: where in its row the document of each token starts, `[batch, time]`
    /// - result: `[batch, time, width]`
    fn hidden_of(&self, tokens: Tensor<2, Int>, starts: Option<Tensor<2, Int>>) -> Tensor<3> {
        let positions = match starts {
            Some(starts) => Positions::of_documents(starts),
            None => Positions::after(0, tokens.dims()[1], &tokens.device()),
        };
        self.hidden(tokens, &positions, &mut self.empty_cache())
    }

    /// As [`forward_cached`](Self::forward_cached) for the next token of each of several texts, in one pass. The
    /// logits of a text have the same bits whoever is beside it: on the CPU each row is computed as if alone,
    /// elsewhere there are always so many rows.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[texts]`; each text with its token no longer than the context
    /// - `rows`: texts that there may be at most
    /// - result: `[texts, vocabulary]`
    fn forward_each(
        &self,
        tokens: Tensor<1, Int>,
        texts: &mut [&mut ReadText],
        rows: usize,
    ) -> Tensor<2> {
        let ([count], device) = (tokens.dims(), tokens.device());
        assert_eq!(count, texts.len(), "a token for each text");
        let rows = if is_flex(&device) {
            count
        } else {
            rows.max(count)
        };
        let tokens = match rows - count {
            0 => tokens,
            padding => Tensor::cat(vec![tokens, Tensor::zeros([padding], &device)], 0),
        };
        let seen: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let positions = Positions::of_next(&seen, rows, &device);
        let read = |cache: &mut KeyValueCache| {
            each_row_alone(|| self.logits(tokens.unsqueeze_dim(1), &positions, cache))
        };
        let logits = KeyValueCache::lend(texts, read); // [rows, 1, vocabulary]
        logits.narrow(0, 0, count).squeeze_dim(1)
    }
}
