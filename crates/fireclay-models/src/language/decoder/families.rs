//! The families, each by the parts that it chooses and by its words.

mod gemma;
mod mistral;
mod mixture;
mod neox;
mod olmo;
mod phi;
mod qwen;
mod smollm;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::DecoderConfig;
use super::parts::Parts;
use crate::hugging_face::{Entry, Reader};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

/// More blocks than any model has.
pub(super) const MOST_LAYERS: usize = 1000;

/// The base of the rotations of local blocks, where nothing says it.
pub(super) const LOCAL_THETA: f64 = 10_000.0;

/// A family of decoders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecoderFamily {
    /// Mistral: Llama with a window (Jiang et al. 2023).
    #[default]
    Mistral,
    /// Qwen2 and Qwen2.5: biases of queries, keys and values (Yang et al. 2024).
    Qwen2,
    /// Qwen3: norms of queries and keys (Yang et al. 2025).
    Qwen3,
    /// Gemma 2: norms before and after, capped scores, every second block local (2024).
    Gemma2,
    /// Gemma 3: norms of queries and keys, five local blocks for a global one (2025).
    Gemma3,
    /// Phi-3 and Phi-4: joined layers, partly rotated heads (Abdin et al. 2024).
    Phi3,
    /// SmolLM3: every fourth block without rotations (Bakouch et al. 2025).
    Smollm3,
    /// OLMo 2: norms after each branch, and of queries and keys (OLMo Team 2024).
    Olmo2,
    /// Mixtral: Mistral with experts (Jiang et al. 2024).
    Mixtral,
    /// Qwen3 with experts in every block (Yang et al. 2025).
    Qwen3Moe,
    /// GPT-NeoX and Pythia: parallel branches, layer norms, biases (Black et al. 2022).
    GptNeox,
}

/// What a family says of itself.
pub(super) struct Kin {
    /// What `transformers` call it.
    pub model_type: &'static str,
    /// The class of `transformers` with a head.
    pub class: &'static str,
    /// The keys that not all families have, and this one has.
    pub reads: &'static [&'static str],
    pub activation: Activation,
    /// The share of each head that is rotated by default.
    pub rotary_share: f64,
    /// What the epsilon of the norms is called.
    pub norm_key: &'static str,
    pub parts: fn(&DecoderConfig) -> Parts,
    pub entries: fn(&DecoderConfig, &LanguageShape) -> Vec<Entry>,
    pub read: fn(&mut Reader) -> (DecoderConfig, LanguageShape),
}

/// The names of what stands at both ends.
pub(super) struct Ends {
    /// The tensor of the embedding.
    pub table: &'static str,
    /// The layer that gives the logits.
    pub head: &'static str,
}

/// The values of `model_type`.
pub(super) const MODEL_TYPES: [&str; 11] = [
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3_text",
    "phi3",
    "smollm3",
    "olmo2",
    "mixtral",
    "qwen3_moe",
    "gpt_neox",
];

/// The classes whose weights are read.
pub(super) const CLASSES: [&str; 22] = [
    "MistralForCausalLM",
    "MistralModel",
    "Qwen2ForCausalLM",
    "Qwen2Model",
    "Qwen3ForCausalLM",
    "Qwen3Model",
    "Gemma2ForCausalLM",
    "Gemma2Model",
    "Gemma3ForCausalLM",
    "Gemma3TextModel",
    "Phi3ForCausalLM",
    "Phi3Model",
    "SmolLM3ForCausalLM",
    "SmolLM3Model",
    "Olmo2ForCausalLM",
    "Olmo2Model",
    "MixtralForCausalLM",
    "MixtralModel",
    "Qwen3MoeForCausalLM",
    "Qwen3MoeModel",
    "GPTNeoXForCausalLM",
    "GPTNeoXModel",
];

impl DecoderFamily {
    /// All of them.
    pub(super) const ALL: [Self; 11] = [
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma2,
        Self::Gemma3,
        Self::Phi3,
        Self::Smollm3,
        Self::Olmo2,
        Self::Mixtral,
        Self::Qwen3Moe,
        Self::GptNeox,
    ];

    pub(super) fn kin(self) -> &'static Kin {
        match self {
            Self::Mistral => &mistral::MISTRAL,
            Self::Qwen2 => &qwen::QWEN2,
            Self::Qwen3 => &qwen::QWEN3,
            Self::Gemma2 => &gemma::GEMMA2,
            Self::Gemma3 => &gemma::GEMMA3,
            Self::Phi3 => &phi::PHI3,
            Self::Smollm3 => &smollm::SMOLLM3,
            Self::Olmo2 => &olmo::OLMO2,
            Self::Mixtral => &mixture::MIXTRAL,
            Self::Qwen3Moe => &mixture::QWEN3_MOE,
            Self::GptNeox => &neox::GPT_NEOX,
        }
    }

    /// Whether this block attends to all tokens although there is a window, unless something else is said.
    pub(super) fn is_usually_global(self, layer: usize) -> bool {
        match self {
            Self::Gemma2 => layer % 2 == 1,
            Self::Gemma3 => layer % 6 == 5,
            _ => false,
        }
    }

    /// Whether this block rotates nothing, unless something else is said.
    pub(super) fn is_usually_unturned(self, layer: usize) -> bool {
        self == Self::Smollm3 && layer % 4 == 3
    }

    pub(super) fn ends(self) -> Ends {
        match self {
            Self::GptNeox => neox::ENDS,
            _ => Ends {
                table: "model.embed_tokens.weight",
                head: "lm_head",
            },
        }
    }

    /// The family's own name of a tensor of the core.
    pub(super) fn torch_name(self, path: String) -> String {
        match self {
            Self::GptNeox => neox::torch_name(&path),
            Self::Mixtral => mixture::mixtral_name(&path),
            Self::Qwen3Moe => path.replace(".moe.", ".mlp."),
            _ => path,
        }
    }

    /// The name in the class with a head of a tensor that is called `name` there or in the class
    /// without, which leaves out the prefix. `None` for the speeds of the rotations and for masks,
    /// which older files hold.
    pub(super) fn canonical_name(self, name: &str) -> Option<String> {
        if name.ends_with("rotary_emb.inv_freq") {
            return None;
        }
        if self == Self::GptNeox {
            return neox::canonical_name(name);
        }
        let starts = ["embed_tokens.", "layers.", "norm."];
        let is_bare = starts.iter().any(|start| name.starts_with(start));
        Some(match is_bare {
            true => format!("model.{name}"),
            false => name.to_owned(),
        })
    }
}
