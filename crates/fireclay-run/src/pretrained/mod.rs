//! Weights that a run starts from: what they say of the model and of the tokenizer, and whether they fit.

mod checkpoint;
pub(crate) mod classes;
mod complete;
mod fit;
mod pixels;
mod weights;

use std::path::{Path, PathBuf};

use fireclay_data::Tokenizer;
use fireclay_models::pretrained::{is_gguf, metadata, weights_file};
use fireclay_models::{Described, Family, HuggingFaceModel, ImageShape, WeightsError};
use serde_json::{Map, Value};

use crate::artifacts::{ADAPTERS, TOKENIZER};
use crate::config::{ModelConfig, RunConfig, TaskConfig};
pub(crate) use complete::complete;
pub(crate) use fit::{BLANK, Blanks, fits, unsaid};
pub(crate) use weights::{check, describe, load, load_as};

/// Keys that name a model of others, and say no more of it.
const NAMES: [&str; 2] = ["architecture", "model_type"];

/// A file of weights or a folder, as `model.pretrained` names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a>(pub &'a str);

/// What the keys of a model are, and who says so.
#[derive(Debug)]
pub(crate) struct Stated {
    /// The keys of `[model]`, with its `type`.
    pub keys: Map<String, Value>,
    /// Whether they are those of a `config.json` of others.
    pub is_foreign: bool,
}

impl Weights<'_> {
    fn path(&self) -> &Path {
        Path::new(self.0)
    }

    /// The adapters of a run with `[lora]` in this folder, which stand for a whole model with its base.
    pub fn adapters(&self) -> Option<PathBuf> {
        let path = self.path().join(ADAPTERS);
        (weights_file(self.path()).is_err() && path.exists()).then_some(path)
    }

    /// The run of which this is a checkpoint, if it is one.
    pub fn run(&self) -> Option<PathBuf> {
        if !self.path().join("manifest.json").is_file() {
            return None;
        }
        let path = std::path::absolute(self.path()).ok()?;
        Some(path.parent()?.parent()?.to_path_buf())
    }

    /// What says which model it is.
    ///
    /// # Errors
    ///
    /// If there are no weights, or a description of them cannot be read.
    pub fn described(&self) -> Result<Described, WeightsError> {
        if let Some(run) = self.run() {
            return Ok(weights::of_run(&run));
        }
        let Some(path) = self.adapters() else {
            return Described::of(self.path());
        };
        let own = metadata(&path).and_then(|found| found.get("fireclay.adapter").cloned());
        let own: Value = own
            .and_then(|own| serde_json::from_str(&own).ok())
            .ok_or_else(|| WeightsError::Description(OTHER_ADAPTERS.into()))?;
        Ok(Described {
            own: own.get("model").cloned(),
            others: Vec::new(),
        })
    }

    /// The keys of the model, if something says them.
    ///
    /// # Errors
    ///
    /// As for [`described`](Self::described), and if it is a model that there is not here.
    pub fn stated(&self) -> Result<Option<Stated>, WeightsError> {
        let described = self.described()?;
        if let Some(keys) = described
            .own
            .as_ref()
            .and_then(|own| own["config"].as_object())
        {
            return Ok(Some(Stated {
                keys: keys.clone(),
                is_foreign: false,
            }));
        }
        let Some(model) = described.hugging_face()? else {
            return Ok(None);
        };
        let keys = match model {
            HuggingFaceModel::Language(model) => serde_json::to_value(model.config),
            HuggingFaceModel::Encoder(model) => serde_json::to_value(model.config),
            HuggingFaceModel::Image(model) => serde_json::to_value(model.config),
            HuggingFaceModel::Translation(model) => serde_json::to_value(model.config),
        };
        let keys = keys.ok().and_then(|keys| keys.as_object().cloned());
        Ok(keys.map(|keys| Stated {
            keys,
            is_foreign: true,
        }))
    }

    /// What determines the model beside its configuration, in JSON, if something says it.
    ///
    /// # Errors
    ///
    /// As for [`stated`](Self::stated).
    fn shape(&self) -> Result<Option<Value>, WeightsError> {
        let described = self.described()?;
        if let Some(own) = &described.own {
            return Ok(own.get("shape").cloned());
        }
        let shape = described.hugging_face()?.map(|model| match model {
            HuggingFaceModel::Language(model) => serde_json::to_value(model.shape),
            HuggingFaceModel::Encoder(model) => serde_json::to_value(model.shape),
            HuggingFaceModel::Image(model) => serde_json::to_value(self.seen(model.shape)),
            HuggingFaceModel::Translation(model) => serde_json::to_value(model.shape),
        });
        Ok(shape.and_then(Result::ok))
    }

    /// The shape for images of the size that they are given to the model in: the description of one that reads any size
    /// says none.
    fn seen(&self, shape: ImageShape) -> ImageShape {
        let size = self.folder().and_then(|folder| pixels::seen(&folder));
        let [height, width] = size.map_or([shape.height, shape.width], |size| {
            size.map(|side| usize::try_from(side).unwrap_or(usize::MAX))
        });
        ImageShape {
            height,
            width,
            ..shape
        }
    }

    /// The description of others that says more of the model than its name, which is all that metadata inside the weights
    /// may have; none where there is no such description.
    ///
    /// # Errors
    ///
    /// As for [`described`](Self::described).
    pub fn foreign(&self) -> Result<Option<Map<String, Value>>, WeightsError> {
        let mut others = self.described()?.others.into_iter();
        let says = |json: &Map<String, Value>| {
            let names = NAMES.iter().filter(|name| json.contains_key(**name));
            (1..json.len()).contains(&names.count())
        };
        let found = others.find(|(_, json)| says(json));
        Ok(found.map(|(_, json)| json))
    }

    /// The names of the classes that its head was trained for, in the order of its outputs, if something beside the
    /// weights says them.
    pub fn classes(&self) -> Option<Vec<String>> {
        let json = self.foreign().ok()??;
        let outputs = match classes::said(&json)? {
            Value::Array(names) => names.len(),
            names => names.as_object()?.len(),
        };
        classes::names(&json, outputs).ok()
    }

    /// The most tokens that the model of this `type` reads, where its weights do not depend on it.
    pub fn longest(&self, name: &str) -> Option<u64> {
        let json = self.foreign().ok()??;
        let found = json.get("max_position_embeddings")?.as_u64();
        found.filter(|_| is_free(&name.into()))
    }

    /// Whether they are a GGUF, which says all of itself.
    pub fn is_gguf(&self) -> bool {
        is_gguf(self.path())
    }

    /// The tokenizer in the same folder, if there is one; a GGUF has its own.
    pub fn tokenizer(&self) -> Option<PathBuf> {
        if self.is_gguf() {
            return Some(self.path().to_path_buf());
        }
        let path = self.folder()?.join(TOKENIZER);
        path.is_file().then_some(path)
    }

    /// The folder that they are, or are in; of a checkpoint that of its run.
    pub fn folder(&self) -> Option<PathBuf> {
        let own = || match self.path().is_dir() {
            true => Some(self.path()),
            false => self.path().parent(),
        };
        self.run().or_else(|| own().map(Path::to_path_buf))
    }
}

