//! Which T5 it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hugging_face::T5_CLASS;
use super::{T5, names};
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::limits::{
    check, check_layers, check_least_one, check_positive, check_range, check_rate,
};
use crate::shape::TranslationShape;

/// An encoder and a decoder as in T5; by default of the size of T5-small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct T5Config {
    /// The number of blocks of the encoder, and of the decoder.
    pub layers: usize,
    /// The number of blocks of the decoder, if it is another than `layers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_layers: Option<usize>,
    /// The number of attention heads.
    pub heads: usize,
    /// The width of a head; all together need not be as wide as the tokens.
    pub head_width: usize,
    /// The width of the tokens.
    pub width: usize,
    /// The width inside each block's MLP.
    pub mlp_width: usize,
    /// The most tokens that a source or a target has. No weight depends on it.
    pub context_length: usize,
    /// The number of buckets into which the distances of tokens fall, from 4.
    pub buckets: usize,
    /// The distance from which on all are alike; more than half the number of buckets.
    pub max_distance: usize,
    /// The probability of zeroing a value at the start and the end of encoder and decoder, in the attention, inside each
    /// MLP and at the end of each branch while training, in [0, 1).
    pub dropout: f64,
    /// The non-linearity of each MLP; version 1.1 has "gelu_tanh".
    pub activation: Activation,
    /// Whether what each MLP lets through is multiplied by a gate, as in version 1.1.
    pub gated: bool,
    /// The number that each norm adds to the mean square.
    pub norm_eps: f64,
    /// Whether the head shares the embedding, of which it then reads what is divided by the root of the width; version 1.1
    /// has a head of its own.
    pub tie_embeddings: bool,
    /// The number of the token that begins every target; published models have that of the padding. By default the one
    /// that ends a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_token: Option<usize>,
}

impl T5Config {
    /// The number of blocks of the encoder and of the decoder.
    pub(super) fn depths(&self) -> [usize; 2] {
        [self.layers, self.decoder_layers.unwrap_or(self.layers)]
    }
}

impl Architecture for T5Config {
    type Shape = TranslationShape;
    type Model = T5;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = check_least_one(&[
            ("layers", self.layers),
            ("heads", self.heads),
            ("head_width", self.head_width),
            ("width", self.width),
            ("mlp_width", self.mlp_width),
            ("context_length", self.context_length),
        ]);
        problems.extend(check_layers(self.layers));
        let decoder = self.decoder_layers.unwrap_or(1);
        problems.extend(check_range("decoder_layers", decoder, 1000));
        // Half of them are for each direction, and half of these for near tokens.
        let text = format!("must be from 4 to {MOST_BUCKETS}, but is {}", self.buckets);
        let is_some = (4..=MOST_BUCKETS).contains(&self.buckets);
        problems.extend(check(is_some, "buckets", text));
        let (most, near) = (self.max_distance, self.buckets / 2);
        let text = format!("must be above {near} and at most {MOST_DISTANCE}, but is {most}");
        let is_far = most > near && most <= MOST_DISTANCE;
        problems.extend(check(is_far, "max_distance", text));
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_positive("norm_eps", self.norm_eps));
        problems
    }

    fn validate_for(&self, shape: &TranslationShape) -> Vec<(String, String)> {
        let (source, target) = (shape.source_vocabulary, shape.target_vocabulary);
        let text = format!(
            "needs one vocabulary, but the source's has {source} tokens and the target's {target}"
        );
        let mut problems = Vec::from_iter(check(source == target, "type", text));
        let start = self.start_token.unwrap_or(0);
        let text = format!("is {start}, but there are only {target} tokens");
        problems.extend(check(start < target, "start_token", text));
        problems
    }

    /// The number of weights, in `f64`, which does not overflow.
    fn least_weights(&self, shape: &TranslationShape) -> usize {
        let [width, mlp_width, heads, head_width, buckets] = [
            self.width,
            self.mlp_width,
            self.heads,
            self.head_width,
            self.buckets,
        ]
        .map(|number| number as f64);
        let [encoder, decoder] = self.depths().map(|layers| layers as f64);
        let vocabulary = shape.target_vocabulary as f64;
        // Each with the norm before it.
        let attention = 4.0 * width * heads * head_width + width;
        let layers = if self.gated { 3.0 } else { 2.0 };
        let mlp = layers * width * mlp_width + width;
        let blocks = encoder * (attention + mlp) + decoder * (2.0 * attention + mlp);
        let ends = 2.0 * (buckets * heads + width);
        let tables = if self.tie_embeddings { 1.0 } else { 2.0 };
        (tables * vocabulary * width + blocks + ends) as usize
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    /// That of the published models.
    fn usual_vocabulary(&self) -> usize {
        32_128
    }

    fn init(&self, shape: &TranslationShape, seed: u64, device: &Device) -> T5 {
        T5::new(self, shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        let name = names::torch_name(&path);
        match self.gated {
            true => name,
            false => name.replace(".wi_1.", ".wi."),
        }
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, TranslationShape>> {
        Some(T5_CLASS)
    }
}

/// More buckets, and farther tokens, than any model tells apart; it is surely a slip.
const MOST_BUCKETS: usize = 1 << 12;
const MOST_DISTANCE: usize = 1 << 20;

impl Layered for T5Config {
    const HEAD: &'static str = "lm_head";

    /// The embedding, the encoder's blocks, the decoder's, the head.
    fn layers(&self) -> usize {
        let [encoder, decoder] = self.depths();
        encoder.saturating_add(decoder).saturating_add(2)
    }

    /// A last norm belongs to the block before it.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let [encoder, decoder] = self.depths();
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["shared", _] => Some(0),
            ["encoder", "block", block, ..] => block.parse::<usize>().ok()?.checked_add(1),
            ["encoder", "final_layer_norm", _] => Some(encoder),
            ["decoder", "block", block, ..] => block
                .parse::<usize>()
                .ok()?
                .checked_add(encoder.saturating_add(1)),
            ["decoder", "final_layer_norm", _] => encoder.checked_add(decoder),
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        names::canonical_name(name)
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        names::copy_of(name, self.tie_embeddings)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        matches!(name, names::SHARED | "lm_head.weight").then_some(Rows::Tokens)
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.heads)),
            ("max_distance", json!(self.max_distance)),
            ("activation", json!(self.activation)),
            ("norm_eps", json!(self.norm_eps)),
        ]
    }
}

impl Default for T5Config {
    fn default() -> Self {
        Self {
            layers: 6,
            decoder_layers: None,
            heads: 8,
            head_width: 64,
            width: 512,
            mlp_width: 2048,
            context_length: 512,
            buckets: 32,
            max_distance: 128,
            dropout: 0.1,
            activation: Activation::Relu,
            gated: false,
            norm_eps: 1e-6,
            tie_embeddings: true,
            start_token: None,
        }
    }
}
