//! Which encoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hugging_face::MODERNBERT;
use super::{Modernbert, names};
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::limits::{
    MOST_LAYERS, check, check_heads, check_layers, check_least_one, check_positive, check_rate,
};
use crate::shape::EncoderShape;

/// An encoder as in ModernBERT; by default of the size of ModernBERT-base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModernbertConfig {
    /// The number of blocks.
    pub layers: usize,
    /// The number of attention heads; must divide the width.
    pub heads: usize,
    /// The width of the tokens.
    pub width: usize,
    /// The width inside each block's MLP.
    pub mlp_width: usize,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// How many tokens those of a local block attend to: half of them on either side.
    pub window: usize,
    /// The blocks, from 0, that attend to all tokens; by default the first and every third.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_layers: Option<Vec<usize>>,
    /// The base of the angles by which positions turn queries and keys, in blocks that attend to all
    /// tokens.
    pub rope_theta: f64,
    /// The same in local blocks.
    pub local_rope_theta: f64,
    /// The probability of zeroing a value after the embedding, in the attention and after it, inside
    /// each MLP and before the classifier while training, in [0, 1).
    pub dropout: f64,
    /// The non-linearity of each MLP.
    pub activation: Activation,
    /// The non-linearity of the heads.
    pub head_activation: Activation,
    /// The number that each norm adds to the variance.
    pub norm_eps: f64,
    /// What the classifier reads of a text.
    pub pooling: TokenPooling,
}

/// What a classifier reads of the tokens of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenPooling {
    /// The first.
    #[default]
    First,
    /// The mean of all.
    Mean,
}

impl ModernbertConfig {
    /// The blocks that attend to all tokens.
    pub(super) fn global(&self) -> Vec<usize> {
        let every_third = || (0..self.layers.min(MOST_LAYERS)).step_by(3).collect();
        self.global_layers.clone().unwrap_or_else(every_third)
    }

    fn misfits(&self) -> Vec<(String, String)> {
        let mut problems = Vec::from_iter(check_heads(self.heads, self.width, "heads"));
        let head_width = self.width / self.heads.max(1);
        let text = format!("the {head_width} values of a head are rotated, which must be pairs");
        problems.extend(check(head_width.is_multiple_of(2), "heads", text));
        let most = self.global_layers.iter().flatten().max();
        let most = most.copied().unwrap_or(0);
        let last = self.layers.saturating_sub(1);
        let text = format!("names block {most}, but the last is {last}");
        problems.extend(check(most <= last, "global_layers", text));
        problems
    }
}

impl Architecture for ModernbertConfig {
    type Shape = EncoderShape;
    type Model = Modernbert;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = check_least_one(&[
            ("layers", self.layers),
            ("heads", self.heads),
            ("width", self.width),
            ("mlp_width", self.mlp_width),
            ("context_length", self.context_length),
            ("window", self.window),
        ]);
        problems.extend(check_layers(self.layers));
        problems.extend(self.misfits());
        problems.extend(check_positive("rope_theta", self.rope_theta));
        problems.extend(check_positive("local_rope_theta", self.local_rope_theta));
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_positive("norm_eps", self.norm_eps));
        problems
    }

    /// The number of weights, in `f64`, which does not overflow.
    fn least_weights(&self, shape: &EncoderShape) -> usize {
        let [layers, width, mlp_width, vocabulary] =
            [self.layers, self.width, self.mlp_width, shape.vocabulary].map(|number| number as f64);
        let block = 4.0 * width * width + 3.0 * width * mlp_width + 2.0 * width;
        // The norms of the embedding and of the end, but not the first block's.
        let trunk = vocabulary * width + layers * block + width;
        let head = match shape.outputs {
            None => vocabulary,
            Some(outputs) => (width + 1.0) * outputs as f64,
        };
        (trunk + width * width + width + head) as usize
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    /// That of the published models.
    fn usual_vocabulary(&self) -> usize {
        50_368
    }

    fn has_token_head(&self) -> bool {
        true
    }

    fn init(&self, shape: &EncoderShape, seed: u64, device: &Device) -> Modernbert {
        Modernbert::new(self, shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        names::torch_name(&path)
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, EncoderShape>> {
        Some(MODERNBERT)
    }
}

impl Layered for ModernbertConfig {
    const HEAD: &'static str = "classifier";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.layers.saturating_add(2)
    }

    /// The norm of the end belongs to the head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["model", "embeddings", ..] => Some(0),
            ["model", "layers", block, ..] => block.parse::<usize>().ok()?.checked_add(1),
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        names::canonical_name(name)
    }

    fn leaves_out(&self, shape: &EncoderShape, name: &str) -> bool {
        shape.outputs.is_some() && name.starts_with("decoder.")
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        (name == "decoder.weight").then_some(names::WORDS)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        matches!(name, names::WORDS | "decoder.bias").then_some(Rows::Tokens)
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.heads)),
            ("window", json!(self.window)),
            ("global_layers", json!(self.global())),
            ("rope_theta", json!(self.rope_theta)),
            ("local_rope_theta", json!(self.local_rope_theta)),
            ("activation", json!(self.activation)),
            ("head_activation", json!(self.head_activation)),
            ("norm_eps", json!(self.norm_eps)),
            ("pooling", json!(self.pooling)),
        ]
    }
}

impl Default for ModernbertConfig {
    fn default() -> Self {
        Self {
            layers: 22,
            heads: 12,
            width: 768,
            mlp_width: 1152,
            context_length: 8192,
            window: 128,
            global_layers: None,
            rope_theta: 160_000.0,
            local_rope_theta: 10_000.0,
            dropout: 0.0,
            activation: Activation::Gelu,
            head_activation: Activation::Gelu,
            norm_eps: 1e-5,
            pooling: TokenPooling::First,
        }
    }
}
