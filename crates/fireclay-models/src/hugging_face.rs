//! The words of Hugging Face's `transformers` for a model, its `config.json`, both ways; and those of timm, one way.
//!
//! An architecture says under [`HuggingFaceClass`] which class computes the same, and how the values
//! of a `config.json` become its configuration. A key that changes the logits in a way that no
//! model here can is an error, never passed over; keys that do not change them are.

mod entry;
mod error;
mod reader;

use serde_json::{Map, Value};

pub(crate) use entry::{Entry, document, labels};
pub use error::HuggingFaceError;
pub(crate) use reader::{Reader, activation_of, word};

/// What computes the same as a configuration `C` for a shape `S` in `transformers`, or in timm.
pub struct HuggingFaceClass<C, S> {
    /// The values of `model_type`; of timm those of `architecture`.
    pub(crate) model_types: &'static [&'static str],
    /// The classes whose weights can be read; timm has none.
    pub(crate) classes: &'static [&'static str],
    /// What a `config.json` says of a model, key by key.
    pub(crate) entries: fn(&C, &S) -> Vec<Entry>,
    /// A whole `config.json`; none where no class computes just this.
    pub(crate) document: fn(&C, &S) -> Option<Value>,
    /// The inverse; what is not there has the defaults of `transformers`.
    pub(crate) read: fn(&mut Reader) -> (C, S),
}

impl<C, S> HuggingFaceClass<C, S> {
    /// Whether a `config.json` is that of one of these models.
    pub(crate) fn knows(&self, json: &Map<String, Value>) -> bool {
        let kind = match is_of_timm(json) {
            true => json.get("architecture").map(timm_name),
            false => json.get("model_type").and_then(Value::as_str),
        };
        kind.is_some_and(|kind| self.model_types.contains(&kind))
    }
}

/// Whether a `config.json` is timm's, which `transformers` gives a type that says nothing.
pub(crate) fn is_of_timm(json: &Map<String, Value>) -> bool {
    let kind = json.get("model_type").and_then(Value::as_str);
    json.contains_key("architecture") && kind.is_none_or(|kind| kind.starts_with("timm"))
}

/// The name of a model in timm, without the name of its weights, which follows a dot.
pub(crate) fn timm_name(architecture: &Value) -> &str {
    let name = architecture.as_str().unwrap_or_default();
    name.split('.').next().unwrap_or_default()
}

/// The model that a `config.json` of this class describes; `impossible` lists what is impossible in
/// a configuration and a shape.
///
/// # Errors
///
/// If values of it describe a model that there is not here; all are listed.
pub(crate) fn describe<C, S>(
    class: &HuggingFaceClass<C, S>,
    mut reader: Reader,
    impossible: impl Fn(&C, &S) -> Vec<(String, String)>,
) -> Result<(C, S), HuggingFaceError> {
    let (config, shape) = (class.read)(&mut reader);
    // The weights of a quantized model are not numbers that could be read.
    reader.require("quantization_config", Value::Null);
    let mut problems = reader.problems();
    let entries = (class.entries)(&config, &shape);
    let theirs = |(name, message): (String, String)| {
        let entry = entries.iter().find(|entry| entry.name == name);
        let key = entry.map_or(name, |entry| entry.key.to_string());
        (key, format!("is impossible: {message}"))
    };
    problems.extend(impossible(&config, &shape).into_iter().map(theirs));
    match problems.is_empty() {
        true => Ok((config, shape)),
        false => Err(HuggingFaceError::Keys(problems)),
    }
}

/// Compares a model, by what its own file would say, with a `config.json`; its head is left out.
///
/// # Errors
///
/// If the file describes no model that there is here, or another one; every difference is listed.
pub(crate) fn compare<C, S>(
    class: &HuggingFaceClass<C, S>,
    (config, shape): (&C, &S),
    json: &Map<String, Value>,
    impossible: impl Fn(&C, &S) -> Vec<(String, String)>,
) -> Result<(), HuggingFaceError> {
    let own = (class.entries)(config, shape);
    let differs = |entry: &Entry, found: &Value| {
        let message = format!("is {found}, but the model has {}", entry.in_own_words());
        (entry.key.to_string(), message)
    };
    // In a model of another type no other key means the same.
    let kind = own.iter().find(|entry| entry.key == "model_type");
    let other = kind.and_then(|kind| {
        let found = json.get(kind.key).unwrap_or(&Value::Null);
        (!kind.is_said_by(found)).then(|| differs(kind, found))
    });
    if let Some(other) = other {
        return Err(HuggingFaceError::Keys(vec![other]));
    }
    let (config, shape) = describe(class, Reader::new(json), impossible)?;
    let found = (class.entries)(&config, &shape);
    let pairs = own.iter().zip(&found).filter(|(own, _)| own.compared);
    let problems: Vec<_> = pairs
        .filter(|(own, found)| own.own != found.own)
        .map(|(own, found)| {
            let written = json.get(own.key).filter(|value| !value.is_null());
            let found = written.or(found.value.as_ref()).unwrap_or(&Value::Null);
            differs(own, found)
        })
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(HuggingFaceError::Keys(problems)),
    }
}

/// The object that a `config.json` is.
pub(crate) fn parse(json: &[u8]) -> Result<Map<String, Value>, HuggingFaceError> {
    serde_json::from_slice(json).map_err(|error| HuggingFaceError::Json(error.to_string()))
}
