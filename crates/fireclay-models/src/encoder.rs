//! The family of encoders of text: what the text determines, the choice of architecture, and the
//! module that holds the chosen one.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bert::{Bert, BertConfig};
use crate::family::{Family, Pretrainable};
use crate::hugging_face::{Entry, HuggingFaceError, compare};
use crate::lstm::{Lstm, LstmConfig};

/// What the text determines of an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderShape {
    /// The number of different tokens.
    pub vocabulary: usize,
    /// The number of logits of a text; none for a masked language model, which has logits of each
    /// token instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<usize>,
}

/// A model that reads a text as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EncoderConfig {
    /// An encoder as in BERT.
    Bert(BertConfig),
    /// A bidirectional LSTM.
    Lstm(LstmConfig),
}

/// The architecture that an [`EncoderConfig`] builds.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program holds one, never a list of them"
)]
pub enum EncoderModel {
    /// See [`Bert`].
    Bert(Bert),
    /// See [`Lstm`].
    Lstm(Lstm),
}

impl EncoderConfig {
    /// The name of each type and what it is.
    pub const TYPES: &[(&str, &str)] = &[
        (
            "bert",
            "encoder that reads both sides of each token, bert-base or bert-large (Devlin et al. 2018)",
        ),
        (
            "lstm",
            "bidirectional LSTM that classifies texts (Graves & Schmidhuber 2005)",
        ),
    ];

    /// Every impossible value of the configuration alone, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Bert(config) => config.validate(),
            Self::Lstm(config) => config.validate(),
        }
    }

    /// Tokens that the model looks at, at most.
    pub fn context_length(&self) -> usize {
        match self {
            Self::Bert(config) => config.context_length(),
            Self::Lstm(config) => config.context_length,
        }
    }

    /// Whether the model can be built without outputs, for logits of each token.
    pub fn has_token_head(&self) -> bool {
        match self {
            Self::Bert(_) => true,
            Self::Lstm(_) => false,
        }
    }

    /// What Hugging Face's `config.json` says of the model; nothing of one that is not there.
    pub(crate) fn entries(&self, shape: &EncoderShape) -> Vec<Entry> {
        match self {
            Self::Bert(config) => config.entries(shape),
            Self::Lstm(_) => Vec::new(),
        }
    }
}

impl Family for EncoderConfig {
    type Shape = EncoderShape;
    type Model = EncoderModel;

    fn validate(&self) -> Vec<(String, String)> {
        self.validate()
    }

    fn validate_for(&self, shape: &EncoderShape) -> Vec<(String, String)> {
        let mut problems = self.validate();
        let message = || "must be at least 1".to_string();
        if shape.vocabulary == 0 {
            problems.push(("vocabulary".to_string(), message()));
        }
        if shape.outputs == Some(0) {
            problems.push(("outputs".to_string(), message()));
        }
        if shape.outputs.is_none() && !self.has_token_head() {
            let message = "must be given: the model has no logits of tokens";
            problems.push(("outputs".to_string(), message.to_string()));
        }
        problems
    }

    fn least_weights(&self, shape: &EncoderShape) -> usize {
        match self {
            Self::Bert(config) => config.weights(shape),
            Self::Lstm(config) => config.weights(shape),
        }
    }

    fn init(&self, shape: &EncoderShape, seed: u64, device: &Device) -> EncoderModel {
        match self {
            Self::Bert(config) => EncoderModel::Bert(config.init(shape, seed, device)),
            Self::Lstm(config) => EncoderModel::Lstm(config.init(shape, seed, device)),
        }
    }

    fn torch_name(&self, path: String) -> String {
        match self {
            Self::Bert(_) => BertConfig::torch_name(&path),
            Self::Lstm(_) => LstmConfig::torch_name(&path),
        }
    }

    fn hugging_face(&self, shape: &EncoderShape) -> Option<Value> {
        match self {
            Self::Bert(config) => config.hugging_face(shape),
            Self::Lstm(_) => None,
        }
    }
}

impl Pretrainable for EncoderConfig {
    fn layers(&self) -> usize {
        match self {
            Self::Bert(config) => config.layers_in_all(),
            Self::Lstm(config) => config.layers_in_all(),
        }
    }

    fn layer_of(&self, name: &str) -> usize {
        let last = self.layers() - 1;
        let layer = match self {
            Self::Bert(config) => config.layer_of(name),
            Self::Lstm(config) => config.layer_of(name),
        };
        layer.map_or(last, |layer| layer.min(last))
    }

    fn head(&self) -> &'static str {
        "classifier"
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        match self {
            Self::Bert(_) => BertConfig::canonical_name(name),
            Self::Lstm(_) => Some(name.to_string()),
        }
    }

    fn leaves_out(&self, shape: &EncoderShape, name: &str) -> bool {
        match self {
            Self::Bert(_) => BertConfig::leaves_out(shape, name),
            Self::Lstm(_) => false,
        }
    }

    fn check_hugging_face(
        &self,
        shape: &EncoderShape,
        json: &[u8],
    ) -> Result<(), HuggingFaceError> {
        match self {
            Self::Bert(config) => compare(&config.entries(shape), json),
            Self::Lstm(_) => Ok(()),
        }
    }
}

impl EncoderModel {
    /// The logits of what each token was before it was masked.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, time]`, no longer than the context
    /// - `types`: the sentence that each token belongs to, `[batch, time]`; by default the first.
    ///   An LSTM reads all alike
    /// - `mask`: `[batch, time]`, true where there is a token; for an LSTM the padding must come
    ///   after the tokens
    /// - result: `[batch, time, vocabulary]`; without meaning where the mask is false
    ///
    /// # Panics
    ///
    /// If the model was built for a shape with outputs, as every LSTM is.
    pub fn forward_tokens(
        &self,
        tokens: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        mask: Tensor<2, Bool>,
    ) -> Tensor<3> {
        match self {
            Self::Bert(model) => model.forward_tokens(tokens, types, mask),
            Self::Lstm(_) => unreachable!("checked: an LSTM has outputs"),
        }
    }

    /// As [`forward_tokens`](Self::forward_tokens) at some places alone.
    ///
    /// # Shapes
    ///
    /// - `places`: counted through all rows of the batch, `[places]`
    /// - result: `[places, vocabulary]`
    ///
    /// # Panics
    ///
    /// As for [`forward_tokens`](Self::forward_tokens).
    pub fn forward_places(
        &self,
        tokens: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        mask: Tensor<2, Bool>,
        places: Tensor<1, Int>,
    ) -> Tensor<2> {
        match self {
            Self::Bert(model) => model.forward_places(tokens, types, mask, places),
            Self::Lstm(_) => unreachable!("checked: an LSTM has outputs"),
        }
    }

    /// The logits of each text.
    ///
    /// # Shapes
    ///
    /// - arguments: as for [`forward_tokens`](Self::forward_tokens)
    /// - result: `[batch, outputs]`
    ///
    /// # Panics
    ///
    /// If the model was built for a shape without outputs.
    pub fn forward_pooled(
        &self,
        tokens: Tensor<2, Int>,
        types: Option<Tensor<2, Int>>,
        mask: Tensor<2, Bool>,
    ) -> Tensor<2> {
        match self {
            Self::Bert(model) => model.forward_pooled(tokens, types, mask),
            Self::Lstm(model) => model.forward_pooled(tokens, mask),
        }
    }

    /// Whether the model was built for a shape with outputs.
    pub fn classifies(&self) -> bool {
        match self {
            Self::Bert(model) => model.classifies(),
            Self::Lstm(_) => true,
        }
    }
}
