//! The model in the words of Hugging Face's `LlamaConfig`.

use serde_json::Value;

use super::config::LlamaConfig;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document};
use crate::language::decoder::{Known, RopeScaling, Turning, scaling_entry};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const LLAMA: HuggingFaceClass<LlamaConfig, LanguageShape> = HuggingFaceClass {
    model_types: &["llama"],
    classes: &["LlamaForCausalLM", "LlamaModel"],
    entries: LlamaConfig::entries,
    document: LlamaConfig::hugging_face,
    read: LlamaConfig::from_hugging_face,
};

impl LlamaConfig {
    fn hugging_face(&self, shape: &LanguageShape) -> Option<Value> {
        let mut entries = self.entries(shape);
        entries.push(Entry::activation("hidden_act", Activation::Silu));
        document("LlamaForCausalLM", entries)
    }

    fn entries(&self, shape: &LanguageShape) -> Vec<Entry> {
        let scaling = self.rope_scaling.as_ref();
        // Rotations that grow with the text do so beyond this length.
        let grows_at = scaling.and_then(RopeScaling::longest).unwrap_or(0);
        let context = self.context_length.max(grows_at);
        vec![
            Entry::model_type("llama", "llama"),
            Entry::new("num_hidden_layers", "layers", self.layers),
            Entry::new("num_attention_heads", "heads", self.heads),
            Entry::new("num_key_value_heads", "kv_heads", self.kv_heads()),
            Entry::new("hidden_size", "width", self.width),
            Entry::new("intermediate_size", "mlp_width", self.mlp_width),
            // Rotations are computed for any length, so weights know none.
            Entry::new("max_position_embeddings", "context_length", context).not_compared(),
            Entry::new("rope_theta", "rope_theta", self.rope_theta),
            scaling_entry(self.rope_scaling.as_ref()),
            Entry::new("rms_norm_eps", "norm_eps", self.norm_eps),
            Entry::new("tie_word_embeddings", "tie_embeddings", self.tie_embeddings),
            Entry::new("vocab_size", "vocabulary", shape.vocabulary).not_compared(),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, LanguageShape) {
        for key in ["attention_bias", "mlp_bias"] {
            reader.require(key, false);
        }
        reader.require("sliding_window", Value::Null);
        if reader.activation("hidden_act", Activation::Silu) != Activation::Silu
            && let Some(found) = reader.get("hidden_act")
        {
            reader.refuse("hidden_act", found);
        }
        let heads = reader.count("num_attention_heads", 32);
        let context_length = reader.count("max_position_embeddings", 2048);
        let turning = Turning::plain(10_000.0).read(reader, Known::usual(context_length));
        let config = Self {
            layers: reader.count("num_hidden_layers", 32),
            heads,
            kv_heads: Some(reader.count("num_key_value_heads", heads)),
            width: reader.count("hidden_size", 4096),
            mlp_width: reader.count("intermediate_size", 11_008),
            context_length: turning.context(context_length),
            rope_theta: turning.theta,
            rope_scaling: turning.scaling,
            norm_eps: reader.number("rms_norm_eps", 1e-6),
            tie_embeddings: reader.flag("tie_word_embeddings", false),
        };
        reader.require("head_dim", config.head_width());
        let vocabulary = reader.count("vocab_size", 32_000);
        (config, LanguageShape { vocabulary })
    }
}
