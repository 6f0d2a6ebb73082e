//! Models of others, as they come from the hub of Hugging Face or as a GGUF: ready to answer without a training.
//!
//! Such a model is opened like a run that has ended. Its configuration is made of what the model says of itself, by
//! the same function that completes a `[model]` table with `pretrained`, and its weights are those of its base: itself.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_models::pretrained::weights_file;
use fireclay_models::{EncoderConfig, Family, ImageConfig, LanguageConfig, TranslationConfig};
use fireclay_train::run_folder::{self, FolderError};
use serde_json::{Value, json};

use crate::artifacts::ADAPTERS;
use crate::config::Loaded;
use crate::pretrained::Weights;
use crate::run::{Base, RunError};

/// Whether there is a model of others at `path`, and no run: a file, or a folder with weights.
///
/// # Errors
///
/// If it is a folder of which a file has to be named, one with adapters alone, or a run without its configuration.
pub(crate) fn is_at(path: &Path) -> Result<bool, RunError> {
    if path.is_file() {
        return Ok(true);
    }
    if !path.is_dir() || is_checkpoint(path) {
        return Ok(false);
    }
    match run_folder::find(path) {
        Ok(_) => return Ok(false),
        // Its weights would be taken for a model of others.
        Err(error @ FolderError::NoConfig(_)) => return Err(error.into()),
        Err(_) => {}
    }
    if weights_file(path).is_ok() {
        return Ok(true);
    }
    if path.join(ADAPTERS).exists() {
        return Err(RunError::Usage(format!(
            "{0} holds adapters and no model; name their base, and the adapters with --adapter {0}, or merge them into it: \
             `fireclay export RUN --merge --output FOLDER`, or `merge_and_unload` of PEFT",
            path.display()
        )));
    }
    let found = gguf_files(path);
    match found.is_empty() {
        true => Ok(false),
        false => Err(RunError::Usage(format!(
            "{} holds no weights in safetensors; name a file of it: {}",
            path.display(),
            found.join(", ")
        ))),
    }
}

fn is_checkpoint(path: &Path) -> bool {
    path.join("manifest.json").is_file()
}

fn gguf_files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_gguf = |path: &PathBuf| {
        let end = path.extension();
        end.is_some_and(|end| end.eq_ignore_ascii_case("gguf"))
    };
    let mut found: Vec<String> = paths
        .filter(is_gguf)
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    found
}

/// The configuration with which the model at `path` answers.
///
/// # Errors
///
/// If it does not say which model it is, reads neither texts nor images, or reads texts and has no tokenizer.
pub(crate) fn load(path: &Path) -> Result<Loaded, RunError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let name = path.display().to_string();
    let wrong = |reason: &str| RunError::Usage(format!("{name} cannot be used: {reason}"));
    let weights = Weights(&name);
    let stated = weights
        .stated()
        .map_err(|error| wrong(&error.to_string()))?;
    let stated = stated.ok_or_else(|| wrong(UNDESCRIBED))?;
    let kind = stated.keys.get("type").and_then(Value::as_str);
    let kind = kind.unwrap_or_default();
    let Some(mut table) = tables(kind, &name) else {
        let reason = format!(
            "it is of type \"{kind}\", which reads neither texts nor images; name the run that it was exported from"
        );
        return Err(wrong(&reason));
    };
    if !is_of(ImageConfig::TYPES, kind) && weights.tokenizer().is_none() {
        return Err(wrong(NO_TOKENIZER));
    }
    table["model"] = json!({ "pretrained": name });
    if let Some(context) = stated.keys.get("context_length") {
        table["model"]["context_length"] = match (kind, context.as_u64()) {
            ("t5", Some(context)) => json!(context.max(CONTEXT)),
            _ => context.clone(),
        };
    }
    let text = toml::to_string(&table).expect("plain data");
    Ok(Loaded::of_model(&name, &text)?)
}

/// What a model of this type is used for, as far as the weights do not say it; none where it reads neither texts nor
/// images.
fn tables(kind: &str, name: &str) -> Option<Value> {
    // One window goes through the model at a time: a vocabulary may be large.
    let of_text = |task: &str| {
        json!({
            "data": { "type": "text", "path": name },
            "task": { "type": task },
            "train": { "epochs": 1, "batch_size": 1 },
        })
    };
    if is_of(LanguageConfig::TYPES, kind) {
        return Some(of_text("causal_lm"));
    }
    if is_of(EncoderConfig::TYPES, kind) {
        return Some(of_text("masked_lm"));
    }
    if is_of(ImageConfig::TYPES, kind) {
        return Some(json!({
            "data": { "type": "image_folder", "path": name },
            "task": { "type": "classification" },
            "train": { "epochs": 1 },
        }));
    }
    // The most probable token each time, as `transformers` does where nothing else is asked for.
    let translates = || {
        json!({
            "data": { "type": "pair_table", "path": name },
            "task": { "type": "seq2seq", "beam_size": 1, "length_penalty": 0.0 },
            "train": { "epochs": 1 },
        })
    };
    is_of(TranslationConfig::TYPES, kind).then(translates)
}

fn is_of(types: &[(&str, &str)], kind: &str) -> bool {
    types.iter().any(|(known, _)| *known == kind)
}

/// Tokens of a text that a T5 reads, though it was trained on fewer: what is far away is all alike to it.
const CONTEXT: u64 = 2048;

const UNDESCRIBED: &str = "nothing says which model it is; a config.json has to be in its folder";
const NO_TOKENIZER: &str = "it has no tokenizer.json, without which no text becomes tokens; a tokenizer.model alone is not \
                            read: transformers writes a tokenizer.json with `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)`";

/// What the model at `path` is opened with.
///
/// # Errors
///
/// As for [`load`].
pub(crate) fn base(path: &Path, device: &Device) -> Result<Base, RunError> {
    let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    Ok(Base {
        loaded: load(path)?,
        run: folder.clone(),
        folder,
        device: device.clone(),
        scratch: None,
    })
}
