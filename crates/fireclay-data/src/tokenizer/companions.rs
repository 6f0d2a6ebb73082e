//! Files in the folder of a `tokenizer.json` that say more of its tokens: which of them end a text, and how
//! others write a conversation.

use std::path::Path;

use serde_json::Value;

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
    /// Those in a folder. One that cannot be read says nothing.
    pub fn of(folder: &Path) -> Self {
        let read = |name: &str| {
            let bytes = read_small(&folder.join(name), MOST_BYTES).ok()?;
            String::from_utf8(bytes).ok()
        };
        let file = |name: &&'static str| Some((*name, read(name)?));
        Self {
            files: NAMES.iter().filter_map(file).collect(),
            model: read("config.json").and_then(|text| serde_json::from_str(&text).ok()),
        }
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

/// A number, or a list of some.
fn ids(value: &Value) -> Option<Vec<u32>> {
    let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let found: Vec<u32> = match value {
        Value::Array(values) => values.iter().filter_map(id).collect(),
        value => id(value).into_iter().collect(),
    };
    (!found.is_empty()).then_some(found)
}
