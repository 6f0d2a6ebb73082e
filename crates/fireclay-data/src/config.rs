//! What the tables of a configuration have in common.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

/// A table with these texts, and the default for every other key.
pub(crate) fn with_defaults<T: DeserializeOwned, const N: usize>(texts: [(&str, String); N]) -> T {
    let texts = texts.map(|(key, text)| (key.to_owned(), text.into()));
    let table = serde_json::Value::Object(texts.into_iter().collect());
    serde_json::from_value(table).expect("every other key has a default")
}

/// All problems of a table: pairs of a key and a message.
#[derive(Default)]
pub(crate) struct Problems(pub Vec<(String, String)>);

impl Problems {
    pub(crate) fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.push((key.to_owned(), message.into()));
    }

    /// The problems of a table inside this one.
    pub(crate) fn add_all(&mut self, table: &str, problems: Vec<(String, String)>) {
        for (key, message) in problems {
            self.add(&format!("{table}.{key}"), message);
        }
    }

    /// Texts that are given must not be empty.
    pub(crate) fn check_texts<const N: usize>(&mut self, texts: [(&str, Option<&String>); N]) {
        for (key, text) in texts {
            if text.is_some_and(|text| text.trim().is_empty()) {
                self.add(key, "must not be empty");
            }
        }
    }

    /// Names in a list must not be empty, nor there twice.
    pub(crate) fn check_list(&mut self, key: &str, names: &[String]) {
        let mut seen = HashSet::new();
        for name in names {
            if name.trim().is_empty() {
                self.add(key, "must not hold an empty name");
            } else if !seen.insert(name) {
                self.add(key, format!("names {name:?} twice"));
            }
        }
    }

    /// A number of things must not be 0.
    pub(crate) fn check_count(&mut self, key: &str, count: Option<usize>) {
        if count == Some(0) {
            self.add(key, "must be at least 1, but is 0");
        }
    }
}
