//! The family of language models: what the text determines, the choice of architecture, and the
//! module that holds the chosen one.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::family::{Family, Pretrainable};
use crate::gpt::{Gpt, GptConfig};
use crate::hugging_face::{Entry, HuggingFaceError, compare};
use crate::layers::causal::KeyValueCache;
use crate::layers::tokens::STD;
use crate::llama::{Llama, LlamaConfig};

/// The deviation of the first weights that end one of the two branches of each of `layers` blocks
/// (Radford et al. 2019, section 2.3).
pub(crate) fn branch_std(layers: usize) -> f64 {
    STD / (2.0 * layers as f64).sqrt()
}

/// What the text determines of a language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageShape {
    /// The number of different tokens.
    pub vocabulary: usize,
}

/// A model that foretells the next token of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LanguageConfig {
    /// A decoder as in GPT-2 and GPT-3.
    Gpt(GptConfig),
    /// A decoder as in Llama.
    Llama(LlamaConfig),
}

/// The architecture that a [`LanguageConfig`] builds.
#[derive(Module, Debug)]
pub enum LanguageModel {
    /// See [`Gpt`].
    Gpt(Gpt),
    /// See [`Llama`].
    Llama(Llama),
}

impl LanguageConfig {
    /// The name of each type and what it is.
    pub const TYPES: &[(&str, &str)] = &[
        (
            "gpt",
            "decoder of GPT-2 and 3, gpt2 to gpt3-175b (Radford et al. 2019, Brown et al. 2020)",
        ),
        (
            "llama",
            "decoder of Llama with grouped queries, by default TinyLlama's (Touvron et al. 2023)",
        ),
    ];

    /// Every impossible value of the configuration alone, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Gpt(config) => config.validate(),
            Self::Llama(config) => config.validate(),
        }
    }

    /// Tokens that the model looks at, at most.
    pub fn context_length(&self) -> usize {
        match self {
            Self::Gpt(config) => config.context_length(),
            Self::Llama(config) => config.context_length,
        }
    }

    /// What Hugging Face's `config.json` says of the model.
    pub(crate) fn entries(&self, shape: &LanguageShape) -> Vec<Entry> {
        match self {
            Self::Gpt(config) => config.entries(shape),
            Self::Llama(config) => config.entries(shape),
        }
    }
}

impl Family for LanguageConfig {
    type Shape = LanguageShape;
    type Model = LanguageModel;

    fn validate(&self) -> Vec<(String, String)> {
        self.validate()
    }

    fn validate_for(&self, shape: &LanguageShape) -> Vec<(String, String)> {
        match shape.vocabulary {
            0 => vec![("vocabulary".into(), "must be at least 1".into())],
            _ => self.validate(),
        }
    }

    fn least_weights(&self, shape: &LanguageShape) -> usize {
        match self {
            Self::Gpt(config) => config.weights(shape),
            Self::Llama(config) => config.weights(shape),
        }
    }

    fn init(&self, shape: &LanguageShape, seed: u64, device: &Device) -> LanguageModel {
        match self {
            Self::Gpt(config) => LanguageModel::Gpt(config.init(shape, seed, device)),
            Self::Llama(config) => LanguageModel::Llama(config.init(shape, seed, device)),
        }
    }

    fn hugging_face(&self, shape: &LanguageShape) -> Option<Value> {
        match self {
            Self::Gpt(config) => config.hugging_face(shape),
            Self::Llama(config) => config.hugging_face(shape),
        }
    }
}

impl Pretrainable for LanguageConfig {
    fn layers(&self) -> usize {
        match self {
            Self::Gpt(config) => config.layers_in_all(),
            Self::Llama(config) => config.layers_in_all(),
        }
    }

    fn layer_of(&self, name: &str) -> usize {
        let last = self.layers() - 1;
        let layer = match self {
            Self::Gpt(config) => config.layer_of(name),
            Self::Llama(config) => config.layer_of(name),
        };
        layer.map_or(last, |layer| layer.min(last))
    }

    fn head(&self) -> &'static str {
        "lm_head"
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        match self {
            Self::Gpt(config) => config.canonical_name(name),
            Self::Llama(config) => config.canonical_name(name),
        }
    }

    fn check_hugging_face(
        &self,
        shape: &LanguageShape,
        json: &[u8],
    ) -> Result<(), HuggingFaceError> {
        compare(&self.entries(shape), json)
    }
}

impl LanguageModel {
    /// The logits of the token after each token, given it and those before it.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`, no longer than the context
    /// - result: `[batch, time, vocabulary]`
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        match self {
            Self::Gpt(model) => model.forward(tokens),
            Self::Llama(model) => model.forward(tokens),
        }
    }

    /// As [`forward`](Self::forward) for rows of documents, one after another, each of which is read
    /// as if it stood alone.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`
    /// - `starts`: where in its row the document of each token starts, `[batch, time]`
    /// - result: `[batch, time, vocabulary]`
    pub fn forward_packed(&self, tokens: Tensor<2, Int>, starts: Tensor<2, Int>) -> Tensor<3> {
        match self {
            Self::Gpt(model) => model.forward_packed(tokens, starts),
            Self::Llama(model) => model.forward_packed(tokens, starts),
        }
    }

    /// A cache that has seen nothing.
    pub fn empty_cache(&self) -> KeyValueCache {
        match self {
            Self::Gpt(model) => model.empty_cache(),
            Self::Llama(model) => model.empty_cache(),
        }
    }

    /// As [`forward`](Self::forward) for the tokens after those in `cache`, which takes them up.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`; with those in the cache no longer than the context
    /// - result: `[batch, new, vocabulary]`
    pub fn forward_cached(&self, tokens: Tensor<2, Int>, cache: &mut KeyValueCache) -> Tensor<3> {
        match self {
            Self::Gpt(model) => model.forward_cached(tokens, cache),
            Self::Llama(model) => model.forward_cached(tokens, cache),
        }
    }

    /// Tokens that the model looks at, at most.
    pub fn context_length(&self) -> usize {
        match self {
            Self::Gpt(model) => model.context_length(),
            Self::Llama(model) => model.context_length(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
