//! The model in the words of Hugging Face's `ModernBertConfig`.

use serde_json::{Value, json};

use super::config::{ModernbertConfig, TokenPooling};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document, labels};
use crate::language::decoder::{Known, Turning};
use crate::layers::activation::Activation;
use crate::limits::MOST_LAYERS;
use crate::shape::EncoderShape;

const CLASSIFIER: &str = "ModernBertForSequenceClassification";
const LOCAL: &str = "sliding_attention";
const GLOBAL: &str = "full_attention";

pub(super) const MODERNBERT: HuggingFaceClass<ModernbertConfig, EncoderShape> = HuggingFaceClass {
    model_types: &["modernbert"],
    classes: &["ModernBertForMaskedLM", CLASSIFIER, "ModernBertModel"],
    entries: ModernbertConfig::entries,
    document: ModernbertConfig::hugging_face,
    read: ModernbertConfig::from_hugging_face,
};

impl ModernbertConfig {
    fn hugging_face(&self, shape: &EncoderShape) -> Option<Value> {
        let mut entries = self.entries(shape);
        let class = match shape.outputs {
            None => "ModernBertForMaskedLM",
            Some(outputs) => {
                entries.extend(labels(outputs));
                CLASSIFIER
            }
        };
        let mut json = document(class, entries)?;
        // The defaults of the class are tokens that a smaller vocabulary lacks.
        for key in ["cls_token_id", "sep_token_id"] {
            json[key] = Value::Null;
        }
        Some(json)
    }

    fn entries(&self, shape: &EncoderShape) -> Vec<Entry> {
        let dropout = |key| Entry::new(key, "dropout", self.dropout).not_compared();
        let activation = |key, name, activation| Entry {
            name,
            ..Entry::activation(key, activation)
        };
        let mut entries = vec![
            Entry::model_type("modernbert", "modernbert"),
            Entry::new("num_hidden_layers", "layers", self.layers),
            Entry::new("num_attention_heads", "heads", self.heads),
            Entry::new("hidden_size", "width", self.width),
            Entry::new("intermediate_size", "mlp_width", self.mlp_width),
            // Rotations are computed for any length, so weights know none.
            Entry::new(
                "max_position_embeddings",
                "context_length",
                self.context_length,
            )
            .not_compared(),
            Entry::new("global_rope_theta", "rope_theta", self.rope_theta),
            Entry::new(
                "local_rope_theta",
                "local_rope_theta",
                self.local_rope_theta,
            ),
            activation("hidden_activation", "activation", self.activation),
            activation(
                "classifier_activation",
                "head_activation",
                self.head_activation,
            ),
            Entry::new("norm_eps", "norm_eps", self.norm_eps),
            Entry::new("vocab_size", "vocabulary", shape.vocabulary).not_compared(),
            // A model of tokens does not read it.
            Entry {
                own: json!(self.pooling),
                compared: shape.outputs.is_some(),
                ..Entry::new("classifier_pooling", "pooling", self.pooling.word())
            },
        ];
        entries.extend(self.windows());
        let rates = ["embedding_dropout", "attention_dropout", "mlp_dropout"];
        entries.extend(rates.map(dropout));
        entries.push(dropout("classifier_dropout"));
        entries
    }

