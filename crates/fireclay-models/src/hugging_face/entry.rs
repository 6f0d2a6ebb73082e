//! One key of a `config.json`, and what this crate calls it.

use serde_json::{Map, Value, json};

use super::reader::word;
use crate::layers::activation::Activation;

/// What a `config.json` says of a model under one key.
pub(crate) struct Entry {
    pub key: &'static str,
    /// `None` where Hugging Face has no word for it.
    pub value: Option<Value>,
    /// The key of the same thing in the configurations of this crate.
    pub name: &'static str,
    /// Its value there.
    pub own: Value,
    /// Whether weights that were made under another value give other logits.
    pub compared: bool,
    /// Whether it is written where it is null.
    pub is_null_written: bool,
    /// Other words for the same value.
    pub synonyms: &'static [&'static str],
}

impl Entry {
    pub fn new(key: &'static str, name: &'static str, value: impl Into<Value>) -> Self {
        let own = value.into();
        Self {
            key,
            value: Some(own.clone()),
            name,
            own,
            compared: true,
            is_null_written: true,
            synonyms: &[],
        }
    }

    /// An activation, which has a name of its own there, if it has one.
    pub fn activation(key: &'static str, activation: Activation) -> Self {
        Self {
            value: word(activation).map(Value::from),
            ..Self::new(key, "activation", json!(activation))
        }
    }

    /// The type of the model, which is `own` here.
    pub fn model_type(value: &'static str, own: &'static str) -> Self {
        Self {
            own: own.into(),
            ..Self::new("model_type", "type", value)
        }
    }

    /// The family of a decoder, which `transformers` calls a type.
    pub fn family(value: &'static str, own: impl Into<Value>) -> Self {
        Self {
            own: own.into(),
            ..Self::new("model_type", "family", value)
        }
    }

    /// The same, where a file may have one of these words instead.
    pub fn or(self, synonyms: &'static [&'static str]) -> Self {
        Self { synonyms, ..self }
    }

    /// Whether a file that has `found` under the key says the same.
    pub fn is_said_by(&self, found: &Value) -> bool {
        let is_synonym = |found: &str| self.synonyms.contains(&found);
        self.value.as_ref() == Some(found) || found.as_str().is_some_and(is_synonym)
    }

    /// The same for a key that need not be there where there is nothing to say.
    pub fn left_out_if_null(self) -> Self {
        Self {
            is_null_written: false,
            ..self
        }
    }

    /// The same for a key that does not change the logits.
    pub fn not_compared(self) -> Self {
        Self {
            compared: false,
            ..self
        }
    }

    /// As it stands in the configuration of the model.
    pub fn in_own_words(&self) -> String {
        format!("{} = {}", self.name, self.own)
    }
}

/// A whole `config.json` for this class, if Hugging Face has words for all of it.
pub(crate) fn document(class: &str, entries: Vec<Entry>) -> Option<Value> {
    let mut document = Map::new();
    document.insert("architectures".into(), json!([class]));
    document.insert("torch_dtype".into(), "float32".into());
    // The defaults of some classes are tokens that a smaller vocabulary lacks.
    for key in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        document.insert(key.into(), Value::Null);
    }
    for entry in entries {
        let value = entry.value?;
        if entry.is_null_written || !value.is_null() {
            document.insert(entry.key.into(), value);
        }
    }
    Some(document.into())
}

/// The names of so many outputs, by which `transformers` count them.
pub(crate) fn labels(outputs: usize) -> [Entry; 2] {
    let label = |output| format!("LABEL_{output}");
    let names: Map<_, _> = (0..outputs)
        .map(|output| (output.to_string(), label(output).into()))
        .collect();
    let numbers: Map<_, _> = (0..outputs)
        .map(|output| (label(output), output.into()))
        .collect();
    [
        Entry::new("id2label", "outputs", names),
        Entry::new("label2id", "outputs", numbers),
    ]
}
