//! Which decoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Llama;
use super::hugging_face::LLAMA;
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::language::decoder::{DecoderConfig, Parts, RopeScaling};
use crate::layers::sizes::Sizes;
use crate::layers::weight::Weight;
use crate::limits::{check, check_positive};
use crate::shape::LanguageShape;

/// A decoder as in Llama. The defaults are TinyLlama's (Zhang et al. 2024,
/// [arXiv:2401.02385](https://arxiv.org/abs/2401.02385), table 2), which has 1.1 billion
/// parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LlamaConfig {
    /// The number of blocks.
    pub layers: usize,
    /// The number of attention heads; must divide the width into even parts.
    pub heads: usize,
    /// The number of heads of keys and values, which groups of heads share; must divide the number
    /// of heads. By default the largest number up to 4 that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<usize>,
    /// The width of the tokens.
    pub width: usize,
    /// The width inside each block's MLP.
    pub mlp_width: usize,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// The base of the angles by which queries and keys are rotated.
    pub rope_theta: f64,
    /// How the rotations are stretched to longer texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// The number that each norm adds to the mean square.
    pub norm_eps: f64,
    /// Whether the head shares the embedding of the tokens.
    pub tie_embeddings: bool,
}

impl Architecture for LlamaConfig {
    type Shape = LanguageShape;
    type Model = Llama;

    fn validate(&self) -> Vec<(String, String)> {
        let (heads, kv_heads) = (self.heads, self.kv_heads());
        let others = [
            ("kv_heads", kv_heads),
            ("mlp_width", self.mlp_width),
            ("context_length", self.context_length),
        ];
        let mut problems = self.sizes().problems(true, &others);
        let divides = heads > 0 && self.width.is_multiple_of(heads);
        let is_even = !divides || self.head_width().is_multiple_of(2);
        let text = format!("heads of width {} have no halves", self.head_width());
        problems.extend(check(is_even, "heads", text));
        let divides = kv_heads == 0 || heads.is_multiple_of(kv_heads);
        let text = format!("{kv_heads} key heads do not divide the {heads} heads");
        problems.extend(check(divides, "kv_heads", text));
        problems.extend(check_positive("rope_theta", self.rope_theta));
        problems.extend(check_positive("norm_eps", self.norm_eps));
        let (pairs, context) = (self.head_width() / 2, self.context_length);
        let scaling = self.rope_scaling.iter();
        problems.extend(scaling.flat_map(|own| own.problems(self.rope_theta, pairs, context)));
        problems
    }

    fn least_weights(&self, shape: &LanguageShape) -> usize {
        self.parts().weights(shape.vocabulary) as usize
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    fn init(&self, shape: &LanguageShape, seed: u64, device: &Device) -> Llama {
        Llama::new(self.parts(), shape.vocabulary, Init::new(seed, device))
    }

    fn weights(model: &mut Llama) -> Vec<&mut Weight> {
        model.weights()
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, LanguageShape>> {
        Some(LLAMA)
    }
}

impl Layered for LlamaConfig {
    const HEAD: &'static str = "lm_head";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.layers.saturating_add(2)
    }

    /// The last norm belongs to the head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["model", "embed_tokens", _] => Some(0),
            ["model", "layers", block, ..] => block.parse::<usize>().ok()?.checked_add(1),
            ["model", "norm", _] | ["lm_head", _] => Some(self.layers() - 1),
            _ => None,
        }
    }

    /// The name in `LlamaForCausalLM` of a tensor that is called `name` there or in
    /// `LlamaModel`, which leaves out the prefix. `None` for the speeds of the rotations, which
    /// older files hold.
    fn canonical_name(&self, name: &str) -> Option<String> {
        let is_table = name.ends_with("rotary_emb.inv_freq");
        let is_bare = ["embed_tokens.", "layers.", "norm."]
            .iter()
            .any(|part| name.starts_with(part));
        match (is_table, is_bare) {
            (true, _) => None,
            (false, true) => Some(format!("model.{name}")),
            (false, false) => Some(name.to_string()),
        }
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        (self.tie_embeddings && name == "lm_head.weight").then_some("model.embed_tokens.weight")
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        let is_table = ["model.embed_tokens.weight", "lm_head.weight"].contains(&name);
        is_table.then_some(Rows::Tokens)
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.heads)),
            ("rope_theta", json!(self.rope_theta)),
            ("norm_eps", json!(self.norm_eps)),
            (
                "rope_scaling",
                json!(self.rope_scaling.as_ref().map(RopeScaling::resolved)),
            ),
        ]
    }
}

impl LlamaConfig {
    fn sizes(&self) -> Sizes {
        let own = [self.layers, self.heads, self.width];
        Sizes::new(own, [None; 3], Some(self.mlp_width))
    }

    /// The width of a head; saturates where there is none.
    pub(super) fn head_width(&self) -> usize {
        self.width / self.heads.max(1)
    }

    /// The number of heads of keys and values; 0 only if it is given so.
    pub(super) fn kv_heads(&self) -> usize {
        let divides = |count: &usize| self.heads.is_multiple_of(*count);
        let usual = || (1..=4).rev().find(divides).unwrap_or(1);
        self.kv_heads.unwrap_or_else(usual)
    }

    /// The plain parts of a decoder.
    fn parts(&self) -> Parts {
        let config = DecoderConfig {
            layers: self.layers,
            heads: self.heads,
            kv_heads: Some(self.kv_heads()),
            width: self.width,
            mlp_width: self.mlp_width,
            context_length: self.context_length,
            rope_theta: self.rope_theta,
            rope_scaling: self.rope_scaling.clone(),
            norm_eps: self.norm_eps,
            tie_embeddings: self.tie_embeddings,
            ..DecoderConfig::default()
        };
        config.plain()
    }
}

impl Default for LlamaConfig {
    fn default() -> Self {
        Self {
            layers: 22,
            heads: 32,
            kv_heads: None,
            width: 2048,
            mlp_width: 5632,
            context_length: 2048,
            rope_theta: 10_000.0,
            rope_scaling: None,
            norm_eps: 1e-5,
            tie_embeddings: false,
        }
    }
}
