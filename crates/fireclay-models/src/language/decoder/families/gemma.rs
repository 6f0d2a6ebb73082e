//! Gemma 2 and 3: embeddings that grow with the root of the width, norms before and after each branch
//! whose weight is added to one, and blocks that attend to a window between those that attend to all.
//!
//! - Gemma Team 2024, *Gemma 2*, section 2, [arXiv:2408.00118](https://arxiv.org/abs/2408.00118): scores
//!   and logits are capped
//! - Gemma Team 2025, *Gemma 3*, section 2, [arXiv:2503.19786](https://arxiv.org/abs/2503.19786): queries
//!   and keys are normed instead, and local blocks have rotations of their own

use serde_json::{Value, json};

use super::{DecoderFamily, Kin, LOCAL_THETA};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, global_layers, sizes, window_entries};
use crate::language::decoder::parts::{BlockParts, Parts, QueryNorm, Residual};
use crate::language::decoder::rotary::Rope;
use crate::language::decoder::words::{DIFFER, Known, Turning, scaling_entry};
use crate::layers::activation::Activation;
use crate::layers::norm::NormStyle;
use crate::shape::LanguageShape;

pub(super) const GEMMA2: Kin = Kin {
    model_type: "gemma2",
    class: "Gemma2ForCausalLM",
    reads: &[
        "kv_heads",
        "head_width",
        "window",
        "global_layers",
        "query_scalar",
        "attention_cap",
        "logit_cap",
    ],
    activation: Activation::GeluTanh,
    rotary_share: 1.0,
    norm_key: "rms_norm_eps",
    parts: parts2,
    entries,
    read: read2,
};

pub(super) const GEMMA3: Kin = Kin {
    model_type: "gemma3_text",
    class: "Gemma3ForCausalLM",
    reads: &[
        "kv_heads",
        "head_width",
        "window",
        "global_layers",
        "query_scalar",
        "logit_cap",
        "local_rope_theta",
    ],
    parts: parts3,
    entries: entries3,
    read: read3,
    ..GEMMA2
};

const USUAL2: Usual = Usual {
    family: DecoderFamily::Gemma2,
    vocabulary: 256_000,
    width: 2304,
    mlp_width: 9216,
    layers: 26,
    heads: 8,
    kv_heads: Some(4),
    head_width: Some(256),
    context_length: 8192,
    norm_eps: 1e-6,
    rope_theta: 10_000.0,
    ties: true,
    activation: "hidden_activation",
};

const USUAL3: Usual = Usual {
    family: DecoderFamily::Gemma3,
    vocabulary: 262_208,
    context_length: 131_072,
    rope_theta: 1_000_000.0,
    ..USUAL2
};

fn parts2(config: &DecoderConfig) -> Parts {
    Parts {
        norm: NormStyle::RmsAboveOne,
        residual: Residual::Around,
        embedding_scale: Some((config.width as f64).sqrt()),
        ..config.plain()
    }
}

fn parts3(config: &DecoderConfig) -> Parts {
    let parts = parts2(config);
    let global = &parts.ropes[0];
    let local = Rope {
        theta: config.local_rope_theta(),
        width: global.width,
        scaling: None,
    };
    let block = |own: &BlockParts| BlockParts {
        rope: Some(usize::from(own.window.is_some())),
        ..*own
    };
    Parts {
        query_norm: Some(QueryNorm::Heads),
        blocks: parts.blocks.iter().map(block).collect(),
        ropes: vec![global.clone(), local],
        ..parts
    }
}

/// What both say.
fn entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = sizes(config, shape);
    entries.extend(window_entries(config));
    entries.extend([
        Entry::new("num_key_value_heads", "kv_heads", config.kv_heads()),
        Entry::new("head_dim", "head_width", config.head_width()),
        Entry::activation("hidden_activation", config.activation()),
        Entry::new("rope_theta", "rope_theta", config.rope_theta),
        scaling_entry(config.rope_scaling.as_ref()),
        Entry::new(
            "query_pre_attn_scalar",
            "query_scalar",
            scalar_value(config.query_scalar()),
        ),
        Entry::new(
            "attn_logit_softcapping",
            "attention_cap",
            json!(config.attention_cap),
        ),
        Entry::new(
            "final_logit_softcapping",
            "logit_cap",
            json!(config.logit_cap),
        ),
    ]);
    entries
}

