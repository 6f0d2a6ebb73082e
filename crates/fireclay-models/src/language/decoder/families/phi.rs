//! Phi-3 and Phi-4: the blocks of Llama, with one layer for queries, keys and values and one for both
//! halves of the MLP, and heads of which a share may be rotated.
//!
//! - Abdin et al. 2024, *Phi-3 Technical Report*, section 2,
//!   [arXiv:2404.14219](https://arxiv.org/abs/2404.14219)
//! - Abouelenin et al. 2025, *Phi-4-Mini Technical Report*, section 2,
//!   [arXiv:2503.01743](https://arxiv.org/abs/2503.01743)

use serde_json::json;

use super::{DecoderFamily, Kin};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, usual_entries};
use crate::language::decoder::parts::{Parts, Projection};
use crate::language::decoder::scaling::RopeScaling;
use crate::language::decoder::words::{Known, Turning};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const PHI3: Kin = Kin {
    model_type: "phi3",
    class: "Phi3ForCausalLM",
    reads: &["kv_heads", "head_width", "window", "rotary_share"],
    activation: Activation::Silu,
    rotary_share: 1.0,
    norm_key: "rms_norm_eps",
    parts,
    entries,
    read,
};

const USUAL: Usual = Usual {
    family: DecoderFamily::Phi3,
    vocabulary: 32_064,
    width: 3072,
    mlp_width: 8192,
    layers: 32,
    heads: 32,
    kv_heads: None,
    head_width: None,
    context_length: 4096,
    norm_eps: 1e-5,
    rope_theta: 10_000.0,
    ties: false,
    activation: "hidden_act",
};

fn parts(config: &DecoderConfig) -> Parts {
    Parts {
        projection: Projection::Joined,
        ..config.plain()
    }
}

fn entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let share = config.rotary_share();
    let mut entries = usual_entries(config, shape);
    entries.extend([
        Entry::new("sliding_window", "window", json!(config.window)),
        Entry::new("partial_rotary_factor", "rotary_share", share),
    ]);
    // The class takes it from here, whatever the rotations say.
    if let Some(RopeScaling::Longrope {
        original_length, ..
    }) = config.rope_scaling
    {
        let key = "original_max_position_embeddings";
        entries.push(Entry::new(key, "rope_scaling", original_length));
    }
    entries
}

fn read(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    let context = reader.count("max_position_embeddings", USUAL.context_length);
    let known = Known {
        original: Some(reader.count("original_max_position_embeddings", 4096)),
        may_be_partial: true,
        has_older_names: true,
        ..Known::usual(context)
    };
    let turning = Turning::plain(USUAL.rope_theta).read(reader, known);
    let (mut config, shape) = USUAL.read_with(reader, context, turning);
    config.window = reader.count_or_none("sliding_window", None);
    (config, shape)
}
