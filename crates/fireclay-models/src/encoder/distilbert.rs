//! DistilBERT: half the blocks of BERT, taught by it.
//!
//! - Sanh et al. 2019, *DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter*,
//!   section 3, [arXiv:1910.01108](https://arxiv.org/abs/1910.01108)
//!
//! Kinds of tokens are not told apart, and the classifier has a rectifier instead of BERT's pooler. Names
//! and layouts are those of Hugging Face's `DistilBertForMaskedLM` and
//! `DistilBertForSequenceClassification`.

mod hugging_face;
mod names;

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::encoder::bert::{Bert, Parts, Pooling};
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::sizes::Sizes;
use crate::limits::check_rate;
use crate::shape::EncoderShape;

/// The module that [`DistilbertConfig`] builds.
pub type Distilbert = Bert;

/// What each norm adds to the variance, in the published code.
const NORM_EPS: f64 = 1e-12;

/// An encoder as in DistilBERT; by default of the size of distilbert-base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DistilbertConfig {
    /// The number of blocks.
    pub layers: usize,
    /// The number of attention heads; must divide the width.
    pub heads: usize,
    /// The width of the tokens.
    pub width: usize,
    /// The width inside each block's MLP; by default four times the width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_width: Option<usize>,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// The probability of zeroing a value after the embedding, in the attention, at the end of
    /// each branch and before the classifier while training, in [0, 1).
    pub dropout: f64,
    /// The non-linearity of each MLP and of the masked language model's head.
    pub activation: Activation,
}

impl DistilbertConfig {
    fn sizes(&self) -> Sizes {
        let own = [self.layers, self.heads, self.width];
        Sizes::new(own, [None; 3], self.mlp_width)
    }

    fn parts(&self) -> Parts {
        Parts {
            sizes: self.sizes(),
            context_length: self.context_length,
            first_position: 0,
            token_types: None,
            dropout: self.dropout,
            activation: self.activation,
            head_activation: self.activation,
            norm_eps: NORM_EPS,
            pooling: Pooling::Relu,
        }
    }
}

impl Architecture for DistilbertConfig {
    type Shape = EncoderShape;
    type Model = Distilbert;

    fn validate(&self) -> Vec<(String, String)> {
        let others = [
            ("mlp_width", self.mlp_width.unwrap_or(1)),
            ("context_length", self.context_length),
        ];
        let mut problems = self.sizes().problems(true, &others);
        problems.extend(check_rate("dropout", self.dropout));
        problems
    }

    fn least_weights(&self, shape: &EncoderShape) -> usize {
        self.parts().weights(shape)
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    /// That of the published models.
    fn usual_vocabulary(&self) -> usize {
        30_522
    }

    fn has_token_head(&self) -> bool {
        true
    }

    fn init(&self, shape: &EncoderShape, seed: u64, device: &Device) -> Distilbert {
        Bert::new(&self.parts(), shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        names::torch_name(&path)
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, EncoderShape>> {
        Some(hugging_face::DISTILBERT)
    }
}

impl Layered for DistilbertConfig {
    const HEAD: &'static str = "classifier";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.layers.saturating_add(2)
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["distilbert", "embeddings", ..] => Some(0),
            ["distilbert", "transformer", "layer", block, ..] => {
                block.parse::<usize>().ok()?.checked_add(1)
            }
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        names::canonical_name(name)
    }

    fn leaves_out(&self, shape: &EncoderShape, name: &str) -> bool {
        shape.outputs.is_some() && name.starts_with("vocab_")
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        (name == "vocab_projector.weight").then_some(names::WORDS)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        match name {
            names::WORDS | "vocab_projector.bias" => Some(Rows::Tokens),
            "distilbert.embeddings.position_embeddings.weight" => Some(Rows::Positions),
            _ => None,
        }
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.heads)),
            ("activation", json!(self.activation)),
        ]
    }
}

impl Default for DistilbertConfig {
    fn default() -> Self {
        Self {
            layers: 6,
            heads: 12,
            width: 768,
            mlp_width: None,
            context_length: 512,
            dropout: 0.1,
            activation: Activation::Gelu,
        }
    }
}
