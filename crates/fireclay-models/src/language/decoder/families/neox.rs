//! GPT-NeoX and Pythia: attention and MLP read the same and are added at once; layer norms, biases, an
//! MLP without a gate, and a quarter of each head is rotated.
//!
//! Black et al. 2022, *GPT-NeoX-20B*, section 2, [arXiv:2204.06745](https://arxiv.org/abs/2204.06745)

use super::{DecoderFamily, Ends, Kin};
use crate::hugging_face::{Entry, Reader};
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, sizes};
use crate::language::decoder::parts::{Biases, MlpKind, Parts, Projection, Residual};
use crate::language::decoder::words::{Known, Turning, scaling_entry};
use crate::layers::activation::Activation;
use crate::layers::norm::NormStyle;
use crate::shape::LanguageShape;

pub(super) const GPT_NEOX: Kin = Kin {
    model_type: "gpt_neox",
    class: "GPTNeoXForCausalLM",
    reads: &["rotary_share", "parallel"],
    activation: Activation::Gelu,
    rotary_share: 0.25,
    norm_key: "layer_norm_eps",
    parts,
    entries,
    read,
};

const USUAL: Usual = Usual {
    family: DecoderFamily::GptNeox,
    vocabulary: 50_432,
    width: 6144,
    mlp_width: 24_576,
    layers: 44,
    heads: 64,
    kv_heads: None,
    head_width: None,
    context_length: 2048,
    norm_eps: 1e-5,
    rope_theta: 10_000.0,
    ties: false,
    activation: "hidden_act",
};

pub(super) const ENDS: Ends = Ends {
    table: "gpt_neox.embed_in.weight",
    head: "embed_out",
};

fn parts(config: &DecoderConfig) -> Parts {
    Parts {
        norm: NormStyle::Layer,
        residual: match config.parallel() {
            true => Residual::Parallel,
            false => Residual::Before,
        },
        projection: Projection::ByHead,
        biases: Biases {
            projection: true,
            output: true,
            mlp: true,
        },
        mlp: MlpKind::Plain,
        ..config.plain()
    }
}

fn entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = sizes(config, shape);
    let parallel = config.parallel();
    entries.extend([
        Entry::activation("hidden_act", config.activation()),
        Entry::new("rotary_emb_base", "rope_theta", config.rope_theta),
        Entry::new("rotary_pct", "rotary_share", config.rotary_share()),
        scaling_entry(config.rope_scaling.as_ref()),
        Entry::new("use_parallel_residual", "parallel", parallel),
    ]);
    entries
}

fn read(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    reader.require("attention_bias", true);
    let context = reader.count("max_position_embeddings", USUAL.context_length);
    let known = Known {
        may_be_partial: true,
        ..Known::usual(context)
    };
    let usual = Turning {
        theta: reader.number("rotary_emb_base", USUAL.rope_theta),
        share: reader.number("rotary_pct", GPT_NEOX.rotary_share),
        scaling: None,
    };
    let turning = usual.read_objects(reader, known);
    // Other families' names, which the class does not look at.
    for (key, taken) in [
        ("rope_theta", turning.theta),
        ("partial_rotary_factor", turning.share),
    ] {
        let found = reader.number(key, taken);
        if found != taken {
            let message = format!("is {found}, but {taken} by the keys that the class reads");
            reader.problem(key, message);
        }
    }
    let (mut config, shape) = USUAL.read_with(reader, context, turning);
    config.parallel = Some(reader.flag("use_parallel_residual", true));
    (config, shape)
}

/// The names of the core, and those of this family.
const NAMES: [(&str, &str); 8] = [
    ("model.embed_tokens.", "gpt_neox.embed_in."),
    ("model.norm.", "gpt_neox.final_layer_norm."),
    ("model.layers.", "gpt_neox.layers."),
    (".self_attn.qkv_proj.", ".attention.query_key_value."),
    (".self_attn.o_proj.", ".attention.dense."),
    (".mlp.up_proj.", ".mlp.dense_h_to_4h."),
    (".mlp.down_proj.", ".mlp.dense_4h_to_h."),
    ("lm_head.", "embed_out."),
];

pub(super) fn torch_name(path: &str) -> String {
    let renamed = |name: String, (core, own): &(&str, &str)| name.replace(core, own);
    NAMES.iter().fold(path.to_owned(), renamed)
}

/// The class without a head leaves out the prefix; older files hold masks.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let masks = [".attention.bias", ".attention.masked_bias"];
    if masks.iter().any(|mask| name.ends_with(mask)) {
        return None;
    }
    let starts = ["embed_in.", "layers.", "final_layer_norm."];
    let is_bare = starts.iter().any(|start| name.starts_with(start));
    Some(match is_bare {
        true => format!("gpt_neox.{name}"),
        false => name.to_owned(),
    })
}
