//! Qwen: the blocks of Llama, with biases of queries, keys and values (2 and 2.5), or with norms of
//! queries and keys (3). Blocks from some number on may attend to a window.
//!
//! - Yang et al. 2024, *Qwen2 Technical Report*, section 2.2,
//!   [arXiv:2407.10671](https://arxiv.org/abs/2407.10671)
//! - Yang et al. 2025, *Qwen3 Technical Report*, section 2,
//!   [arXiv:2505.09388](https://arxiv.org/abs/2505.09388)

use super::{DecoderFamily, Kin};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, global_layers, usual_entries, window_entries};
use crate::language::decoder::parts::{Biases, Parts, QueryNorm};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const QWEN2: Kin = Kin {
    model_type: "qwen2",
    class: "Qwen2ForCausalLM",
    reads: &["kv_heads", "head_width", "window", "global_layers"],
    activation: Activation::Silu,
    rotary_share: 1.0,
    norm_key: "rms_norm_eps",
    parts: parts2,
    entries,
    read: read2,
};

pub(super) const QWEN3: Kin = Kin {
    model_type: "qwen3",
    class: "Qwen3ForCausalLM",
    parts: parts3,
    read: read3,
    ..QWEN2
};

const USUAL2: Usual = Usual {
    family: DecoderFamily::Qwen2,
    vocabulary: 151_936,
    width: 4096,
    mlp_width: 22_016,
    layers: 32,
    heads: 32,
    kv_heads: Some(32),
    head_width: None,
    context_length: 32_768,
    norm_eps: 1e-6,
    rope_theta: 10_000.0,
    ties: false,
    activation: "hidden_act",
};

pub(super) const USUAL3: Usual = Usual {
    family: DecoderFamily::Qwen3,
    head_width: Some(128),
    ..USUAL2
};

fn parts2(config: &DecoderConfig) -> Parts {
    Parts {
        biases: Biases {
            projection: true,
            ..Biases::default()
        },
        ..config.plain()
    }
}

pub(super) fn parts3(config: &DecoderConfig) -> Parts {
    Parts {
        query_norm: Some(QueryNorm::Heads),
        ..config.plain()
    }
}

fn entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = usual_entries(config, shape);
    entries.extend(window_entries(config));
    let has_window = config.window.is_some();
    entries.push(Entry::new("use_sliding_window", "window", has_window).not_compared());
    // Older versions know no `layer_types`, and take the blocks from this number on.
    let global = config.global();
    let first = config.blocks().find(|layer| !global.contains(layer));
    let first = first.filter(|_| has_window).unwrap_or(config.layers);
    entries.push(Entry::new("max_window_layers", "global_layers", first).not_compared());
    entries
}

fn read2(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    let (config, shape) = USUAL2.read(reader);
    (windowed(config, reader), shape)
}

fn read3(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    reader.require("attention_bias", false);
    let (config, shape) = USUAL3.read(reader);
    (windowed(config, reader), shape)
}

/// The window, which there is only where a flag says so.
fn windowed(mut config: DecoderConfig, reader: &mut Reader) -> DecoderConfig {
    let window = reader.count_or_none("sliding_window", Some(4096));
    let from = reader.count("max_window_layers", 28);
    let listed = global_layers(reader, config.layers);
    let has_window = reader.flag("use_sliding_window", false);
    let window = window.filter(|_| has_window);
    let is_local = |global: &Vec<usize>| global.len() < config.layers;
    if window.is_none() && listed.as_ref().is_some_and(is_local) {
        let message = "names blocks of \"sliding_attention\", but use_sliding_window and sliding_window give no window";
        reader.problem("layer_types", message.into());
    }
    if window.is_some() {
        let usual = || config.blocks().filter(|layer| *layer < from).collect();
        let global: Vec<usize> = listed.unwrap_or_else(usual);
        // A window that no block has is none.
        config.window = window.filter(|_| global.len() < config.layers);
        config.global_layers = config.window.map(|_| global);
    }
    config
}
