//! The model in the words of Hugging Face's `T5Config`, and of `MT5Config`, whose models are those of version 1.1.

use serde_json::{Value, json};

use super::config::T5Config;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, activation_of, document, word};
use crate::layers::activation::Activation;
use crate::shape::TranslationShape;

const CLASS: &str = "T5ForConditionalGeneration";

pub(super) const T5_CLASS: HuggingFaceClass<T5Config, TranslationShape> = HuggingFaceClass {
    model_types: &["t5", "mt5"],
    // The last is what the first was once called.
    classes: &[CLASS, "MT5ForConditionalGeneration", "T5WithLMHeadModel"],
    entries: T5Config::entries,
    document: |config, shape| document(CLASS, config.entries(shape)),
    read: T5Config::from_hugging_face,
};

impl T5Config {
    fn entries(&self, shape: &TranslationShape) -> Vec<Entry> {
        let [encoder, decoder] = self.depths();
        let mlp = |name, own| Entry {
            own,
            ..Entry::new("feed_forward_proj", name, json!(self.mlp_word()))
        };
        let mut activation = mlp("activation", json!(self.activation));
        activation.value = self.mlp_word().map(Value::from);
        let context = self.context_length;
        vec![
            Entry::model_type("t5", "t5").or(&["mt5"]),
            Entry::new("is_encoder_decoder", "type", true).not_compared(),
            Entry::new("num_layers", "layers", encoder),
            Entry::new("num_decoder_layers", "decoder_layers", decoder),
            Entry::new("num_heads", "heads", self.heads),
            Entry::new("d_kv", "head_width", self.head_width),
            Entry::new("d_model", "width", self.width),
            Entry::new("d_ff", "mlp_width", self.mlp_width),
            Entry::new("relative_attention_num_buckets", "buckets", self.buckets),
            Entry::new(
                "relative_attention_max_distance",
                "max_distance",
                self.max_distance,
            ),
            mlp("gated", json!(self.gated)),
            activation,
            Entry::new("layer_norm_epsilon", "norm_eps", self.norm_eps),
            Entry::new("tie_word_embeddings", "tie_embeddings", self.tie_embeddings),
            Entry::new("dropout_rate", "dropout", self.dropout).not_compared(),
            Entry::new("vocab_size", "target_vocabulary", shape.target_vocabulary).not_compared(),
            Entry::new("n_positions", "context_length", context).not_compared(),
            Entry::new(
                "decoder_start_token_id",
                "start_token",
                json!(self.start_token),
            )
            .left_out_if_null()
            .not_compared(),
        ]
    }

    /// What the class calls each MLP; there "gated-gelu" has the approximation with tanh, and "gelu" has not.
    fn mlp_word(&self) -> Option<String> {
        match (self.gated, self.activation) {
            (false, activation) => word(activation).map(str::to_owned),
            (true, Activation::GeluTanh) => Some("gated-gelu".to_owned()),
            (true, Activation::Gelu) => Some("gated-gelu_python".to_owned()),
            (true, activation) => Some(format!("gated-{}", word(activation)?)),
        }
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, TranslationShape) {
        let is_many = reader.is("model_type", "mt5");
        reader.require("is_encoder_decoder", true);
        let usual = |small: usize, many: usize| if is_many { many } else { small };
        let layers = reader.count("num_layers", usual(6, 8));
        let (gated, activation) = mlp(reader, is_many);
        let padding = reader.count("pad_token_id", 0);
        let vocabulary = reader.count("vocab_size", usual(32_128, 250_112));
        let config = Self {
            layers,
            decoder_layers: Some(reader.count("num_decoder_layers", layers)),
            heads: reader.count("num_heads", usual(8, 6)),
            head_width: reader.count("d_kv", 64),
            width: reader.count("d_model", 512),
            mlp_width: reader.count("d_ff", usual(2048, 1024)),
            context_length: reader.count("n_positions", 512),
            buckets: reader.count("relative_attention_num_buckets", 32),
            max_distance: reader.count("relative_attention_max_distance", 128),
            dropout: reader.number("dropout_rate", 0.1),
            activation,
            gated,
            norm_eps: reader.number("layer_norm_epsilon", 1e-6),
            tie_embeddings: is_tied(reader) && !is_many,
            start_token: Some(reader.count("decoder_start_token_id", padding)),
        };
        let shape = TranslationShape {
            source_vocabulary: vocabulary,
            target_vocabulary: vocabulary,
        };
        (config, shape)
    }
}

/// Whether each MLP has a gate, and its non-linearity.
fn mlp(reader: &mut Reader, is_many: bool) -> (bool, Activation) {
    let key = "feed_forward_proj";
    let usual = if is_many { "gated-gelu" } else { "relu" };
    let found = reader.get(key).cloned().unwrap_or_else(|| json!(usual));
    let known = found.as_str().and_then(|text| match text {
        "gated-gelu" => Some((true, Activation::GeluTanh)),
        _ => {
            let gated = text.strip_prefix("gated-");
            let activation = activation_of(gated.unwrap_or(text))?;
            Some((gated.is_some(), activation))
        }
    });
    known.unwrap_or_else(|| {
        reader.refuse(key, &found);
        (false, Activation::Relu)
    })
}

/// Whether the head is the embedding. Since version 5 `transformers` writes that it is of every model, and beside it
/// whether the head reads what is scaled, which it does where the two were trained as one.
fn is_tied(reader: &mut Reader) -> bool {
    let tied = reader.flag("tie_word_embeddings", true);
    reader.flag("scale_decoder_outputs", tied)
}
