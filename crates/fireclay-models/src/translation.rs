//! The family of models that turn one text into another: what the texts determine, the choice of
//! architecture, and the module that holds the chosen one.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::family::{Family, Pretrainable};
use crate::transformer::{DecoderCache, Transformer, TransformerConfig};

/// What the texts determine of a translating model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationShape {
    /// The number of different tokens of the source.
    pub source_vocabulary: usize,
    /// The number of different tokens of the target.
    pub target_vocabulary: usize,
}

/// A model that turns a source into a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TranslationConfig {
    /// An encoder and a decoder as in *Attention Is All You Need*.
    Transformer(TransformerConfig),
}

/// The architecture that a [`TranslationConfig`] builds.
#[derive(Module, Debug)]
pub enum TranslationModel {
    /// See [`Transformer`].
    Transformer(Transformer),
}

impl TranslationConfig {
    /// The name of each type and what it is.
    pub const TYPES: &[(&str, &str)] = &[(
        "transformer",
        "encoder and decoder of Attention Is All You Need, base or big (Vaswani et al. 2017)",
    )];

    /// Every impossible value of the configuration alone, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Transformer(config) => config.validate(),
        }
    }

    /// Tokens that a source and a target have, at most.
    pub fn context_length(&self) -> usize {
        match self {
            Self::Transformer(config) => config.context_length,
        }
    }
}

impl Family for TranslationConfig {
    type Shape = TranslationShape;
    type Model = TranslationModel;

    fn validate(&self) -> Vec<(String, String)> {
        self.validate()
    }

    fn validate_for(&self, shape: &TranslationShape) -> Vec<(String, String)> {
        let mut problems = self.validate();
        for (key, vocabulary) in [
            ("source_vocabulary", shape.source_vocabulary),
            ("target_vocabulary", shape.target_vocabulary),
        ] {
            if vocabulary == 0 {
                problems.push((key.to_string(), "must be at least 1".to_string()));
            }
        }
        match self {
            Self::Transformer(config) => problems.extend(config.validate_for(shape)),
        }
        problems
    }

    fn least_weights(&self, shape: &TranslationShape) -> usize {
        match self {
            Self::Transformer(config) => config.weights(shape),
        }
    }

    fn init(&self, shape: &TranslationShape, seed: u64, device: &Device) -> TranslationModel {
        match self {
            Self::Transformer(config) => {
                TranslationModel::Transformer(config.init(shape, seed, device))
            }
        }
    }

    fn torch_name(&self, path: String) -> String {
        match self {
            Self::Transformer(config) => config.torch_name(&path),
        }
    }
}

impl Pretrainable for TranslationConfig {
    fn layers(&self) -> usize {
        match self {
            Self::Transformer(config) => config.layers_in_all(),
        }
    }

    fn layer_of(&self, name: &str) -> usize {
        let last = self.layers() - 1;
        let layer = match self {
            Self::Transformer(config) => config.layer_of(name),
        };
        layer.map_or(last, |layer| layer.min(last))
    }

    fn head(&self) -> &'static str {
        "generator"
    }

    /// No other names are in wide use.
    fn canonical_name(&self, name: &str) -> Option<String> {
        Some(name.to_string())
    }
}

impl TranslationModel {
    /// What the decoder looks at of the source.
    ///
    /// # Shapes
    ///
    /// - `source`: `[batch, source time]`, no longer than the context
    /// - `mask`: `[batch, source time]`, true where there is a token
    /// - result: `[batch, source time, width]`; without meaning where the mask is false
    pub fn encode(&self, source: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3> {
        match self {
            Self::Transformer(model) => model.encode(source, mask),
        }
    }

    /// The logits of the token after each token of the target, given it and those before it.
    ///
    /// # Shapes
    ///
    /// - `memory`: `[batch, source time, width]`, from [`encode`](Self::encode)
    /// - `source_mask`: `[batch, source time]`, true where there is a token
    /// - `target`: `[batch, time]`, no longer than the context
    /// - `target_mask`: `[batch, time]`, true where there is a token
    /// - result: `[batch, time, target vocabulary]`; without meaning where the mask is false
    pub fn decode(
        &self,
        memory: &Tensor<3>,
        source_mask: Tensor<2, Bool>,
        target: Tensor<2, Int>,
        target_mask: Tensor<2, Bool>,
    ) -> Tensor<3> {
        match self {
            Self::Transformer(model) => model.decode(memory, source_mask, target, target_mask),
        }
    }

    /// As [`decode`](Self::decode) for the tokens after those in `cache`, which takes them up, and
    /// none of which only fills a row up. The memory must be the same for the life of a cache.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, new]`; with those in the cache no longer than the context
    /// - `memory` and `source_mask`: as for [`decode`](Self::decode)
    /// - result: `[batch, new, target vocabulary]`
    pub fn decode_cached(
        &self,
        tokens: Tensor<2, Int>,
        memory: &Tensor<3>,
        source_mask: Tensor<2, Bool>,
        cache: &mut DecoderCache,
    ) -> Tensor<3> {
        match self {
            Self::Transformer(model) => model.decode_cached(tokens, memory, source_mask, cache),
        }
    }

    /// Tokens that a source and a target have, at most.
    pub fn context_length(&self) -> usize {
        match self {
            Self::Transformer(model) => model.context_length(),
        }
    }

    /// A cache that has seen nothing.
    pub fn empty_cache(&self) -> DecoderCache {
        match self {
            Self::Transformer(model) => model.empty_cache(),
        }
    }
}
