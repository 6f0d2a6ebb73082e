//! The model in the words of Hugging Face's `transformers`: what the families have in common.

use serde_json::{Value, json};

use super::config::DecoderConfig;
use super::families::{self, DecoderFamily};
use super::words::{Known, Turning, scaling_entry};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader, document};
use crate::layers::activation::Activation;
use crate::shape::LanguageShape;

pub(super) const DECODER: HuggingFaceClass<DecoderConfig, LanguageShape> = HuggingFaceClass {
    model_types: &families::MODEL_TYPES,
    classes: &families::CLASSES,
    entries: DecoderConfig::entries,
    document: DecoderConfig::hugging_face,
    read: DecoderConfig::from_hugging_face,
};

impl DecoderConfig {
    fn hugging_face(&self, shape: &LanguageShape) -> Option<Value> {
        document(self.family.kin().class, self.entries(shape))
    }

    fn entries(&self, shape: &LanguageShape) -> Vec<Entry> {
        (self.family.kin().entries)(self, shape)
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, LanguageShape) {
        let is_it = |family: &DecoderFamily| reader.is("model_type", family.kin().model_type);
        let found = DecoderFamily::ALL.into_iter().find(is_it);
        let kin = found.unwrap_or_default().kin();
        let base = kin.class.trim_end_matches("ForCausalLM");
        if let Some(class) = reader.class()
            && !belongs(class, base)
            && families::CLASSES.contains(&class)
        {
            let message = format!("is [\"{class}\"], which is of another model_type");
            reader.problem("architectures", message);
        }
        (kin.read)(reader)
    }
}

/// Whether a class is one of those that begin so, with a head or without.
fn belongs(class: &str, base: &str) -> bool {
    let rest = class.strip_prefix(base);
    rest.is_some_and(|rest| ["ForCausalLM", "Model", "TextModel"].contains(&rest))
}

/// The values that `transformers` takes for sizes that a file does not say.
pub(super) struct Usual {
    pub family: DecoderFamily,
    pub vocabulary: usize,
    pub width: usize,
    pub mlp_width: usize,
    pub layers: usize,
    pub heads: usize,
    /// As many as heads where absent.
    pub kv_heads: Option<usize>,
    /// The share of a head in the width where absent.
    pub head_width: Option<usize>,
    pub context_length: usize,
    pub norm_eps: f64,
    pub rope_theta: f64,
    pub ties: bool,
    /// The key of the activation.
    pub activation: &'static str,
}

impl Usual {
    /// The values under the keys that most families share.
    pub fn read(&self, reader: &mut Reader) -> (DecoderConfig, LanguageShape) {
        let context_length = reader.count("max_position_embeddings", self.context_length);
        let known = Known::usual(context_length);
        let turning = Turning::plain(self.rope_theta).read(reader, known);
        self.read_with(reader, context_length, turning)
    }

    /// As [`read`](Self::read), with rotations that were read in another way.
    pub fn read_with(
        &self,
        reader: &mut Reader,
        context_length: usize,
        turning: Turning,
    ) -> (DecoderConfig, LanguageShape) {
        let kin = self.family.kin();
        let heads = reader.count("num_attention_heads", self.heads);
        let is_partial = kin.reads.contains(&"rotary_share");
        let (has_kv_heads, has_head_width) = ["kv_heads", "head_width"]
            .map(|key| kin.reads.contains(&key))
            .into();
        let kv_heads = match has_kv_heads {
            true => reader.count_or_none("num_key_value_heads", self.kv_heads),
            false => None,
        };
        let head_width = match has_head_width {
            true => reader.count_or_none("head_dim", self.head_width),
            false => None,
        };
        let config = DecoderConfig {
            family: self.family,
            layers: reader.count("num_hidden_layers", self.layers),
            heads,
            kv_heads: has_kv_heads.then_some(kv_heads.unwrap_or(heads)),
            head_width,
            width: reader.count("hidden_size", self.width),
            mlp_width: reader.count("intermediate_size", self.mlp_width),
            context_length: turning.context(context_length),
            activation: Some(self.activation(reader)),
            norm_eps: reader.number(kin.norm_key, self.norm_eps),
            rope_theta: turning.theta,
            rope_scaling: turning.scaling,
            rotary_share: is_partial.then_some(turning.share),
            tie_embeddings: reader.flag("tie_word_embeddings", self.ties),
            ..DecoderConfig::default()
        };
        let vocabulary = reader.count("vocab_size", self.vocabulary);
        (config, LanguageShape { vocabulary })
    }

