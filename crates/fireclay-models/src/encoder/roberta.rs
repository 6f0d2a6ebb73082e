//! RoBERTa: BERT, trained for longer on more text.
//!
//! - Liu et al. 2019, *RoBERTa: A Robustly Optimized BERT Pretraining Approach*, section 3,
//!   [arXiv:1907.11692](https://arxiv.org/abs/1907.11692)
//! - on a hundred languages: Conneau et al. 2019, *Unsupervised Cross-lingual Representation Learning at
//!   Scale*, [arXiv:1911.02116](https://arxiv.org/abs/1911.02116)
//!
//! The published code counts positions from the number of the token that fills texts up, plus one. The
//! classifier drops values before its first layer too, and the head for masked tokens has the exact GELU
//! whatever the blocks have. Names and layouts are those of Hugging Face's `RobertaForMaskedLM` and
//! `RobertaForSequenceClassification`.

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
use crate::limits::{check_positive, check_range, check_rate};
use crate::shape::EncoderShape;

/// The module that [`RobertaConfig`] builds.
pub type Roberta = Bert;

/// An encoder as in RoBERTa; by default of the size of roberta-base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RobertaConfig {
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
    /// The row of the position table that the first token of a text has: the number of the token that
    /// fills texts up, plus one.
    pub first_position: usize,
    /// The number of kinds of tokens.
    pub token_types: usize,
    /// The probability of zeroing a value after the embedding, in the attention, at the end of
    /// each branch and in the classifier while training, in [0, 1).
    pub dropout: f64,
    /// The non-linearity of each MLP.
    pub activation: Activation,
    /// The number that each norm adds to the variance.
    pub norm_eps: f64,
}

impl RobertaConfig {
    fn sizes(&self) -> Sizes {
        let own = [self.layers, self.heads, self.width];
        Sizes::new(own, [None; 3], self.mlp_width)
    }

    fn parts(&self) -> Parts {
        Parts {
            sizes: self.sizes(),
            context_length: self.context_length,
            first_position: self.first_position,
            token_types: Some(self.token_types),
            dropout: self.dropout,
            activation: self.activation,
            head_activation: Activation::Gelu,
            norm_eps: self.norm_eps,
            pooling: Pooling::DroppedTanh,
        }
    }
}

impl Architecture for RobertaConfig {
    type Shape = EncoderShape;
    type Model = Roberta;

    fn validate(&self) -> Vec<(String, String)> {
        let others = [
            ("mlp_width", self.mlp_width.unwrap_or(1)),
            ("context_length", self.context_length),
            ("token_types", self.token_types),
        ];
        let mut problems = self.sizes().problems(true, &others);
        // A token's number, of which none has more.
        problems.extend(check_range("first_position", self.first_position, 1 << 32));
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_positive("norm_eps", self.norm_eps));
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
        50_265
    }

    fn has_token_head(&self) -> bool {
        true
    }

    fn init(&self, shape: &EncoderShape, seed: u64, device: &Device) -> Roberta {
        Bert::new(&self.parts(), shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        names::torch_name(&path)
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, EncoderShape>> {
        Some(hugging_face::ROBERTA)
    }
}

impl Layered for RobertaConfig {
    const HEAD: &'static str = "classifier.out_proj";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.layers.saturating_add(2)
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["roberta", "embeddings", ..] => Some(0),
            ["roberta", "encoder", "layer", block, ..] => {
                block.parse::<usize>().ok()?.checked_add(1)
            }
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        names::canonical_name(name)
    }

    fn leaves_out(&self, shape: &EncoderShape, name: &str) -> bool {
        // Both heads read the tokens themselves; a pooler is that of a model without a head.
        name.starts_with("roberta.pooler.")
            || (shape.outputs.is_some() && name.starts_with("lm_head."))
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        names::copy_of(name)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        match name {
            names::WORDS | names::BIAS => Some(Rows::Tokens),
            "roberta.embeddings.position_embeddings.weight" => Some(Rows::Positions),
            _ => None,
        }
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.heads)),
            ("first_position", json!(self.first_position)),
            ("activation", json!(self.activation)),
            ("norm_eps", json!(self.norm_eps)),
        ]
    }
}

impl Default for RobertaConfig {
    fn default() -> Self {
        Self {
            layers: 12,
            heads: 12,
            width: 768,
            mlp_width: None,
            context_length: 512,
            first_position: 2,
            token_types: 1,
            dropout: 0.1,
            activation: Activation::Gelu,
            norm_eps: 1e-5,
        }
    }
}
