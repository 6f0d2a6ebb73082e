//! SmolLM3: the blocks of Llama, of which every fourth rotates nothing.
//!
//! - Bakouch et al. 2025, *SmolLM3: smol, multilingual, long-context reasoner*, Hugging Face
//! - blocks without rotations: Yang et al. 2025, *Rope to Nope and Back Again*,
//!   [arXiv:2501.18795](https://arxiv.org/abs/2501.18795)

use serde_json::{Value, json};

use super::{DecoderFamily, Kin};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, global_layers, same_count, usual_entries};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const SMOLLM3: Kin = Kin {
    model_type: "smollm3",
    class: "SmolLM3ForCausalLM",
    reads: &["kv_heads", "head_width", "unturned_layers"],
    activation: Activation::Silu,
    rotary_share: 1.0,
    norm_key: "rms_norm_eps",
    parts: DecoderConfig::plain,
    entries,
    read,
};

const USUAL: Usual = Usual {
    family: DecoderFamily::Smollm3,
    vocabulary: 128_256,
    width: 2048,
    mlp_width: 11_008,
    layers: 36,
    heads: 16,
    kv_heads: Some(4),
    head_width: None,
    context_length: 32_768,
    norm_eps: 1e-6,
    rope_theta: 2_000_000.0,
    ties: true,
    activation: "hidden_act",
};

fn entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let unturned = config.unturned();
    let turns = |layer: usize| u8::from(!unturned.contains(&layer));
    let turns: Vec<_> = config.blocks().map(turns).collect();
    let mut entries = usual_entries(config, shape);
    entries.push(Entry {
        own: json!(unturned),
        // Ones where blocks rotate, whatever the name says.
        ..Entry::new("no_rope_layers", "unturned_layers", json!(turns))
    });
    entries
}

fn read(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
        reader.require(key, false);
    }
    let (mut config, shape) = USUAL.read(reader);
    let every = reader.count("no_rope_layer_interval", 4).max(1);
    let usual = |layer: &usize| (layer + 1).is_multiple_of(every);
    let usual: Vec<usize> = config.blocks().filter(usual).collect();
    let turns = |value: &Value| value.as_u64().map(|turns| turns != 0);
    let key = "no_rope_layers";
    let listed = reader.list(key, "no list of counts", turns);
    let listed = listed.and_then(|listed| same_count(reader, key, listed, config.layers));
    let unturned = listed.map(|listed| {
        let numbered = listed.into_iter().enumerate();
        let unturned = numbered.filter(|(_, turns)| !turns);
        unturned.map(|(layer, _)| layer).collect()
    });
    let is_local = |global: Vec<usize>| global.len() < config.layers;
    if global_layers(reader, config.layers).is_some_and(is_local) {
        let message =
            "names blocks of \"sliding_attention\", which no model here has in this family";
        reader.problem("layer_types", message.into());
    }
    config.unturned_layers = Some(unturned.unwrap_or(usual));
    (config, shape)
}
