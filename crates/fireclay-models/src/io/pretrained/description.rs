//! What says which model a file of weights holds: the metadata inside, and a `config.json` beside.
//!
//! Names and shapes of tensors do not say all: another number of heads, activation or epsilon, or
//! rotations that are stretched, would fit the tensors and be wrong all the same.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use fireclay_gguf::is_gguf;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::folder::weights_file;
use crate::family::Pretrainable;
use crate::hugging_face::{HuggingFaceError, is_of_timm};
use crate::io::gguf;
use crate::io::guard;
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::weights::{METADATA_KEY, WeightsError, io_error, whole};

/// Hugging Face's and timm's description of the weights in the same folder.
const CONFIG: &str = "config.json";

/// Keys that name a model and say no more of it.
const NAMES: [&str; 2] = ["architecture", "model_type"];

/// The largest header of a safetensors file, as its format has it.
pub(super) const LARGEST_HEADER: u64 = 100_000_000;

/// The largest `config.json`; real ones have some kilobytes.
const LARGEST_CONFIG: u64 = 16 << 20;

/// What is known of the model in a file of weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Described {
    /// This program's own description, the model's `config` and `shape`.
    pub own: Option<Value>,
    /// The path and the object of each description of others.
    pub others: Vec<(PathBuf, Map<String, Value>)>,
}