    fn activation(&self, reader: &mut Reader) -> Activation {
        reader.activation(self.activation, self.family.kin().activation)
    }
}

/// What most families say, in their words: sizes, norms and rotations.
pub(super) fn usual_entries(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let mut entries = sizes(config, shape);
    entries.extend([
        Entry::new("num_key_value_heads", "kv_heads", config.kv_heads()),
        Entry::new("head_dim", "head_width", config.head_width()),
        Entry::activation("hidden_act", config.activation()),
        Entry::new("rope_theta", "rope_theta", config.rope_theta),
        scaling_entry(config.rope_scaling.as_ref()),
    ]);
    entries
}

/// What all families say in the same words.
pub(super) fn sizes(config: &DecoderConfig, shape: &LanguageShape) -> Vec<Entry> {
    let kin = config.family.kin();
    let scaling = config.rope_scaling.as_ref();
    // Rotations that grow with the text do so beyond this length.
    let grows_at = scaling.and_then(|scaling| scaling.longest());
    let context = config.context_length.max(grows_at.unwrap_or(0));
    vec![
        Entry::family(kin.model_type, json!(config.family)),
        Entry::new("num_hidden_layers", "layers", config.layers),
        Entry::new("num_attention_heads", "heads", config.heads),
        Entry::new("hidden_size", "width", config.width),
        Entry::new("intermediate_size", "mlp_width", config.mlp_width),
        // Rotations are computed for any length, so weights know none.
        Entry::new("max_position_embeddings", "context_length", context).not_compared(),
        Entry::new(kin.norm_key, "norm_eps", config.norm_eps),
        Entry::new(
            "tie_word_embeddings",
            "tie_embeddings",
            config.tie_embeddings,
        ),
        Entry::new("vocab_size", "vocabulary", shape.vocabulary).not_compared(),
    ]
}

/// Which blocks attend to a window, as `layer_types`, and its length.
pub(super) fn window_entries(config: &DecoderConfig) -> Vec<Entry> {
    let global = config.global();
    let kind = |layer: usize| match config.window {
        Some(_) if !global.contains(&layer) => LOCAL,
        _ => GLOBAL,
    };
    let kinds: Vec<_> = config.blocks().map(kind).collect();
    vec![
        Entry::new("sliding_window", "window", json!(config.window)),
        Entry {
            own: json!(global),
            ..Entry::new("layer_types", "global_layers", json!(kinds))
        },
    ]
}

/// A list that has an entry for each block; nothing of another goes on.
pub(super) fn same_count<T>(
    reader: &mut Reader,
    key: &str,
    listed: Vec<T>,
    layers: usize,
) -> Option<Vec<T>> {
    if listed.len() != layers {
        let message = format!("has {} entries for {layers} blocks", listed.len());
        reader.problem(key, message);
        return None;
    }
    Some(listed)
}

const LOCAL: &str = "sliding_attention";
const GLOBAL: &str = "full_attention";

/// The blocks that attend to all tokens by `layer_types`, if the file has it.
pub(super) fn global_layers(reader: &mut Reader, layers: usize) -> Option<Vec<usize>> {
    let parse = |value: &Value| match value.as_str()? {
        LOCAL => Some(false),
        GLOBAL => Some(true),
        _ => None,
    };
    let otherwise = "no list of \"full_attention\" and \"sliding_attention\"";
    let kinds = reader.list("layer_types", otherwise, parse)?;
    let kinds = same_count(reader, "layer_types", kinds, layers)?;
    let numbered = kinds.into_iter().enumerate();
    let global = numbered.filter(|(_, is_global)| *is_global);
    Some(global.map(|(layer, _)| layer).collect())
}
