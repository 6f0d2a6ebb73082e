//! OLMo 2: the blocks of Llama, with norms after each branch instead of before, and norms of the
//! queries and keys of all heads together.
//!
//! OLMo Team 2024, *2 OLMo 2 Furious*, section 3.2, [arXiv:2501.00656](https://arxiv.org/abs/2501.00656)

use super::{DecoderFamily, Kin};
use crate::hugging_face::Reader;
use crate::language::decoder::config::DecoderConfig;
use crate::language::decoder::hugging_face::{Usual, usual_entries};
use crate::language::decoder::parts::{Parts, QueryNorm, Residual};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const OLMO2: Kin = Kin {
    model_type: "olmo2",
    class: "Olmo2ForCausalLM",
    reads: &["kv_heads", "head_width"],
    activation: Activation::Silu,
    rotary_share: 1.0,
    norm_key: "rms_norm_eps",
    parts,
    entries: usual_entries,
    read,
};

const USUAL: Usual = Usual {
    family: DecoderFamily::Olmo2,
    vocabulary: 50_304,
    width: 4096,
    mlp_width: 11_008,
    layers: 32,
    heads: 32,
    kv_heads: None,
    head_width: None,
    context_length: 2048,
    norm_eps: 1e-5,
    rope_theta: 10_000.0,
    ties: false,
    activation: "hidden_act",
};

fn parts(config: &DecoderConfig) -> Parts {
    Parts {
        residual: Residual::After,
        query_norm: Some(QueryNorm::Whole),
        ..config.plain()
    }
}

fn read(reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
    reader.require("attention_bias", false);
    USUAL.read(reader)
}
