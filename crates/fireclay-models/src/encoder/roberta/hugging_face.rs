//! The model in the words of Hugging Face's `RobertaConfig`, and of those that are the same in all but
//! their tokenizer.

use serde_json::Value;

use super::RobertaConfig;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document, labels};
use crate::layers::activation::Activation;
use crate::shape::EncoderShape;

const CLASSIFIER: &str = "RobertaForSequenceClassification";

pub(super) const ROBERTA: HuggingFaceClass<RobertaConfig, EncoderShape> = HuggingFaceClass {
    model_types: &["roberta", "xlm-roberta", "camembert"],
    classes: &[
        "RobertaForMaskedLM",
        CLASSIFIER,
        "RobertaModel",
        "XLMRobertaForMaskedLM",
        "XLMRobertaForSequenceClassification",
        "XLMRobertaModel",
        "CamembertForMaskedLM",
        "CamembertForSequenceClassification",
        "CamembertModel",
    ],
    entries: RobertaConfig::entries,
    document: RobertaConfig::hugging_face,
    read: RobertaConfig::from_hugging_face,
};

impl RobertaConfig {
    fn hugging_face(&self, shape: &EncoderShape) -> Option<Value> {
        let mut entries = self.entries(shape);
        let Some(outputs) = shape.outputs else {
            return document("RobertaForMaskedLM", entries);
        };
        entries.extend(labels(outputs));
        document(CLASSIFIER, entries)
    }

    fn entries(&self, shape: &EncoderShape) -> Vec<Entry> {
        let sizes = self.sizes();
        let positions = self.first_position.saturating_add(self.context_length);
        let dropout = |key| Entry::new(key, "dropout", self.dropout).not_compared();
        vec![
            Entry::model_type("roberta", "roberta").or(&["xlm-roberta", "camembert"]),
            Entry::new("num_hidden_layers", "layers", sizes.layers),
            Entry::new("num_attention_heads", "heads", sizes.heads),
            Entry::new("hidden_size", "width", sizes.width),
            Entry::new("intermediate_size", "mlp_width", sizes.mlp_width),
            // The class counts positions from the number of its padding.
            Entry {
                own: self.first_position.into(),
                ..Entry::new(
                    "pad_token_id",
                    "first_position",
                    self.first_position.saturating_sub(1),
                )
            },
            Entry {
                own: self.context_length.into(),
                ..Entry::new("max_position_embeddings", "context_length", positions)
            }
            .not_compared(),
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
        let class = reader.class().unwrap_or_default();
        let classifies = class.ends_with("ForSequenceClassification");
        if !classifies {
            reader.require("tie_word_embeddings", true);
        }
        let padding = reader.count("pad_token_id", 1);
        let first_position = padding.saturating_add(1);
        let positions = reader.count("max_position_embeddings", 512);
        if positions <= first_position {
            let message = format!("is {positions}, of which {first_position} belong to no token");
            reader.problem("max_position_embeddings", message);
        }
        let config = Self {
            layers: reader.count("num_hidden_layers", 12),
            heads: reader.count("num_attention_heads", 12),
            width: reader.count("hidden_size", 768),
            mlp_width: Some(reader.count("intermediate_size", 3072)),
            context_length: positions.saturating_sub(first_position).max(1),
            first_position,
            token_types: reader.count("type_vocab_size", 2),
            dropout: reader.number("hidden_dropout_prob", 0.1),
            activation: reader.activation("hidden_act", Activation::Gelu),
            norm_eps: reader.number("layer_norm_eps", 1e-12),
        };
        let shape = EncoderShape {
            vocabulary: reader.count("vocab_size", 50_265),
            outputs: classifies.then(|| reader.classes()),
        };
        (config, shape)
    }
}