    /// How long the window is, and which blocks attend to it: as newer versions of the class read it, and
    /// as older ones do where they can.
    fn windows(&self) -> Vec<Entry> {
        let (global, layers) = (self.global(), self.layers.min(MOST_LAYERS));
        let kind = |layer: usize| match global.contains(&layer) {
            true => GLOBAL,
            false => LOCAL,
        };
        let kinds: Vec<_> = (0..layers).map(kind).collect();
        let every = (1..=layers).find(|every| {
            let regular = (0..layers).step_by(*every);
            regular.eq(global.iter().copied())
        });
        vec![
            Entry::new("local_attention", "window", self.window),
            Entry {
                own: json!(global),
                ..Entry::new("layer_types", "global_layers", json!(kinds))
            },
            Entry::new("global_attn_every_n_layers", "global_layers", json!(every))
                .left_out_if_null()
                .not_compared(),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, EncoderShape) {
        for key in ["norm_bias", "attention_bias", "mlp_bias", "classifier_bias"] {
            reader.require(key, false);
        }
        reader.require("decoder_bias", true);
        let classifies = reader.class() == Some(CLASSIFIER);
        if !classifies {
            reader.require("tie_word_embeddings", true);
        }
        let layers = reader.count("num_hidden_layers", 22);
        let context_length = reader.count("max_position_embeddings", 8192);
        let [global, local] = thetas(reader, context_length);
        let config = Self {
            layers,
            heads: reader.count("num_attention_heads", 12),
            width: reader.count("hidden_size", 768),
            mlp_width: reader.count("intermediate_size", 1152),
            context_length,
            window: reader.count("local_attention", 128),
            global_layers: Some(global_layers(reader, layers)),
            rope_theta: global,
            local_rope_theta: local,
            dropout: reader.number("mlp_dropout", 0.0),
            activation: reader.activation("hidden_activation", Activation::Gelu),
            head_activation: reader.activation("classifier_activation", Activation::Gelu),
            norm_eps: reader.number("norm_eps", 1e-5),
            pooling: TokenPooling::read(reader),
        };
        config.check_derived(reader);
        let shape = EncoderShape {
            vocabulary: reader.count("vocab_size", 50_368),
            outputs: classifies.then(|| reader.classes()),
        };
        (config, shape)
    }

    /// Keys that say again what others say, and must not say anything else.
    fn check_derived(&self, reader: &mut Reader) {
        reader.require("sliding_window", self.window / 2);
        if let Some(width) = self.width.checked_div(self.heads) {
            reader.require("head_dim", width);
        }
    }
}

/// The bases of the angles of global and local blocks. Newer files have an object for each.
fn thetas(reader: &mut Reader, context: usize) -> [f64; 2] {
    let mut found = [
        ("global_rope_theta", 160_000.0),
        ("local_rope_theta", 10_000.0),
    ]
    .map(|(key, usual)| reader.number(key, usual));
    reader.require("rope_scaling", Value::Null);
    reader.within("rope_parameters", |outer| {
        for (key, theta) in [GLOBAL, LOCAL].into_iter().zip(&mut found) {
            let usual = Turning::plain(*theta);
            let inner = outer.within(key, |inner| {
                usual.clone().read_inner(inner, Known::usual(context))
            });
            let turning = inner.unwrap_or(usual);
            if turning.scaling.is_some() {
                let message = "stretches the rotations, which no model here of this type does";
                outer.problem(key, message.into());
            }
            *theta = turning.theta;
        }
        for (key, value) in outer.entries() {
            if ![GLOBAL, LOCAL].contains(&key) {
                outer.refuse(key, value);
            }
        }
    });
    found
}

/// The blocks that attend to all tokens: those of a list, or else every so many.
fn global_layers(reader: &mut Reader, layers: usize) -> Vec<usize> {
    let every = reader.count("global_attn_every_n_layers", 3);
    let parse = |value: &Value| match value.as_str()? {
        LOCAL => Some(false),
        GLOBAL => Some(true),
        _ => None,
    };
    let otherwise = "no list of \"full_attention\" and \"sliding_attention\"";
    let Some(kinds) = reader.list("layer_types", otherwise, parse) else {
        if every == 0 {
            let message = "is 0, which says nothing".to_owned();
            reader.problem("global_attn_every_n_layers", message);
        }
        let layers = layers.min(MOST_LAYERS);
        return (0..layers).step_by(every.max(1)).collect();
    };
    if kinds.len() != layers {
        let message = format!("has {} entries for {layers} blocks", kinds.len());
        reader.problem("layer_types", message);
    }
    let numbered = kinds.into_iter().enumerate().take(layers);
    let global = numbered.filter(|(_, is_global)| *is_global);
    global.map(|(layer, _)| layer).collect()
}

impl TokenPooling {
    /// What the class calls it.
    fn word(self) -> &'static str {
        match self {
            Self::First => "cls",
            Self::Mean => "mean",
        }
    }

    fn read(reader: &mut Reader) -> Self {
        let key = "classifier_pooling";
        let known = [Self::First, Self::Mean];
        let Some(found) = reader.get(key) else {
            return Self::First;
        };
        let named = known.into_iter().find(|pooling| found == pooling.word());
        named.unwrap_or_else(|| {
            reader.refuse(key, found);
            Self::First
        })
    }
}
