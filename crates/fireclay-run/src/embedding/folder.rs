//! What the folder of a model says of its vectors, in the files of the library sentence-transformers.

use std::io::ErrorKind;
use std::path::Path;

use fireclay_guard::text;
use serde_json::{Map, Value};

use super::{Embedding, Pooling};

/// The largest file that is read; real ones have some hundred bytes.
const LARGEST: u64 = 1 << 20;

/// The ways to pool that are known, by the names of the library.
const POOLINGS: [(&str, Pooling); 4] = [
    ("cls", Pooling::First),
    ("mean", Pooling::Mean),
    ("mean_sqrt_len_tokens", Pooling::RootMean),
    ("max", Pooling::Max),
];

/// The same as keys of older files.
const FLAGS: [(&str, Pooling); 4] = [
    ("pooling_mode_cls_token", Pooling::First),
    ("pooling_mode_mean_tokens", Pooling::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", Pooling::RootMean),
    ("pooling_mode_max_tokens", Pooling::Max),
];

/// What the library looks for, in its order, to learn how texts are read.
const READING: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

const MODULES: &str = "modules.json";

/// Reads it; where nothing says how, vectors are the [usual](Embedding::usual) ones, and that is said.
pub(super) fn read(folder: &Path, context: usize) -> Result<Embedding, String> {
    let mut embedding = Embedding::usual(context);
    match json(&folder.join(MODULES))? {
        None => embedding.said.push(format!(
            "nothing in {} says how vectors are made, as {MODULES} of sentence-transformers would",
            folder.display()
        )),
        Some(Value::Array(modules)) => read_modules(&mut embedding, folder, &modules)?,
        Some(_) => return Err(format!("{MODULES} is no list")),
    }
    read_lengths(&mut embedding, folder)?;
    read_prompts(&mut embedding, folder)?;
    Ok(embedding)
}

/// A model, a pooling, and a scaling to length 1 if there is one.
fn read_modules(embedding: &mut Embedding, folder: &Path, modules: &[Value]) -> Result<(), String> {
    let kind = |module: &Value| {
        let kind = module["type"].as_str().unwrap_or_default();
        kind.rsplit('.').next().unwrap_or_default().to_owned()
    };
    let kinds: Vec<String> = modules.iter().map(kind).collect();
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    embedding.is_normalised = match kinds[..] {
        ["Transformer", "Pooling"] => false,
        ["Transformer", "Pooling", "Normalize"] => true,
        _ => {
            return Err(format!(
                "{MODULES} lists {}, but only a Transformer, a Pooling and a Normalize, in this order, are known",
                kinds.join(", ")
            ));
        }
    };
    let [first, second] = [0, 1].map(|index| modules[index]["path"].as_str().unwrap_or_default());
    if !matches!(first, "" | ".") {
        return Err(format!("{MODULES} has its model in {first}"));
    }
    let path = folder.join(plain(second)?).join("config.json");
    let pooling = object(&path)?.ok_or_else(|| format!("there is no {}", path.display()))?;
    embedding.pooling = pooling_of(&pooling)?;
    let is_told = |key: &str| pooling.get(key) == Some(&Value::Bool(false));
    if is_told("include_prompt") {
        // Without a prompt there is none to leave out.
        let named = object(&folder.join(PROMPTS))?.unwrap_or_default();
        if named.get(DEFAULT).is_some_and(|name| !name.is_null()) {
            return Err("its pooling leaves the prompt out, which is not done here".into());
        }
    }
    Ok(())
}

/// The name of a folder within another one.
fn plain(name: &str) -> Result<&str, String> {
    let is_plain = !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.');
    let wrong = || format!("{MODULES} has its pooling in {name:?}, which is no name of a folder");
    is_plain.then_some(name).ok_or_else(wrong)
}

/// The one way to pool that a file names.
fn pooling_of(json: &Map<String, Value>) -> Result<Pooling, String> {
    let is_chosen = |(key, value): &(&String, &Value)| {
        key.starts_with("pooling_mode_") && **value == Value::Bool(true)
    };
    let chosen = json.iter().filter(is_chosen).map(|(key, _)| &**key);
    let chosen: Vec<&str> = chosen.collect();
    let (names, known): (Vec<&str>, _) = match json.get("pooling_mode") {
        Some(Value::String(name)) => (vec![name], &POOLINGS),
        Some(Value::Array(names)) => {
            let names = names.iter().map(|name| name.as_str().unwrap_or_default());
            (names.collect(), &POOLINGS)
        }
        Some(other) => return Err(format!("its pooling_mode is {other}, which is no name")),
        // The library's own default.
        None if chosen.is_empty() => (vec!["mean"], &POOLINGS),
        None => (chosen, &FLAGS),
    };
    let find = |wanted: &str| known.iter().find(|(name, _)| *name == wanted);
    match names[..] {
        [name] => match find(name) {
            Some((_, pooling)) => Ok(*pooling),
            None => Err(format!("its pooling is {name}, which is not known here")),
        },
        [] => Err("its pooling names no way to pool".into()),
        _ => Err(format!(
            "its pooling is {} at once, but only one way is known here",
            names.join(", ")
        )),
    }
}

/// How long texts may be, and whether they are put in small letters.
fn read_lengths(embedding: &mut Embedding, folder: &Path) -> Result<(), String> {
    let mut reading = None;
    for name in READING {
        if reading.is_none() {
            reading = object(&folder.join(name))?;
        }
    }
    let reading = reading.unwrap_or_default();
    for (key, value) in &reading {
        match key.as_str() {
            "do_lower_case" => embedding.lowercase = value == &Value::Bool(true),
            "module_output_name" if value != "token_embeddings" => {
                return Err(format!("its vectors are made of {value}"));
            }
            "transformer_task" if value != "feature-extraction" => {
                return Err(format!("its vectors come from the task {value}"));
            }
            "modality_config" => check_text(&value["text"])?,
            _ => {}
        }
    }
    let said = match count(reading.get("max_seq_length")) {
        None => longest(folder)?,
        said => said,
    };
    embedding.most = embedding.most.min(said.unwrap_or(usize::MAX));
    Ok(())
}

/// The tokens of a text that `transformers` give the model in a folder at most, by its tokenizer's description.
///
/// # Errors
///
/// If the description cannot be read.
pub(crate) fn longest(folder: &Path) -> Result<Option<usize>, String> {
    let tokenizer = object(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
    Ok(count(tokenizer.get("model_max_length")))
}

/// A length. Some say a number that stands for no limit, too large for a whole one.
fn count(value: Option<&Value>) -> Option<usize> {
    usize::try_from(value?.as_u64()?).ok()
}

/// Refuses other vectors than the last hidden states of texts.
fn check_text(text: &Value) -> Result<(), String> {
    let known = [
        ("method", "forward"),
        ("method_output_name", "last_hidden_state"),
    ];
    for (key, only) in known {
        if text.get(key).is_some_and(|found| found != only) {
            return Err(format!("its vectors of texts have {key} = {}", text[key]));
        }
    }
    Ok(())
}

const PROMPTS: &str = "config_sentence_transformers.json";
const DEFAULT: &str = "default_prompt_name";

/// What is put before each text by default. Other prompts are for the user to write.
fn read_prompts(embedding: &mut Embedding, folder: &Path) -> Result<(), String> {
    let json = object(&folder.join(PROMPTS))?.unwrap_or_default();
    let none = Map::new();
    let prompts = json.get("prompts").and_then(Value::as_object);
    let prompts = prompts.unwrap_or(&none);
    match json.get(DEFAULT).filter(|name| !name.is_null()) {
        Some(name) => {
            let prompt = name.as_str().and_then(|name| prompts.get(name)?.as_str());
            let prompt = prompt.ok_or_else(|| format!("{PROMPTS} has no prompt {name}"))?;
            embedding
                .said
                .push(format!("{prompt:?} is put before each text"));
            embedding.prompt = prompt.to_owned();
        }
        None => {
            let written = prompts.iter().filter(|(_, prompt)| **prompt != "");
            let named: Vec<String> = written.map(|(name, it)| format!("{name}: {it}")).collect();
            if !named.is_empty() {
                embedding.said.push(format!(
                    "nothing is put before the texts; the model knows prompts, which can be written there ({})",
                    named.join(", ")
                ));
            }
        }
    }
    Ok(())
}

/// The object in a file, if there is one.
fn object(path: &Path) -> Result<Option<Map<String, Value>>, String> {
    match json(path)? {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(format!("{} is no object", path.display())),
    }
}

fn json(path: &Path) -> Result<Option<Value>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match text(path, LARGEST) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
        Ok(text) => match serde_json::from_str(&text) {
            Ok(json) => Ok(Some(json)),
            Err(error) => Err(failed(&error)),
        },
    }
}

#[cfg(test)]
mod tests;
