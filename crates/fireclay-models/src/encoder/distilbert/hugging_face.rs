//! The model in the words of Hugging Face's `DistilBertConfig`.

use serde_json::Value;

use super::DistilbertConfig;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document, labels};
use crate::layers::activation::Activation;
use crate::shape::EncoderShape;

const CLASSIFIER: &str = "DistilBertForSequenceClassification";

pub(super) const DISTILBERT: HuggingFaceClass<DistilbertConfig, EncoderShape> = HuggingFaceClass {
    model_types: &["distilbert"],
    classes: &["DistilBertForMaskedLM", CLASSIFIER, "DistilBertModel"],
    entries: DistilbertConfig::entries,
    document: DistilbertConfig::hugging_face,
    read: DistilbertConfig::from_hugging_face,
};

impl DistilbertConfig {
    fn hugging_face(&self, shape: &EncoderShape) -> Option<Value> {
        let mut entries = self.entries(shape);
        let Some(outputs) = shape.outputs else {
            return document("DistilBertForMaskedLM", entries);
        };
        entries.extend(labels(outputs));
        document(CLASSIFIER, entries)
    }

    fn entries(&self, shape: &EncoderShape) -> Vec<Entry> {
        let sizes = self.sizes();
        let dropout = |key| Entry::new(key, "dropout", self.dropout).not_compared();
        vec![
            Entry::model_type("distilbert", "distilbert"),
            Entry::new("n_layers", "layers", sizes.layers),
            Entry::new("n_heads", "heads", sizes.heads),
            Entry::new("dim", "width", sizes.width),
            Entry::new("hidden_dim", "mlp_width", sizes.mlp_width),
            Entry::new(
                "max_position_embeddings",
                "context_length",
                self.context_length,
            )
            .not_compared(),
            Entry::activation("activation", self.activation),
            Entry::new("vocab_size", "vocabulary", shape.vocabulary).not_compared(),
            dropout("dropout"),
            dropout("attention_dropout"),
            dropout("seq_classif_dropout"),
        ]
    }

    /// Positions by sines are weights in the file too, so `sinusoidal_pos_embds` says nothing of them.
    fn from_hugging_face(reader: &mut Reader) -> (Self, EncoderShape) {
        let classifies = reader.class() == Some(CLASSIFIER);
        if !classifies {
            reader.require("tie_word_embeddings", true);
        }
        let mut size = |key, name, default| named(reader, [key, name], default);
        let (layers, heads, width) = (
            size("n_layers", "num_hidden_layers", 6),
            size("n_heads", "num_attention_heads", 12),
            size("dim", "hidden_size", 768),
        );
        let config = Self {
            layers,
            heads,
            width,
            mlp_width: Some(reader.count("hidden_dim", 3072)),
            context_length: reader.count("max_position_embeddings", 512),
            dropout: reader.number("dropout", 0.1),
            activation: reader.activation("activation", Activation::Gelu),
        };
        let shape = EncoderShape {
            vocabulary: reader.count("vocab_size", 30_522),
            outputs: classifies.then(|| reader.classes()),
        };
        (config, shape)
    }
}

/// A count that the class understands by two names, which must not differ.
fn named(reader: &mut Reader, [key, other]: [&str; 2], default: usize) -> usize {
    let own = reader.count(key, default);
    match reader.get(other) {
        None => own,
        Some(found) if reader.get(key).is_some() && *found != own => {
            let message = format!("is {found}, but {key} is {own}; leave one of them out");
            reader.problem(other, message);
            own
        }
        Some(_) => reader.count(other, default),
    }
}
