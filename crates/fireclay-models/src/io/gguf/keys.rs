//! The sizes in the metadata of a GGUF, each of which is taken, known to change nothing, or refused.

use std::cell::RefCell;
use std::collections::BTreeSet;

use fireclay_gguf::{Gguf, Value as Entry};
use serde_json::{Map, Value, json};

/// Sizes that change no number that a model computes, or that its tensors say.
const HARMLESS: [&str; 5] = [
    "vocab_size",
    "rope.scaling.finetuned",
    "tensor_data_layout",
    "expert_used_count",
    "expert_feed_forward_length",
];

/// Keys that change nothing with this value.
const NEUTRAL: [(&str, f64); 10] = [
    ("attention.causal", 1.0),
    ("attention.clamp_kqv", 0.0),
    ("attention.max_alibi_bias", 0.0),
    ("embedding_scale", 1.0),
    ("expert_shared_count", 0.0),
    ("leading_dense_block_count", 0.0),
    ("logit_scale", 1.0),
    ("nextn_predict_layers", 0.0),
    ("pooling_type", 0.0),
    ("residual_scale", 1.0),
];

/// A `config.json` that is being made.
pub(super) struct Keys<'a> {
    pub file: &'a Gguf,
    /// The architecture, which the names of its sizes begin with.
    name: &'a str,
    pub json: Map<String, Value>,
    pub problems: Vec<String>,
    /// What was asked for.
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Keys<'a> {
    pub fn new(file: &'a Gguf, name: &'a str) -> Self {
        Self {
            file,
            name,
            json: Map::new(),
            problems: Vec::new(),
            known: RefCell::default(),
        }
    }

    pub fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    fn own(&self, name: &str) -> Option<&'a Entry> {
        self.known.borrow_mut().insert(name.to_owned());
        self.file.metadata.get(&format!("{}.{name}", self.name))
    }

    /// A number, or a truth as 0 or 1.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.own(name)? {
            Entry::Integer(number) => Some(*number as f64),
            Entry::Number(number) => Some(*number),
            Entry::Truth(truth) => Some(f64::from(u8::from(*truth))),
            _ => None,
        }
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.own(name)? {
            Entry::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a number over, if it is there.
    pub fn may(&mut self, key: &str, name: &str) -> bool {
        let value = match self.own(name) {
            None => return false,
            Some(Entry::Number(number)) => Some(json!(number)),
            Some(entry) => same(entry).map(Value::from),
        };
        match value {
            Some(value) => self.put(key, value),
            None => self.refuse(name, "it is not one number"),
        }
        true
    }

    pub fn need(&mut self, key: &str, name: &str) {
        if !self.may(key, name) {
            self.refuse(name, "it is missing");
        }
    }

    /// Refuses a number that is there and is another than this one.
    pub fn equals(&mut self, name: &str, wanted: Option<f64>, why: &str) {
        if self.own(name).is_some() && self.number(name) != wanted {
            self.refuse(name, why);
        }
    }

    pub fn refuse(&mut self, name: &str, why: &str) {
        self.problems.push(format!("{}.{name}: {why}", self.name));
    }

    /// Refuses what nothing has asked for and what is not known to change nothing.
    pub fn refuse_others(&mut self) {
        for (name, neutral) in NEUTRAL {
            let why = format!("it is other than {neutral}, which is not read");
            self.equals(name, Some(neutral), &why);
        }
        let before = format!("{}.", self.name);
        let names = self.file.metadata.keys();
        let names = names.filter_map(|name| name.strip_prefix(&before));
        for name in names {
            if !HARMLESS.contains(&name) && !self.known.borrow().contains(name) {
                self.refuse(name, "it is not known what it changes");
            }
        }
    }
}

/// A count, or the one that each layer has where all have the same.
fn same(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Integer(number) => u64::try_from(*number).ok(),
        Entry::Integers(numbers) => {
            let (first, rest) = numbers.split_first()?;
            let count = u64::try_from(*first).ok()?;
            rest.iter().all(|number| number == first).then_some(count)
        }
        _ => None,
    }
}

/// How many heads of queries, or of keys, every layer has.
///
/// # Errors
///
/// If the file does not say one number for all layers.
pub(super) fn heads(file: &Gguf, of_keys: bool) -> Result<usize, String> {
    let name = file.text("general.architecture").unwrap_or_default();
    let queries = format!("{name}.attention.head_count");
    let keys = format!("{queries}_kv");
    let name = match of_keys && file.metadata.contains_key(&keys) {
        true => keys,
        false => queries,
    };
    let entry = file.metadata.get(&name);
    let entry = entry.ok_or_else(|| format!("{name}: it is missing"))?;
    let count = same(entry).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0);
    count.ok_or_else(|| format!("{name}: it is not one number of heads"))
}
