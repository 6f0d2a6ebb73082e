//! Files in the folder of a `tokenizer.json` that say more of its tokens: which of them end a text, and how
//! others write a conversation.

use std::path::Path;

use serde_json::Value;

use crate::error::DataError;
use crate::files::read_small;

/// Files that go wherever the tokenizer goes, as Hugging Face's `transformers` calls them.
pub(super) const NAMES: [&str; 4] = [
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// The largest of them; the tokens that one adds may be some ten thousand.
const MOST_BYTES: u64 = 64 << 20;

/// The files beside a tokenizer.
#[derive(Clone, Debug, Default)]
pub(super) struct Companions {
    /// Those that are there, by name.
    pub files: Vec<(&'static str, String)>,
    /// The description of the model, which others write anew.
    model: Option<Value>,
}

/// A token of which the files speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Id(u32),
    Name(String),
}

impl Companions {
    /// Those in a folder.
    ///
    /// # Errors
    /// [`DataError::Read`] and [`DataError::Damaged`]: without one that is there, texts would end elsewhere or
    /// conversations be written otherwise, and nobody would know. `config.json`, a name that files of others have too,
    /// says nothing where it cannot be read.
    pub fn of(folder: &Path) -> Result<Self, DataError> {
        let mut files = Vec::new();
        for name in NAMES {
            let path = folder.join(name);
            if path.symlink_metadata().is_ok() {
                files.push((name, readable(&path)?));
            }
        }
        let model = readable(&folder.join("config.json"));
        Ok(Self {
            files,
            model: model.ok().and_then(|text| serde_json::from_str(&text).ok()),
        })
    }

    /// Those of a tokenizer that says itself what they would.
    pub fn made(files: Vec<(&'static str, String)>) -> Self {
        Self { files, model: None }
    }

    /// Puts a file in the place of one of this name.
    pub fn put(&mut self, name: &'static str, text: String) {
        self.files.retain(|(known, _)| *known != name);
        self.files.push((name, text));
    }

    /// Lets generation end at these tokens, where a file says anything of it.
    pub fn end_at(&mut self, ends: &[u32]) {
        const GENERATION: &str = "generation_config.json";
        if let Some(Value::Object(mut keys)) = self.json(GENERATION) {
            keys.insert("eos_token_id".into(), ends.into());
            let json = Value::Object(keys);
            self.put(GENERATION, format!("{json:#}\n"));
        }
    }

    fn json(&self, name: &str) -> Option<Value> {
        let file = self.files.iter().find(|(known, _)| *known == name);
        serde_json::from_str(&file?.1).ok()
    }

    /// The tokens for the key `eos`, `bos` or `pad`: as generation has them, or else the model, or else the
    /// tokenizer.
    pub fn tokens(&self, key: &str) -> Vec<Said> {
        let of_ids = |json: Option<Value>| ids(json?.get(format!("{key}_token_id"))?);
        let generation = of_ids(self.json("generation_config.json"));
        let ids = generation.or_else(|| of_ids(self.model.clone()));
        let ids = ids.map(|ids| ids.into_iter().map(Said::Id).collect());
        ids.unwrap_or_else(|| self.name(key).map(Said::Name).into_iter().collect())
    }

    /// The name that the tokenizer's own description has for the token.
    pub fn name(&self, key: &str) -> Option<String> {
        let json = self.json("tokenizer_config.json")?;
        let token = json.get(format!("{key}_token"))?;
        let name = token.as_str().or_else(|| token.get("content")?.as_str());
        name.map(str::to_owned)
    }
}

/// The text of a file. What should be an object of JSON is one, and names tokens by their numbers.
fn readable(path: &Path) -> Result<String, DataError> {
    let wrong = |what: String| {
        DataError::damaged(path, format!("{what}; put the file right, or remove it"))
    };
    let bytes = read_small(path, MOST_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no text in UTF-8".into()))?;
    if path.extension().is_none_or(|end| end != "json") {
        return Ok(text);
    }
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if !json.is_object() {
        return Err(wrong("it is no object of JSON".into()));
    }
    for key in ["eos_token_id", "bos_token_id", "pad_token_id"] {
        if let Some(value) = json.get(key).filter(|value| !names_tokens(value)) {
            return Err(wrong(format!(
                "{key} is {value}, which is no number of a token"
            )));
        }
    }
    Ok(text)
}

/// Whether it is a number of a token, a list of some, or says that there is none: `null`, or -1 as of old.
fn names_tokens(value: &Value) -> bool {
    let is_number = |value: &Value| value.as_u64().is_some() || value.as_i64() == Some(-1);
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().all(is_number),
        value => is_number(value),
    }
}

/// A number, or a list of some.
fn ids(value: &Value) -> Option<Vec<u32>> {
    let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let found: Vec<u32> = match value {
        Value::Array(values) => values.iter().filter_map(id).collect(),
        value => id(value).into_iter().collect(),
    };
    (!found.is_empty()).then_some(found)
}
