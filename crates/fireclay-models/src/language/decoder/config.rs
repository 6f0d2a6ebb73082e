//! Which decoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::families::DecoderFamily;
use super::hugging_face::DECODER;
use super::parts::{Biases, BlockParts, MlpKind, Parts, Projection, Residual};
use super::rotary::Rope;
use super::scaling::RopeScaling;
use super::{Decoder, families};
use crate::family::{Architecture, Layered, Rows};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::norm::NormStyle;
use crate::layers::weight::Weight;
use crate::shape::LanguageShape;

/// A decoder of one of the families of open language models. `pretrained` gives all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderConfig {
    /// The family, which says what the blocks are made of.
    pub family: DecoderFamily,
    /// The number of blocks.
    pub layers: usize,
    /// The number of attention heads.
    pub heads: usize,
    /// The number of heads of keys and values, which groups of heads share; must divide the number
    /// of heads. By default all have their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<usize>,
    /// The width of a head; by default the width of the tokens divided by the number of heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_width: Option<usize>,
    /// The width of the tokens.
    pub width: usize,
    /// The width inside each block's MLP.
    pub mlp_width: usize,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// The non-linearity of each MLP; by default that of the family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// The number that each norm adds to the mean square or the variance.
    pub norm_eps: f64,
    /// The base of the angles by which queries and keys are rotated.
    pub rope_theta: f64,
    /// How the rotations are stretched to longer texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// The share of each head that is rotated (phi3, gpt_neox).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotary_share: Option<f64>,
    /// The base of the angles in the blocks that attend to a window (gemma3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_rope_theta: Option<f64>,
    /// The blocks, counted from 0, that rotate nothing (smollm3); by default every fourth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unturned_layers: Option<Vec<usize>>,
    /// How many tokens each token attends to, itself among them, in the blocks that are not global; by
    /// default all before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// The blocks, counted from 0, that attend to all tokens although there is a window (qwen2, qwen3,
    /// gemma2, gemma3); by default every second of gemma2, every sixth of gemma3, none of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_layers: Option<Vec<usize>>,
    /// Scores of attention are divided by its root (gemma2, gemma3); by default the width of a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_scalar: Option<f64>,
    /// What holds scores of attention between it and its negative (gemma2); by default nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_cap: Option<f64>,
    /// What holds logits between it and its negative (gemma2, gemma3); by default nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_cap: Option<f64>,
    /// Whether attention and MLP read the same and are added at once (gpt_neox); by default they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<bool>,
    /// The number of MLPs in each block, each of the width `mlp_width` (mixtral, qwen3_moe); by default 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experts: Option<usize>,
    /// The number of them that each token goes through (mixtral, qwen3_moe); by default 2. All are computed
    /// for all tokens, so they cost time as if all were chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen_experts: Option<usize>,
    /// Whether what the chosen ones count sums to one (qwen3_moe); by default it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shares_sum_to_one: Option<bool>,
    /// Whether the head shares the embedding of the tokens.
    pub tie_embeddings: bool,
}

impl Architecture for DecoderConfig {
    type Shape = LanguageShape;
    type Model = Decoder;

    fn validate(&self) -> Vec<(String, String)> {
        self.problems()
    }

    fn least_weights(&self, shape: &LanguageShape) -> usize {
        self.parts().weights(shape.vocabulary) as usize
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    fn init(&self, shape: &LanguageShape, seed: u64, device: &Device) -> Decoder {
        Decoder::new(self.parts(), shape.vocabulary, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        self.family.torch_name(path)
    }

    fn weights(model: &mut Decoder) -> Vec<&mut Weight> {
        model.weights()
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, LanguageShape>> {
        Some(DECODER)
    }
}

impl Layered for DecoderConfig {
    const HEAD: &'static str = "lm_head";

    fn head(&self) -> &'static str {
        self.family.ends().head
    }

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.layers.saturating_add(2)
    }

    /// The last norm belongs to the head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            [_, "embed_tokens" | "embed_in", _] => Some(0),
            [_, "layers", block, ..] => block.parse::<usize>().ok()?.checked_add(1),
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        self.family.canonical_name(name)
    }

    fn copy_of(&self, name: &str) -> Option<&'static str> {
        let ends = self.family.ends();
        let is_head = name.strip_suffix(".weight") == Some(ends.head);
        (self.tie_embeddings && is_head).then_some(ends.table)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        let ends = self.family.ends();
        let is_head = name.strip_suffix(".weight") == Some(ends.head);
        (is_head || name == ends.table).then_some(Rows::Tokens)
    }

    /// A default that is written is the same model.
    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        let scaling = self.rope_scaling.as_ref().map(RopeScaling::resolved);
        vec![
            ("family", json!(self.family)),
            ("heads", json!(self.heads)),
            ("kv_heads", json!(self.kv_heads())),
            ("activation", json!(self.activation())),
            ("norm_eps", json!(self.norm_eps)),
            ("rope_theta", json!(self.rope_theta)),
            ("rope_scaling", json!(scaling)),
            ("rotary_share", json!(self.rotary_share())),
            ("local_rope_theta", json!(self.local_rope_theta())),
            ("unturned_layers", json!(self.unturned())),
            ("window", json!(self.window)),
            ("global_layers", json!(self.global())),
            ("query_scalar", json!(self.query_scalar())),
            ("attention_cap", json!(self.attention_cap)),
            ("logit_cap", json!(self.logit_cap)),
            ("parallel", json!(self.parallel())),
            ("chosen_experts", json!(self.chosen_experts())),
            ("shares_sum_to_one", json!(self.shares_sum_to_one())),
        ]
    }
}

