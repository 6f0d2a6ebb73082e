//! The `config.json` of Hugging Face's `transformers`, both ways.
//!
//! [`Family::hugging_face`] writes what `from_pretrained` needs beside
//! a `model.safetensors`; [`HuggingFaceModel::read`] reads such a file, and
//! [`load_pretrained`](crate::load_pretrained) compares one with the model that it fills. A key
//! that changes the logits in a way that no model here can is an error, never passed over; keys
//! that do not change them are.

mod entry;
mod error;
mod reader;

use serde_json::{Map, Value};

use crate::bert::BertConfig;
use crate::encoder::EncoderConfig;
use crate::family::Family;
use crate::gpt::GptConfig;
use crate::language::LanguageConfig;
use crate::llama::LlamaConfig;
use crate::weights::ModelDescription;
pub(crate) use entry::{Entry, document};
pub use error::HuggingFaceError;
pub(crate) use reader::Reader;

/// The model that a `config.json` describes.
#[derive(Clone, Debug, PartialEq)]
pub enum HuggingFaceModel {
    /// GPT-2 or Llama.
    Language(ModelDescription<LanguageConfig>),
    /// BERT: with outputs if it classifies, else the masked language model.
    Encoder(ModelDescription<EncoderConfig>),
}

/// Each `model_type` with the classes that compute what a model here does.
const TYPES: [(&str, &[&str]); 3] = [
    ("gpt2", &["GPT2LMHeadModel", "GPT2Model"]),
    ("llama", &["LlamaForCausalLM", "LlamaModel"]),
    (
        "bert",
        &[
            "BertForMaskedLM",
            "BertForPreTraining",
            "BertForSequenceClassification",
            "BertModel",
        ],
    ),
];

impl HuggingFaceModel {
    /// Reads a `config.json`.
    ///
    /// Keys that are not there have the defaults of `transformers`. The rate of dropout is that at
    /// the end of the branches, whatever the others are.
    ///
    /// # Errors
    ///
    /// If it is no JSON object, or if values of it describe a model that there is not here; all
    /// are listed.
    pub fn read(json: &[u8]) -> Result<Self, HuggingFaceError> {
        let json = parse(json)?;
        let mut reader = Reader::new(&json);
        let known = TYPES.iter().find(|(name, _)| reader.is("model_type", name));
        if let (Some((_, classes)), Some(class)) = (known, reader.class())
            && !classes.contains(&class)
        {
            let message = format!("is [\"{class}\"], but only {} are known", list(classes));
            reader.problem("architectures", message);
        }
        Self::from_reader(reader)
    }

    /// The model, whatever its head is.
    fn from_reader(mut reader: Reader) -> Result<Self, HuggingFaceError> {
        let model = if reader.is("model_type", "gpt2") {
            let (config, shape) = GptConfig::from_hugging_face(&mut reader);
            let config = LanguageConfig::Gpt(config);
            Self::Language(ModelDescription { config, shape })
        } else if reader.is("model_type", "llama") {
            let (config, shape) = LlamaConfig::from_hugging_face(&mut reader);
            let config = LanguageConfig::Llama(config);
            Self::Language(ModelDescription { config, shape })
        } else if reader.is("model_type", "bert") {
            let (config, shape) = BertConfig::from_hugging_face(&mut reader);
            let config = EncoderConfig::Bert(config);
            Self::Encoder(ModelDescription { config, shape })
        } else {
            let found = reader.get("model_type").unwrap_or(&Value::Null);
            let names = list(&TYPES.map(|(name, _)| name));
            let message = format!("is {found}, but only {names} are known");
            return Err(HuggingFaceError::Keys(vec![("model_type".into(), message)]));
        };
        // The weights of a quantized model are not numbers that could be read.
        reader.require("quantization_config", Value::Null);
        let mut problems = reader.problems();
        problems.extend(model.problems());
        match problems.is_empty() {
            true => Ok(model),
            false => Err(HuggingFaceError::Keys(problems)),
        }
    }

    /// What is impossible in the configuration, by Hugging Face's keys.
    fn problems(&self) -> Vec<(String, String)> {
        let problems = match self {
            Self::Language(model) => Family::validate_for(&model.config, &model.shape),
            Self::Encoder(model) => Family::validate_for(&model.config, &model.shape),
        };
        let entries = self.entries();
        let theirs = |(name, message): (String, String)| {
            let entry = entries.iter().find(|entry| entry.name == name);
            let key = entry.map_or(name, |entry| entry.key.to_string());
            (key, format!("is impossible: {message}"))
        };
        problems.into_iter().map(theirs).collect()
    }

    fn entries(&self) -> Vec<Entry> {
        match self {
            Self::Language(model) => model.config.entries(&model.shape),
            Self::Encoder(model) => model.config.entries(&model.shape),
        }
    }
}

/// Compares a model, by what its own file would say, with a `config.json`; its head is left out.
///
/// # Errors
///
/// If the file describes no model that there is here, or another one; every difference is listed.
pub(crate) fn compare(own: &[Entry], json: &[u8]) -> Result<(), HuggingFaceError> {
    let json = parse(json)?;
    let differs = |entry: &Entry, found: &Value| {
        let message = format!("is {found}, but the model has {}", entry.in_own_words());
        (entry.key.to_string(), message)
    };
    // In a model of another type no other key means the same.
    let kind = own.iter().find(|entry| entry.key == "model_type");
    let other = kind.and_then(|kind| {
        let found = json.get(kind.key).unwrap_or(&Value::Null);
        (kind.value.as_ref() != Some(found)).then(|| differs(kind, found))
    });
    if let Some(other) = other {
        return Err(HuggingFaceError::Keys(vec![other]));
    }
    let found = HuggingFaceModel::from_reader(Reader::new(&json))?.entries();
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

fn parse(json: &[u8]) -> Result<Map<String, Value>, HuggingFaceError> {
    serde_json::from_slice(json).map_err(|error| HuggingFaceError::Json(error.to_string()))
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests;
