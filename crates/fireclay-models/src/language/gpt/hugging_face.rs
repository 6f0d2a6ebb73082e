//! The model in the words of Hugging Face's `GPT2Config`.

use serde_json::Value;

use super::config::GptConfig;
use crate::family::Architecture;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const GPT2: HuggingFaceClass<GptConfig, LanguageShape> = HuggingFaceClass {
    model_types: &["gpt2"],
    classes: &["GPT2LMHeadModel", "GPT2Model"],
    entries: GptConfig::entries,
    document: GptConfig::hugging_face,
    read: GptConfig::from_hugging_face,
};

impl GptConfig {
    /// `GPT2LMHeadModel` always has biases.
    fn hugging_face(&self, shape: &LanguageShape) -> Option<Value> {
        let document = || document("GPT2LMHeadModel", self.entries(shape));
        self.bias.then(document).flatten()
    }

    fn entries(&self, shape: &LanguageShape) -> Vec<Entry> {
        let sizes = self.sizes();
        let context_length = self.context_length();
        let dropout = |key| Entry::new(key, "dropout", self.dropout).not_compared();
        vec![
            Entry::model_type("gpt2", "gpt"),
            Entry::new("n_layer", "layers", sizes.layers),
            Entry::new("n_head", "heads", sizes.heads),
            Entry::new("n_embd", "width", sizes.width),
            Entry::new("n_inner", "mlp_width", sizes.mlp_width),
            Entry::new("n_positions", "context_length", context_length).not_compared(),
            Entry::activation("activation_function", self.activation),
            Entry::new("layer_norm_epsilon", "norm_eps", self.norm_eps),
            Entry::new("tie_word_embeddings", "tie_embeddings", self.tie_embeddings),
            Entry::new("vocab_size", "vocabulary", shape.vocabulary).not_compared(),
            dropout("resid_pdrop"),
            dropout("embd_pdrop"),
            dropout("attn_pdrop"),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, LanguageShape) {
        reader.require("scale_attn_weights", true);
        reader.require("scale_attn_by_inverse_layer_idx", false);
        reader.require("add_cross_attention", false);
        let width = reader.count("n_embd", 768);
        let config = Self {
            size: None,
            layers: Some(reader.count("n_layer", 12)),
            heads: Some(reader.count("n_head", 12)),
            width: Some(width),
            mlp_width: Some(reader.count("n_inner", width.saturating_mul(4))),
            context_length: Some(reader.count("n_positions", 1024)),
            dropout: reader.number("resid_pdrop", 0.1),
            bias: true,
            activation: reader.activation("activation_function", Activation::GeluTanh),
            tie_embeddings: reader.flag("tie_word_embeddings", true),
            norm_eps: reader.number("layer_norm_epsilon", 1e-5),
        };
        let vocabulary = reader.count("vocab_size", 50_257);
        (config, LanguageShape { vocabulary })
    }
}