impl DecoderConfig {
    /// The number of heads of keys and values.
    pub(super) fn kv_heads(&self) -> usize {
        self.kv_heads.unwrap_or(self.heads)
    }

    /// The width of a head; saturates where there is none.
    pub(super) fn head_width(&self) -> usize {
        self.head_width.unwrap_or(self.width / self.heads.max(1))
    }

    pub(super) fn activation(&self) -> Activation {
        self.activation.unwrap_or(self.family.kin().activation)
    }

    pub(super) fn rotary_share(&self) -> f64 {
        self.rotary_share.unwrap_or(self.family.kin().rotary_share)
    }

    /// The number of experts, where there are some.
    pub(super) fn experts(&self) -> usize {
        self.experts.unwrap_or(8)
    }

    /// The number of experts that a token goes through.
    pub(super) fn chosen_experts(&self) -> usize {
        self.chosen_experts.unwrap_or(2)
    }

    /// Whether what the chosen experts count sums to one.
    pub(super) fn shares_sum_to_one(&self) -> bool {
        self.shares_sum_to_one.unwrap_or(true)
    }

    /// Whether attention and MLP are added at once, where a family can.
    pub(super) fn parallel(&self) -> bool {
        self.parallel.unwrap_or(true)
    }

    /// Scores of attention are divided by its root.
    pub(super) fn query_scalar(&self) -> f64 {
        self.query_scalar.unwrap_or(self.head_width() as f64)
    }

    /// The base of the rotations of blocks with a window, where they have their own.
    pub(super) fn local_rope_theta(&self) -> f64 {
        self.local_rope_theta.unwrap_or(families::LOCAL_THETA)
    }

    /// How many values of each head are rotated.
    pub(super) fn rotary_width(&self) -> usize {
        (self.head_width() as f64 * self.rotary_share()) as usize
    }

    /// The numbers of the blocks, as far as any model has some.
    pub(super) fn blocks(&self) -> std::ops::Range<usize> {
        0..self.layers.min(families::MOST_LAYERS)
    }

    /// The blocks that attend to all tokens although there is a window; none where there is no window.
    pub(super) fn global(&self) -> Vec<usize> {
        let usual = |layer: &usize| self.family.is_usually_global(*layer);
        match (self.window, &self.global_layers) {
            (None, _) => Vec::new(),
            (_, Some(layers)) => layers.clone(),
            (_, None) => self.blocks().filter(usual).collect(),
        }
    }

    /// The blocks that rotate nothing.
    pub(super) fn unturned(&self) -> Vec<usize> {
        let usual = |layer: &usize| self.family.is_usually_unturned(*layer);
        match &self.unturned_layers {
            Some(layers) => layers.clone(),
            None => self.blocks().filter(usual).collect(),
        }
    }

    /// What the decoder is made of.
    fn parts(&self) -> Parts {
        (self.family.kin().parts)(self)
    }

    /// The parts as Llama and most families have them: norms before each branch, a gated MLP, no bias.
    pub(crate) fn plain(&self) -> Parts {
        let (global, unturned) = (self.global(), self.unturned());
        let block = |layer| BlockParts {
            window: self.window.filter(|_| !global.contains(&layer)),
            rope: (!unturned.contains(&layer)).then_some(0),
        };
        Parts {
            width: self.width,
            context_length: self.context_length,
            blocks: self.blocks().map(block).collect(),
            heads: self.heads,
            kv_heads: self.kv_heads(),
            head_width: self.head_width(),
            mlp_width: self.mlp_width,
            norm: NormStyle::Rms,
            norm_eps: self.norm_eps,
            residual: Residual::Before,
            projection: Projection::Apart,
            biases: Biases::default(),
            query_norm: None,
            experts: None,
            query_scalar: self.query_scalar,
            attention_cap: self.attention_cap,
            mlp: MlpKind::Gated,
            activation: self.activation(),
            ropes: vec![Rope {
                theta: self.rope_theta,
                width: self.rotary_width(),
                scaling: self.rope_scaling.clone(),
            }],
            embedding_scale: None,
            logit_cap: self.logit_cap,
            tie_embeddings: self.tie_embeddings,
        }
    }
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            family: DecoderFamily::default(),
            layers: 22,
            heads: 32,
            kv_heads: None,
            head_width: None,
            width: 2048,
            mlp_width: 5632,
            context_length: 2048,
            activation: None,
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
            rotary_share: None,
            local_rope_theta: None,
            unturned_layers: None,
            window: None,
            global_layers: None,
            query_scalar: None,
            attention_cap: None,
            logit_cap: None,
            parallel: None,
            experts: None,
            chosen_experts: None,
            shares_sum_to_one: None,
            tie_embeddings: false,
        }
    }
}
