//! Mistral: the blocks of Llama, each of which attends to a window.
//!
//! Jiang et al. 2023, *Mistral 7B*, section 2, [arXiv:2310.06825](https://arxiv.org/abs/2310.06825)

use serde_json::json;

use super::{DecoderFamily, Kin};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, usual_entries};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const MISTRAL: Kin = Kin {
    model_type: "mistral",
    class: "MistralForCausalLM",
    reads: &["kv_heads", "head_width", "window"],
    activation: Activation::Silu,
    rotary_share: 1.0,
    norm_key: "rms_norm_eps",
    parts: DecoderConfig::plain,
    entries,
    read,
};

pub(super) const USUAL: Usual = Usual {
    family: DecoderFamily::Mistral,
    vocabulary: 32_000,
    width: 4096,
    mlp_width: 14_336,
    layers: 32,
    heads: 32,
    kv_heads: Some(8),
    head_width: None,
    context_length: 131_072,
    norm_eps: 1e-6,
    rope_theta: 10_000.0,
    ties: false,
    activation: "hidden_act",
};

fn entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = usual_entries(config, shape);
    entries.push(Entry::new("sliding_window", "window", json!(config.window)));
    entries
}

fn read(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    let (mut config, shape) = USUAL.read(reader);
    config.window = reader.count_or_none("sliding_window", Some(4096));
    if let Some(found) = reader.get("layer_types") {
        reader.refuse("layer_types", found);
    }
    (config, shape)
}