impl Described {
    /// What is known of the weights at `path`, a file or a folder, without reading them.
    ///
    /// # Errors
    ///
    /// If a `config.json` beside them cannot be read or is no JSON object.
    pub fn of(path: &Path) -> Result<Self, WeightsError> {
        let file = weights_file(path)?;
        if is_gguf(&file) {
            let json = gguf::described(&file)?;
            return Ok(Self {
                own: None,
                others: vec![(file, json)],
            });
        }
        let metadata = metadata(&file).unwrap_or_default();
        let own = metadata.get(METADATA_KEY);
        let inside = inside(&metadata).map(|json| (file.clone(), json));
        let beside = file.with_file_name(CONFIG);
        let beside = match guard::read(&beside, LARGEST_CONFIG) {
            Ok(json) => Some(json_object(&beside, &json).map(|json| (beside, json))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(io_error(&beside, source)),
        };
        Ok(Self {
            own: own.and_then(|own| serde_json::from_str(own).ok()),
            others: inside.into_iter().chain(beside).collect(),
        })
    }

    /// Whether nothing says which model it is.
    pub fn is_empty(&self) -> bool {
        let says = |json: &Map<String, Value>| json.contains_key("model_type");
        let is_said = || matches!(self.hugging_face(), Ok(Some(_)));
        self.own.is_none() && !self.others.iter().any(|(_, json)| says(json)) && !is_said()
    }

    /// The model that a whole description of others is of, if there is one.
    ///
    /// # Errors
    ///
    /// If it is a model that there is not here.
    pub fn hugging_face(&self) -> Result<Option<HuggingFaceModel>, WeightsError> {
        // A name alone, which metadata may be, does not say how many classes there are.
        let is_whole = |(_, json): &&(PathBuf, Map<String, Value>)| {
            json.contains_key("model_type") || (is_of_timm(json) && json.len() > 1)
        };
        let says_more = |(_, json): &&(PathBuf, Map<String, Value>)| {
            json.keys().any(|key| !NAMES.contains(&key.as_str()))
        };
        let mut whole = self.others.iter().filter(is_whole);
        let Some((path, json)) = whole.clone().find(says_more).or_else(|| whole.next()) else {
            return Ok(None);
        };
        let text = Value::from(json.clone()).to_string();
        let model = HuggingFaceModel::read(text.as_bytes());
        let model = model.map_err(|source| WeightsError::HuggingFace {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Some(model))
    }

    /// Compares all of it with the model that `config` builds for `shape`.
    ///
    /// # Errors
    ///
    /// If one of the descriptions is that of another model; all differences are listed.
    pub fn check<F: Pretrainable>(
        &self,
        config: &F,
        shape: &F::Shape,
        path: &Path,
    ) -> Result<(), WeightsError> {
        let at = |path: &Path| {
            let path = whole(path);
            move |source| WeightsError::HuggingFace { path, source }
        };
        for (path, json) in &self.others {
            check_name(config, json).map_err(at(path))?;
            if says_of_transformers(json) || is_of_timm(json) {
                let checked = check_keys(config, shape, json);
                unless_stretched(config, checked).map_err(at(path))?;
            }
        }
        match &self.own {
            Some(own) => unless_stretched(config, check_own(config, own)).map_err(at(path)),
            None => Ok(()),
        }
    }
}

/// The metadata of a safetensors file; none of a file of another format, or a damaged one.
pub fn metadata(path: &Path) -> Option<BTreeMap<String, String>> {
    let mut file = guard::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut start = [0; 8];
    file.read_exact(&mut start).ok()?;
    let header = u64::from_le_bytes(start);
    if header > length.min(LARGEST_HEADER) {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(header).ok()?];
    file.read_exact(&mut bytes).ok()?;
    let header: Header = parse(&bytes)?;
    Some(header.metadata)
}

#[derive(serde::Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// What other programs' metadata say of the model: a whole `config.json`, or its name.
fn inside(metadata: &BTreeMap<String, String>) -> Option<Map<String, Value>> {
    if let Some(json) = metadata
        .get("config")
        .and_then(|text| parse(text.as_bytes()))
    {
        return Some(json);
    }
    let mut json = Map::new();
    for key in NAMES {
        let value = metadata.get(key).map(|value| Value::from(value.clone()));
        json.extend(value.map(|value| (key.to_owned(), value)));
    }
    (!json.is_empty()).then_some(json)
}

fn json_object(path: &Path, json: &[u8]) -> Result<Map<String, Value>, WeightsError> {
    crate::hugging_face::parse(json).map_err(|source| WeightsError::HuggingFace {
        path: whole(path),
        source,
    })
}

/// How rotations are stretched to longer texts.
const STRETCH: &str = "rope_scaling";

/// The same, but for rotations that `config` stretches: a model is trained on for texts that are longer than those of its
/// weights. Whoever says nothing has the rotations of the weights.
fn unless_stretched<F: Pretrainable>(
    config: &F,
    checked: Result<(), HuggingFaceError>,
) -> Result<(), HuggingFaceError> {
    let stretches = |(key, value): &(&str, Value)| *key == STRETCH && !value.is_null();
    match checked {
        Err(HuggingFaceError::Keys(mut problems))
            if config.hidden_values().iter().any(stretches) =>
        {
            problems.retain(|(key, _)| key != STRETCH);
            match problems.is_empty() {
                true => Ok(()),
                false => Err(HuggingFaceError::Keys(problems)),
            }
        }
        checked => checked,
    }
}

/// Compares a model with one of this program: its type, and what its tensors do not show.
fn check_own<F: Pretrainable>(config: &F, own: &Value) -> Result<(), HuggingFaceError> {
    let found = &own["config"];
    let keys = |problems| HuggingFaceError::Keys(problems);
    let differs = |key: &str, found: &Value, own: &Value| {
        (
            key.to_owned(),
            format!("is {found}, but the model has {key} = {own}"),
        )
    };
    let name = json!(config.name());
    if found["type"] != name {
        return Err(keys(vec![differs("type", &found["type"], &name)]));
    }
    let found: F = serde_json::from_value(found.clone())
        .map_err(|error| HuggingFaceError::Json(error.to_string()))?;
    let pairs = config
        .hidden_values()
        .into_iter()
        .zip(found.hidden_values());
    let problems: Vec<_> = pairs
        .filter(|((_, own), (_, found))| own != found)
        .map(|((key, own), (_, found))| differs(key, &found, &own))
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(keys(problems)),
    }
}

/// Whether the keys are those of a class of `transformers`. timm's models have a type there that says nothing.
fn says_of_transformers(json: &Map<String, Value>) -> bool {
    let kind = json.get("model_type").map(Value::as_str);
    kind.is_some_and(|name| name.is_none_or(|name| !name.starts_with("timm")))
}

/// Compares a model with a `config.json`, or with the type alone, if nothing else is known.
fn check_keys<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    json: &Map<String, Value>,
) -> Result<(), HuggingFaceError> {
    let text = Value::from(json.clone()).to_string();
    let is_name = json.keys().all(|key| NAMES.contains(&key.as_str()));
    match config.check_hugging_face(shape, text.as_bytes()) {
        Err(error) if is_name && !error.names("model_type") && !is_of_timm(json) => Ok(()),
        checked => checked,
    }
}

/// Compares a model with the name that timm or `transformers` gives to its architecture.
fn check_name<F: Pretrainable>(
    config: &F,
    json: &Map<String, Value>,
) -> Result<(), HuggingFaceError> {
    let class = json.get("architectures").and_then(|classes| classes.get(0));
    let named = [
        ("architecture", json.get("architecture")),
        ("architectures", class),
    ];
    for (key, name) in named {
        let Some(name) = name.and_then(Value::as_str) else {
            continue;
        };
        let plain = name.split('.').next().unwrap_or(name).to_lowercase();
        if !config.may_be(&plain) {
            let own = config.name();
            let message = format!("is \"{name}\", but the model has type = \"{own}\"");
            return Err(HuggingFaceError::Keys(vec![(key.into(), message)]));
        }
    }
    Ok(())
}
