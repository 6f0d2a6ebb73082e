//! The model in the words of Hugging Face's `BertConfig`.

use serde_json::Value;

use super::config::BertConfig;
use crate::family::Architecture;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document, labels};
use crate::layers::activation::Activation;
use crate::shape::EncoderShape;

const CLASSIFIER: &str = "BertForSequenceClassification";

pub(super) const BERT: HuggingFaceClass<BertConfig, EncoderShape> = HuggingFaceClass {
    model_types: &["bert"],
    classes: &[
        "BertForMaskedLM",
        "BertForPreTraining",
        CLASSIFIER,
        "BertModel",
    ],
    entries: BertConfig::entries,
    document: BertConfig::hugging_face,
    read: BertConfig::from_hugging_face,
};

impl BertConfig {
    fn hugging_face(&self, shape: &EncoderShape) -> Option<Value> {
        let mut entries = self.entries(shape);
        let Some(outputs) = shape.outputs else {
            return document("BertForMaskedLM", entries);
        };
        entries.extend(labels(outputs));
        document(CLASSIFIER, entries)
    }

    fn entries(&self, shape: &EncoderShape) -> Vec<Entry> {
        let sizes = self.sizes();
        let context_length = self.context_length();
        let dropout = |key| Entry::new(key, "dropout", self.dropout).not_compared();
        vec![
            Entry::model_type("bert", "bert"),
            Entry::new("num_hidden_layers", "layers", sizes.layers),
            Entry::new("num_attention_heads", "heads", sizes.heads),
            Entry::new("hidden_size", "width", sizes.width),
            Entry::new("intermediate_size", "mlp_width", sizes.mlp_width),
            Entry::new("max_position_embeddings", "context_length", context_length).not_compared(),
            Entry::new("type_vocab_size", "token_types", self.token_types),
            Entry::activation("hidden_act", self.activation),
            Entry::new("layer_norm_eps", "norm_eps", self.norm_eps),
            Entry::new("vocab_size", "vocabulary", shape.vocabulary).not_compared(),
            dropout("hidden_dropout_prob"),
            dropout("attention_probs_dropout_prob"),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, EncoderShape) {
        for key in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] {
            reader.require(key, false);
        }
        reader.require("position_embedding_type", "absolute");
        let classifies = reader.class() == Some(CLASSIFIER);
        if !classifies {
            reader.require("tie_word_embeddings", true);
        }
        let config = Self {
            size: None,
            layers: Some(reader.count("num_hidden_layers", 12)),
            heads: Some(reader.count("num_attention_heads", 12)),
            width: Some(reader.count("hidden_size", 768)),
            mlp_width: Some(reader.count("intermediate_size", 3072)),
            context_length: Some(reader.count("max_position_embeddings", 512)),
            token_types: reader.count("type_vocab_size", 2),
            dropout: reader.number("hidden_dropout_prob", 0.1),
            activation: reader.activation("hidden_act", Activation::Gelu),
            norm_eps: reader.number("layer_norm_eps", 1e-12),
        };
        let shape = EncoderShape {
            vocabulary: reader.count("vocab_size", 30_522),
            outputs: classifies.then(|| reader.classes()),
        };
        (config, shape)
    }
}