/// A whole number as one, since `transformers` take no other.
fn scalar_value(scalar: f64) -> Value {
    match scalar.fract() == 0.0 && scalar.abs() < 1e15 {
        true => json!(scalar as i64),
        false => json!(scalar),
    }
}

fn entries3(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = entries(config, shape);
    let local = config.local_rope_theta();
    let key = "rope_local_base_freq";
    entries.push(Entry::new(key, "local_rope_theta", local));
    entries
}

fn read2(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    let (mut config, shape) = USUAL2.read(reader);
    read_both(&mut config, reader, 2);
    config.attention_cap = reader.number_or_none("attn_logit_softcapping", Some(50.0));
    config.logit_cap = reader.number_or_none("final_logit_softcapping", Some(30.0));
    (config, shape)
}

fn read3(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    let context = reader.count("max_position_embeddings", USUAL3.context_length);
    let (global, local) = turnings(reader, context);
    let (mut config, shape) = USUAL3.read_with(reader, context, global);
    let pattern = reader.count("sliding_window_pattern", 6);
    read_both(&mut config, reader, pattern.max(1));
    config.local_rope_theta = Some(local);
    config.logit_cap = reader.number_or_none("final_logit_softcapping", None);
    (config, shape)
}

/// What both read in the same way, where every `pattern`-th block is global unless a list says it.
fn read_both(config: &mut DecoderConfig, reader: &mut Reader, pattern: usize) {
    reader.require("attention_bias", false);
    reader.require("use_bidirectional_attention", false);
    let window = reader.count_or_none("sliding_window", Some(4096));
    let usual = |layer: &usize| (layer + 1).is_multiple_of(pattern);
    let usual = config.blocks().filter(usual).collect();
    let global: Vec<usize> = global_layers(reader, config.layers).unwrap_or(usual);
    if window.is_none() && global.len() < config.layers {
        reader.refuse("sliding_window", &Value::Null);
    }
    config.window = window.filter(|_| global.len() < config.layers);
    config.global_layers = config.window.map(|_| global);
    config.query_scalar = Some(reader.number("query_pre_attn_scalar", 256.0));
}

/// The rotations of global blocks, and the base of those of local ones. Newer files have an object for
/// each.
fn turnings(reader: &mut Reader, context: usize) -> (Turning, f64) {
    let known = Known::usual(context);
    let mut local = Turning::plain(reader.number("rope_local_base_freq", LOCAL_THETA));
    let mut global = Turning::plain(reader.number("rope_theta", USUAL3.rope_theta));
    let found = reader.within("rope_scaling", |inner| {
        global.clone().read_inner(inner, known)
    });
    let older = found.clone();
    global = found.unwrap_or(global);
    let newer = reader.within("rope_parameters", |outer| {
        for (key, turning) in [
            ("full_attention", &mut global),
            ("sliding_attention", &mut local),
        ] {
            let before = turning.clone();
            let found = outer.within(key, |inner| before.read_inner(inner, known));
            *turning = found.unwrap_or_else(|| turning.clone());
        }
        for (key, value) in outer.entries() {
            if !["full_attention", "sliding_attention"].contains(&key) {
                outer.refuse(key, value);
            }
        }
        if local.scaling.is_some() || local.share != 1.0 {
            let message = "stretches the rotations of local blocks, which no model here does";
            outer.problem("sliding_attention", message.into());
        }
    });
    if newer.is_some() && older.is_some_and(|older| older != global) {
        reader.problem("rope_scaling", DIFFER.into());
    }
    (global, local.theta)
}
