//! The tokenizer in a GGUF, as a `tokenizer.json` and the files beside it.

mod bpe;
mod pieces;

use std::path::Path;

use fireclay_gguf::{Gguf, GgufError};
use serde_json::{Map, Value, json};

use super::bounds::MOST_BYTES;
use super::companions::Companions;
use crate::error::DataError;

/// The text of a `tokenizer.json` for the tokenizer in the file at `path`, and what it says of its tokens.
///
/// # Errors
/// [`DataError::Read`]; [`DataError::Damaged`] if there is no tokenizer in it, or one that is not read.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, Companions), DataError> {
    let file = Gguf::open(path).map_err(|error| match error {
        GgufError::Io(source) => DataError::read(path, source),
        error => DataError::damaged(path, error.to_string()),
    })?;
    let wrong =
        |message: String| DataError::damaged(path, format!("its tokenizer is not read: {message}"));
    let tokens = Tokens::of(&file).map_err(wrong)?;
    let json = match file.text("tokenizer.ggml.model") {
        Some("gpt2") => bpe::json(&file, &tokens),
        Some("llama") => pieces::json(&file, &tokens),
        Some(other) => Err(format!(
            "tokenizer.ggml.model is \"{other}\", and gpt2 (byte-level BPE) and llama (SentencePiece) are known"
        )),
        None => Err("it does not say its tokenizer.ggml.model".into()),
    };
    let json = json.map_err(wrong)?.to_string();
    if json.len() as u64 > MOST_BYTES {
        return Err(wrong(format!(
            "as a tokenizer.json it has {} bytes, and none has more than {MOST_BYTES}",
            json.len()
        )));
    }
    Ok((json.into_bytes(), companions(&file, &tokens)))
}

/// The vocabulary of a file.
struct Tokens<'a> {
    names: &'a [String],
    kinds: Option<&'a [i64]>,
}

/// The kinds of tokens, as SentencePiece has them.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER: i64 = 4;

impl<'a> Tokens<'a> {
    fn of(file: &'a Gguf) -> Result<Self, String> {
        let names = file.texts("tokenizer.ggml.tokens");
        let names = names.ok_or("it has no tokenizer.ggml.tokens")?;
        let kinds = file.integers("tokenizer.ggml.token_type");
        match kinds.is_none_or(|kinds| kinds.len() == names.len()) {
            true => Ok(Self { names, kinds }),
            false => Err("tokenizer.ggml.token_type is not as long as the vocabulary".into()),
        }
    }

    /// The token that an entry of the metadata names.
    fn named(&self, file: &Gguf, key: &str) -> Option<(u64, &'a str)> {
        let id = file.count(&format!("tokenizer.ggml.{key}_token_id"))?;
        let name = self.names.get(usize::try_from(id).ok()?)?;
        Some((id, name))
    }

    /// The numbers of the tokens by their names.
    fn vocabulary(&self) -> Result<Map<String, Value>, String> {
        let mut vocabulary = Map::new();
        for (id, name) in self.names.iter().enumerate() {
            if vocabulary.insert(name.clone(), id.into()).is_some() {
                return Err(format!("two tokens are called {name:?}"));
            }
        }
        Ok(vocabulary)
    }

    /// Tokens that are found in a text before all others. Those that steer a model are left out of what it writes.
    fn added(&self) -> Vec<Value> {
        let kinds = self.kinds.unwrap_or_default().iter();
        let added = kinds.zip(self.names).enumerate();
        let added = added.filter(|(_, (kind, _))| [UNKNOWN, CONTROL, USER].contains(kind));
        let token = |(id, (kind, name)): (usize, (&i64, &String))| {
            json!({
                "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *kind != USER,
            })
        };
        added.map(token).collect()
    }
}

/// A whole `tokenizer.json` of these parts.
fn document(
    file: &Gguf,
    tokens: &Tokens<'_>,
    starts: bool,
    parts: [(&str, Value); 4],
) -> Result<Value, String> {
    let mut json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": tokens.added(),
        "post_processor": template(file, tokens, starts)?,
    });
    for (key, part) in parts {
        json[key] = part;
    }
    Ok(json)
}

