//! The fields of a row of questions, with errors for whoever wrote it.

use serde_json::{Map, Value};

/// An object of a file.
pub(super) struct Row<'a>(pub &'a Map<String, Value>);

impl Row<'_> {
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| !value.is_null())
    }

    /// # Errors
    /// If it is missing.
    pub fn value(&self, key: &str) -> Result<&Value, String> {
        let value = self.0.get(key).filter(|value| !value.is_null());
        value.ok_or_else(|| format!("{key:?} is missing"))
    }

    /// # Errors
    /// If it is missing or no text.
    pub fn text(&self, key: &str) -> Result<&str, String> {
        let text = self.value(key)?.as_str();
        text.ok_or_else(|| format!("{key:?} is no text"))
    }

    /// # Errors
    /// If it is missing or no list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        texts(self.value(key)?).ok_or_else(|| format!("{key:?} is no list of texts"))
    }

    /// A number, or a text of one, as files have both; such a text is empty where the answer is kept back.
    ///
    /// # Errors
    /// If it is missing, or no whole number from 0.
    pub fn index(&self, key: &str) -> Result<usize, String> {
        let value = self.value(key)?;
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(is_true) => Some(u64::from(*is_true)),
            value => value.as_u64(),
        };
        let held =
            || format!("{key:?} is {value}, which is no answer: such a question cannot be judged");
        number.map(|number| number as usize).ok_or_else(held)
    }
}

/// A list of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    let each = value.as_array()?.iter();
    each.map(|text| text.as_str().map(str::to_owned)).collect()
}
