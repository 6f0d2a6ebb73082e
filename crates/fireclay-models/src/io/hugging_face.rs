//! The model that a `config.json` of Hugging Face's or of timm describes, whichever it is.

use serde_json::{Map, Value};

use crate::encoder::EncoderConfig;
use crate::family::{Architecture, Family, Visitor, impossible};
use crate::hugging_face::{HuggingFaceError, Reader, describe, is_of_timm, parse};
use crate::io::weights::ModelDescription;
use crate::language::LanguageConfig;
use crate::seq2seq::TranslationConfig;
use crate::vision::ImageConfig;

/// The model that a `config.json` describes.
#[derive(Clone, Debug, PartialEq)]
pub enum HuggingFaceModel {
    /// GPT-2, Llama or another decoder.
    Language(ModelDescription<LanguageConfig>),
    /// BERT: with outputs if it classifies, else the masked language model.
    Encoder(ModelDescription<EncoderConfig>),
    /// A ResNet, ConvNeXt or Vision Transformer, or another model of timm.
    Image(ModelDescription<ImageConfig>),
    /// T5.
    Translation(ModelDescription<TranslationConfig>),
}

impl HuggingFaceModel {
    /// Reads a `config.json`.
    ///
    /// Keys that are not there have the defaults of `transformers`. The rate of dropout is that at
    /// the end of the branches, whatever the others are. One of timm says most by a name.
    ///
    /// # Errors
    ///
    /// If it is no JSON object, or if values of it describe a model that there is not here; all
    /// are listed.
    pub fn read(json: &[u8]) -> Result<Self, HuggingFaceError> {
        let json = parse(json)?;
        let (language, mut known) = search::<LanguageConfig>(&json);
        if let Some(found) = language {
            return found.map(Self::Language);
        }
        let (encoder, more) = search::<EncoderConfig>(&json);
        if let Some(found) = encoder {
            return found.map(Self::Encoder);
        }
        known.extend(more);
        let (image, more) = search::<ImageConfig>(&json);
        if let Some(found) = image {
            return found.map(Self::Image);
        }
        known.extend(more);
        let (translation, more) = search::<TranslationConfig>(&json);
        if let Some(found) = translation {
            return found.map(Self::Translation);
        }
        known.extend(more);
        let found = |key: &str| json.get(key).unwrap_or(&Value::Null);
        let (key, message) = match is_of_timm(&json) {
            true => {
                let found = found("architecture");
                let message = format!("is {found}, which is no model of timm that is known here");
                ("architecture", message)
            }
            false => {
                let (found, known) = (found("model_type"), list(&known));
                (
                    "model_type",
                    format!("is {found}, but only {known} are known"),
                )
            }
        };
        Err(HuggingFaceError::Keys(vec![(key.into(), message)]))
    }
}

type Found<F> = Option<Result<ModelDescription<F>, HuggingFaceError>>;

/// The model, if it is of this family, and the types of models that the family knows.
fn search<F: Family>(json: &Map<String, Value>) -> (Found<F>, Vec<&'static str>) {
    let mut search = Search {
        json,
        found: None,
        known: Vec::new(),
    };
    F::visit(&mut search);
    (search.found, search.known)
}

struct Search<'a, F: Family> {
    json: &'a Map<String, Value>,
    found: Found<F>,
    known: Vec<&'static str>,
}

impl<F: Family> Visitor<F> for Search<'_, F> {
    fn architecture<C: Architecture<Shape = F::Shape>>(
        &mut self,
        _name: &'static str,
        _summary: &'static str,
        wrap: fn(C) -> F,
    ) {
        let class = match is_of_timm(self.json) {
            true => C::timm_class(),
            false => C::hugging_face_class(),
        };
        let Some(class) = class else {
            return;
        };
        self.known.extend(class.model_types);
        if !class.knows(self.json) {
            return;
        }
        let mut reader = Reader::new(self.json);
        // The class of transformers for models of timm says nothing.
        if let Some(name) = reader.class()
            && !class.classes.is_empty()
            && !class.classes.contains(&name)
        {
            let known = list(class.classes);
            let message = format!("is [\"{name}\"], but only {known} are known");
            reader.problem("architectures", message);
        }
        let described = describe(&class, reader, impossible);
        self.found = Some(described.map(|(config, shape)| ModelDescription {
            config: wrap(config),
            shape,
        }));
    }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests;
