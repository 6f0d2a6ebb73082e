//! Which encoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hugging_face::BERT;
use super::parts::{Parts, Pooling};
use super::{Bert, names};
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::sizes::Sizes;
use crate::limits::{check_positive, check_rate};
use crate::shape::EncoderShape;

/// An encoder as in BERT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BertConfig {
    /// The published size, which gives the numbers below that are not set; by default
    /// "bert-base".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<BertSize>,
    /// The number of blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// The number of attention heads; must divide the width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// The width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The width inside each block's MLP; by default four times the width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_width: Option<usize>,
    /// The most tokens that the model reads; by default 512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<usize>,
    /// The number of kinds of tokens, which tell a first sentence from a second.
    pub token_types: usize,
    /// The probability of zeroing a value after the embedding, in the attention, at the end of
    /// each branch and before the classifier while training, in [0, 1).
    pub dropout: f64,
    /// The non-linearity of each MLP and of the masked language model's head.
    pub activation: Activation,
    /// The number that each norm adds to the variance.
    pub norm_eps: f64,
}

/// A published size (section 3, *Model Architecture*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BertSize {
    /// 12 blocks, width 768, 12 heads: 110 million parameters.
    #[default]
    BertBase,
    /// 24 blocks, width 1024, 16 heads: 335 million parameters.
    BertLarge,
}

impl Architecture for BertConfig {
    type Shape = EncoderShape;
    type Model = Bert;

    fn validate(&self) -> Vec<(String, String)> {
        let others = [
            ("mlp_width", self.mlp_width.unwrap_or(1)),
            ("context_length", self.context_length()),
            ("token_types", self.token_types),
        ];
        let mut problems = self.sizes().problems(self.heads.is_some(), &others);
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_positive("norm_eps", self.norm_eps));
        problems
    }

    fn least_weights(&self, shape: &EncoderShape) -> usize {
        self.parts().weights(shape)
    }

    fn context_length(&self) -> usize {
        self.context_length.unwrap_or(512)
    }

    /// That of the published models.
    fn usual_vocabulary(&self) -> usize {
        30_522
    }

    fn has_token_head(&self) -> bool {
        true
    }

    fn init(&self, shape: &EncoderShape, seed: u64, device: &Device) -> Bert {
        Bert::new(&self.parts(), shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        names::torch_name(&path)
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, EncoderShape>> {
        Some(BERT)
    }
}

impl Layered for BertConfig {
    const HEAD: &'static str = "classifier";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.sizes().layers.saturating_add(2)
    }

    /// The pooler belongs to the head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["bert", "embeddings", ..] => Some(0),
            ["bert", "encoder", "layer", block, ..] => block.parse::<usize>().ok()?.checked_add(1),
            ["bert", "pooler", ..] | ["cls" | "classifier", ..] => Some(self.layers() - 1),
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        names::canonical_name(name)
    }

    fn leaves_out(&self, shape: &EncoderShape, name: &str) -> bool {
        match shape.outputs {
            None => name.starts_with("bert.pooler."),
            Some(_) => name.starts_with("cls.predictions."),
        }
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        names::copy_of(name)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        match name {
            "bert.embeddings.word_embeddings.weight" | "cls.predictions.bias" => Some(Rows::Tokens),
            "bert.embeddings.position_embeddings.weight" => Some(Rows::Positions),
            _ => None,
        }
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.sizes().heads)),
            ("activation", json!(self.activation)),
            ("norm_eps", json!(self.norm_eps)),
        ]
    }
}

impl BertConfig {
    fn parts(&self) -> Parts {
        Parts {
            sizes: self.sizes(),
            context_length: self.context_length(),
            first_position: 0,
            token_types: Some(self.token_types),
            dropout: self.dropout,
            activation: self.activation,
            head_activation: self.activation,
            norm_eps: self.norm_eps,
            pooling: Pooling::Tanh,
        }
    }

    pub(super) fn sizes(&self) -> Sizes {
        let published = match self.size.unwrap_or_default() {
            BertSize::BertBase => [12, 12, 768],
            BertSize::BertLarge => [24, 16, 1024],
        };
        Sizes::new(
            published,
            [self.layers, self.heads, self.width],
            self.mlp_width,
        )
    }
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            size: None,
            layers: None,
            heads: None,
            width: None,
            mlp_width: None,
            context_length: None,
            token_types: 2,
            dropout: 0.1,
            activation: Activation::Gelu,
            norm_eps: 1e-12,
        }
    }
}