/// What is put around a text. `starts`: whether something is put before it where the file does not say.
fn template(file: &Gguf, tokens: &Tokens<'_>, starts: bool) -> Result<Value, String> {
    let around = |side: &str, key: &str, usual: bool| {
        let adds = file.truth(&format!("tokenizer.ggml.add_{side}_token"));
        match adds.unwrap_or(usual) {
            false => Ok(None),
            true => tokens.named(file, key).map(Some).ok_or_else(|| {
                format!(
                    "it puts a token around texts and does not say tokenizer.ggml.{key}_token_id"
                )
            }),
        }
    };
    let (start, end) = (around("bos", "bos", starts)?, around("eos", "eos", false)?);
    if start.is_none() && end.is_none() {
        return Ok(Value::Null);
    }
    let special = |(_, name): (u64, &str)| json!({ "SpecialToken": { "id": name, "type_id": 0 } });
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let single = start
        .map(special)
        .into_iter()
        .chain([text])
        .chain(end.map(special));
    let named = start.into_iter().chain(end).map(|(id, name)| {
        let token = json!({ "id": name, "ids": [id], "tokens": [name] });
        (name.to_owned(), token)
    });
    Ok(json!({
        "type": "TemplateProcessing",
        "single": single.collect::<Vec<_>>(),
        "pair": [
            { "Sequence": { "id": "A", "type_id": 0 } },
            { "Sequence": { "id": "B", "type_id": 1 } },
        ],
        "special_tokens": named.collect::<Map<_, _>>(),
    }))
}

/// The keys of tokens that end a text: the end of it, of a turn, and of a message.
const ENDS: [&str; 3] = ["eos", "eot", "eom"];

/// What tokens that end a turn are called. A file need not name them, and a conversation that goes through the template
/// ends at them all the same.
const TURN_ENDS: [&str; 5] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|eom_id|>",
];

/// The tokens that steer the model, are called like the end of a turn, and are in the template of the file.
fn turn_ends(file: &Gguf, tokens: &Tokens<'_>) -> Vec<u64> {
    let template = file.text("tokenizer.chat_template").unwrap_or_default();
    let kinds = tokens.kinds.unwrap_or_default().iter();
    let named = (0..).zip(kinds.zip(tokens.names));
    let ends = named.filter(|(_, (kind, name))| {
        [CONTROL, USER].contains(kind)
            && TURN_ENDS.contains(&name.as_str())
            && template.contains(name.as_str())
    });
    ends.map(|(id, _)| id).collect()
}

/// What files beside a `tokenizer.json` would say.
fn companions(file: &Gguf, tokens: &Tokens<'_>) -> Companions {
    let id = |key: &str| tokens.named(file, key).map(|(id, _)| id);
    let mut ends: Vec<u64> = ENDS.into_iter().filter_map(id).collect();
    ends.extend(turn_ends(file, tokens));
    let mut seen = std::collections::BTreeSet::new();
    ends.retain(|end| seen.insert(*end));
    let mut generation = Map::new();
    let starts = [("bos_token_id", id("bos")), ("pad_token_id", id("padding"))];
    let known = starts.into_iter().filter_map(|(key, id)| Some((key, id?)));
    generation.extend(known.map(|(key, id)| (key.to_owned(), id.into())));
    if !ends.is_empty() {
        generation.insert("eos_token_id".into(), ends.into());
    }
    let mut config = Map::new();
    config.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
    config.insert("clean_up_tokenization_spaces".into(), false.into());
    let roles = [
        ("bos", "bos"),
        ("eos", "eos"),
        ("unknown", "unk"),
        ("padding", "pad"),
    ];
    for (key, role) in roles {
        let name = tokens.named(file, key).map(|(_, name)| name.into());
        config.extend(name.map(|name| (format!("{role}_token"), name)));
    }
    let template = file.text("tokenizer.chat_template");
    config.extend(template.map(|template| ("chat_template".to_owned(), template.into())));
    let text = |json: Map<String, Value>| format!("{:#}\n", Value::from(json));
    let mut files = Vec::new();
    if !generation.is_empty() {
        files.push(("generation_config.json", text(generation)));
    }
    files.push(("tokenizer_config.json", text(config)));
    Companions::made(files)
}

#[cfg(test)]
mod tests;