/// What determines the model at `path` beside its configuration.
///
/// # Errors
///
/// If nothing says it, or it is that of a model of another family.
pub(crate) fn shape<F: Family>(path: &str) -> Result<F::Shape, String> {
    let shape = Weights(path).shape().map_err(|error| error.to_string())?;
    let shape = shape.ok_or("nothing beside the weights says which model it is")?;
    serde_json::from_value(shape).map_err(|error| error.to_string())
}

/// The bytes of the file of weights at `path`, or of all files of its folder.
pub(crate) fn bytes(path: &str) -> u64 {
    let path = Path::new(path);
    let size = |path: &Path| path.metadata().map_or(0, |found| found.len());
    match path.is_dir() {
        true => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| size(&entry.path())).sum()
        }
        false => size(path),
    }
}

/// Whether positions are rotations in a model of this `type`, so that its weights know no length.
fn is_free(name: &Value) -> bool {
    ["llama", "decoder", "modernbert"]
        .iter()
        .any(|free| name == free)
}

/// Keys of a model's description for `transformers` that its weights do not say: the tokens that begin, end
/// and fill texts, and how long they may be where the base says more than the training read.
pub(crate) fn more_keys(tokenizer: Option<&Tokenizer>, config: &RunConfig) -> Map<String, Value> {
    let mut keys = tokenizer.map(Tokenizer::ids).unwrap_or_default();
    let goes_on = matches!(
        config.task,
        TaskConfig::CausalLm(_)
            | TaskConfig::Dpo(_)
            | TaskConfig::Orpo(_)
            | TaskConfig::Reward(_)
            | TaskConfig::Seq2Seq(_)
    );
    keys.retain(|key, _| goes_on || key == "pad_token_id");
    keys.extend(start_of_target(tokenizer, config));
    let section = config.model.section();
    let base = section.start.and_then(|start| start.pretrained.as_deref());
    let positions = base.and_then(|base| Weights(base).longest(section.name));
    let positions = positions.filter(|most| *most > section.context as u64);
    keys.extend(positions.map(|most| ("max_position_embeddings".into(), most.into())));
    keys
}

/// The token that begins a target, where the model leaves that to the tokenizer.
fn start_of_target(tokenizer: Option<&Tokenizer>, config: &RunConfig) -> Option<(String, Value)> {
    let ModelConfig::Translation(table) = &config.model else {
        return None;
    };
    let end = tokenizer?.end_of_text()?;
    let is_unsaid = table.network.start_token().is_none();
    is_unsaid.then(|| ("decoder_start_token_id".into(), end.into()))
}

/// Why adapters that no run of this program has written are refused.
const OTHER_ADAPTERS: &str = "the folder holds adapters of another program, which are no model; merge them into their base first, and name that";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;

    use serde_json::json;

    use super::*;

    /// Metadata may have the name of the model, and then its `config.json` says all else.
    #[test]
    fn a_name_inside_the_weights_hides_nothing_of_what_is_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("model.safetensors");
        let beside = json!({
            "model_type": "vit", "id2label": {"0": "cup", "1": "bowl"}, "max_position_embeddings": 40
        });
        fs::write(folder.path().join("config.json"), beside.to_string()).unwrap();
        for (key, name) in [("architecture", "resnet50"), ("model_type", "vit")] {
            let metadata = HashMap::from([(key.to_owned(), name.to_owned())]);
            let empty: [(&str, safetensors::tensor::TensorView<'_>); 0] = [];
            let bytes = safetensors::serialize(empty, Some(metadata)).unwrap();
            fs::write(&weights, bytes).unwrap();
            for path in [folder.path(), &weights] {
                let path = path.display().to_string();
                let found = Weights(&path);
                assert_eq!(found.described().unwrap().others.len(), 2);
                assert_eq!(found.foreign().unwrap(), beside.as_object().cloned());
                assert_eq!(found.classes().unwrap(), ["cup", "bowl"]);
                assert_eq!(found.longest("llama"), Some(40));
            }
        }
        fs::remove_file(folder.path().join("config.json")).unwrap();
        let path = folder.path().display().to_string();
        assert_eq!(Weights(&path).foreign().unwrap(), None);
    }
}
