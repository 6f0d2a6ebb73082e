//! Mixtures of experts: Mistral's and Qwen3's blocks, with several MLPs of which each token goes
//! through some.
//!
//! - Jiang et al. 2024, *Mixtral of Experts*, section 2, [arXiv:2401.04088](https://arxiv.org/abs/2401.04088)
//! - Yang et al. 2025, *Qwen3 Technical Report*, section 2,
//!   [arXiv:2505.09388](https://arxiv.org/abs/2505.09388)
//!
//! The router learns by the loss alone: the loss that balances experts is off in `transformers`, too,
//! unless it is asked for.

use serde_json::json;

use super::mistral::{MISTRAL, USUAL as USUAL_MISTRAL};
use super::qwen::{QWEN3, USUAL3, parts3};
use super::{DecoderFamily, Kin};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, usual_entries};
use crate::language::decoder::parts::{Experts, Parts};
use crate::shape::LanguageShape;

pub(super) const MIXTRAL: Kin = Kin {
    model_type: "mixtral",
    class: "MixtralForCausalLM",
    reads: &[
        "kv_heads",
        "head_width",
        "window",
        "experts",
        "chosen_experts",
    ],
    parts: mixtral,
    entries: mixtral_entries,
    read: read_mixtral,
    ..MISTRAL
};

pub(super) const QWEN3_MOE: Kin = Kin {
    model_type: "qwen3_moe",
    class: "Qwen3MoeForCausalLM",
    reads: &[
        "kv_heads",
        "head_width",
        "window",
        "experts",
        "chosen_experts",
        "shares_sum_to_one",
    ],
    parts: qwen3,
    entries: qwen3_entries,
    read: read_qwen3,
    ..QWEN3
};

const USUAL_MIXTRAL: Usual = Usual {
    family: DecoderFamily::Mixtral,
    norm_eps: 1e-5,
    rope_theta: 1_000_000.0,
    ..USUAL_MISTRAL
};

const USUAL_QWEN3: Usual = Usual {
    family: DecoderFamily::Qwen3Moe,
    width: 2048,
    mlp_width: 768,
    layers: 24,
    kv_heads: Some(4),
    head_width: None,
    ..USUAL3
};

/// The experts of a configuration, of which Mixtral has eight and chooses two.
fn experts(config: &DecoderConfig, sums_to_one: bool) -> Option<Experts> {
    Some(Experts {
        count: config.experts(),
        chosen: config.chosen_experts(),
        sums_to_one,
    })
}

fn mixtral(config: &DecoderConfig) -> Parts {
    Parts {
        experts: experts(config, true),
        ..config.plain()
    }
}

fn qwen3(config: &DecoderConfig) -> Parts {
    Parts {
        experts: experts(config, config.shares_sum_to_one()),
        ..parts3(config)
    }
}

fn mixtral_entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = usual_entries(config, shape);
    entries.extend([
        Entry::new("sliding_window", "window", json!(config.window)),
        Entry::new("num_local_experts", "experts", config.experts()),
        Entry::new(
            "num_experts_per_tok",
            "chosen_experts",
            config.chosen_experts(),
        ),
    ]);
    entries
}

fn qwen3_entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let sums = config.shares_sum_to_one();
    let mut entries = usual_entries(config, shape);
    entries.extend([
        Entry::new("sliding_window", "window", json!(config.window)),
        Entry::new("use_sliding_window", "window", config.window.is_some()).not_compared(),
        Entry::new("moe_intermediate_size", "mlp_width", config.mlp_width),
        Entry::new("num_experts", "experts", config.experts()),
        Entry::new(
            "num_experts_per_tok",
            "chosen_experts",
            config.chosen_experts(),
        ),
        Entry::new("norm_topk_prob", "shares_sum_to_one", sums),
    ]);
    entries
}

fn read_mixtral(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    let (mut config, shape) = USUAL_MIXTRAL.read(reader);
    config.window = reader.count_or_none("sliding_window", None);
    config.experts = Some(reader.count("num_local_experts", 8));
    config.chosen_experts = Some(reader.count("num_experts_per_tok", 2));
    (config, shape)
}

fn read_qwen3(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    reader.require("attention_bias", false);
    // Blocks with an MLP of their own kind between those of experts.
    reader.require("decoder_sparse_step", 1);
    reader.require("mlp_only_layers", json!([]));
    let (mut config, shape) = USUAL_QWEN3.read(reader);
    config.mlp_width = reader.count("moe_intermediate_size", USUAL_QWEN3.mlp_width);
    let window = reader.count_or_none("sliding_window", Some(4096));
    let has_window = reader.flag("use_sliding_window", false);
    config.window = window.filter(|_| has_window);
    // Newer versions write the name that Mixtral has.
    let experts = reader.count("num_local_experts", 128);
    config.experts = Some(reader.count("num_experts", experts));
    config.chosen_experts = Some(reader.count("num_experts_per_tok", 8));
    config.shares_sum_to_one = Some(reader.flag("norm_topk_prob", false));
    (config, shape)
}

/// Mixtral's own names of the layers of an expert, and of the experts together.
const NAMES: [(&str, &str); 4] = [
    (".gate_proj.", ".w1."),
    (".up_proj.", ".w3."),
    (".down_proj.", ".w2."),
    (".moe.", ".block_sparse_moe."),
];

pub(super) fn mixtral_name(path: &str) -> String {
    let renamed = |name: String, (core, own): &(&str, &str)| name.replace(core, own);
    NAMES.iter().fold(path.to_owned(), renamed)
}
