//! Which decoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Gpt;
use super::hugging_face::GPT2;
use super::sizes::GptSize;
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::sizes::Sizes;
use crate::limits::{check_positive, check_rate};
use crate::shape::LanguageShape;

/// A decoder as in GPT-2 and GPT-3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GptConfig {
    /// The published size, which gives the numbers below that are not set; by default "gpt2".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<GptSize>,
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
    /// The most tokens that the model reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<usize>,
    /// The probability of zeroing a value after the embedding, in the attention and at the end of
    /// each branch while training, in [0, 1).
    pub dropout: f64,
    /// Whether linear layers and norms have a bias.
    pub bias: bool,
    /// The non-linearity of each MLP.
    pub activation: Activation,
    /// Whether the head shares the embedding of the tokens.
    pub tie_embeddings: bool,
    /// The number that each norm adds to the variance.
    pub norm_eps: f64,
}

impl Architecture for GptConfig {
    type Shape = LanguageShape;
    type Model = Gpt;

    fn validate(&self) -> Vec<(String, String)> {
        let others = [
            ("mlp_width", self.mlp_width.unwrap_or(1)),
            ("context_length", self.context_length()),
        ];
        let mut problems = self.sizes().problems(self.heads.is_some(), &others);
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_positive("norm_eps", self.norm_eps));
        problems
    }

    /// The number of weights, in `f64`, which does not overflow.
    fn least_weights(&self, shape: &LanguageShape) -> usize {
        let [layers, width, mlp_width] = self.sizes().numbers();
        let [context, rows] = [self.context_length(), shape.vocabulary].map(|number| number as f64);
        let tables = if self.tie_embeddings { 1.0 } else { 2.0 };
        // The attention's four squares, the MLP, both norms and, with biases, their shifts and those
        // of the attention and of the MLP.
        let (block, norm) = match self.bias {
            true => (9.0 * width + mlp_width, 2.0 * width),
            false => (2.0 * width, width),
        };
        let block = 4.0 * width * width + 2.0 * width * mlp_width + block;
        (tables * rows * width + context * width + layers * block + norm) as usize
    }

    fn context_length(&self) -> usize {
        let (_, context_length) = self.size.unwrap_or_default().numbers();
        self.context_length.unwrap_or(context_length)
    }

    /// That of GPT-2.
    fn usual_vocabulary(&self) -> usize {
        50_257
    }

    fn init(&self, shape: &LanguageShape, seed: u64, device: &Device) -> Gpt {
        self.build(shape, Init::new(seed, device))
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, LanguageShape>> {
        Some(GPT2)
    }
}

impl Layered for GptConfig {
    const HEAD: &'static str = "lm_head";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.sizes().layers.saturating_add(2)
    }

    /// The last norm belongs to the head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["transformer", "wte" | "wpe", _] => Some(0),
            ["transformer", "h", block, ..] => block.parse::<usize>().ok()?.checked_add(1),
            ["transformer", "ln_f", _] | ["lm_head", _] => Some(self.layers() - 1),
            _ => None,
        }
    }

    /// The name in `GPT2LMHeadModel` of a tensor that is called `name` there or in the published
    /// files, which leave out the prefix. `None` for masks, which are no weights.
    fn canonical_name(&self, name: &str) -> Option<String> {
        let is_mask = name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
        let is_bare = ["wte.", "wpe.", "h.", "ln_f."]
            .iter()
            .any(|part| name.starts_with(part));
        match (is_mask, is_bare) {
            (true, _) => None,
            (false, true) => Some(format!("transformer.{name}")),
            (false, false) => Some(name.to_string()),
        }
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        (self.tie_embeddings && name == "lm_head.weight").then_some("transformer.wte.weight")
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        match name {
            "transformer.wte.weight" | "lm_head.weight" => Some(Rows::Tokens),
            "transformer.wpe.weight" => Some(Rows::Positions),
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

impl GptConfig {
    pub(super) fn sizes(&self) -> Sizes {
        let (published, _) = self.size.unwrap_or_default().numbers();
        Sizes::new(
            published,
            [self.layers, self.heads, self.width],
            self.mlp_width,
        )
    }
}

impl Default for GptConfig {
    fn default() -> Self {
        Self {
            size: None,
            layers: None,
            heads: None,
            width: None,
            mlp_width: None,
            context_length: None,
            dropout: 0.1,
            bias: true,
            activation: Activation::GeluTanh,
            tie_embeddings: true,
            norm_eps: 1e-5,
        }
    }
}
