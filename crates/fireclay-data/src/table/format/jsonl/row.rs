//! The values of an object, and of the objects in it, by their keys.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::table::format::text::TextColumns;

/// Objects within objects that are taken apart; what lies deeper stays text.
const MOST_DEEP: usize = 16;

/// What is done with each value that is no object. The key `b` of an object under `a` is `a.b`.
trait Values {
    fn value(&mut self, key: &str, raw: &str) -> Result<(), String>;

    /// There is an object under this key.
    fn object(&mut self, _key: &str) {}
}

/// The keys in order of first appearance.
#[derive(Default)]
pub(super) struct Keys {
    order: Vec<String>,
    /// Whether each was seen with a value.
    holds: HashMap<String, bool>,
    objects: HashSet<String>,
}

impl Keys {
    /// The keys, without those that hold objects or null only.
    pub fn names(mut self) -> Vec<String> {
        self.order
            .retain(|key| self.holds[key] || !self.objects.contains(key));
        self.order
    }
}

impl Values for Keys {
    fn value(&mut self, key: &str, raw: &str) -> Result<(), String> {
        match self.holds.get_mut(key) {
            Some(holds) => *holds |= raw != "null",
            None => {
                self.holds.insert(key.to_owned(), raw != "null");
                self.order.push(key.to_owned());
            }
        }
        Ok(())
    }

    fn object(&mut self, key: &str) {
        if !self.objects.contains(key) {
            self.objects.insert(key.to_owned());
        }
    }
}

/// The rows under construction.
pub(super) struct Row {
    pub columns: TextColumns,
    index: HashMap<String, usize>,
}

impl Row {
    pub fn new(keys: &[String]) -> Self {
        let index = keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key.clone(), index));
        Self {
            columns: TextColumns::new(keys.to_vec()),
            index: index.collect(),
        }
    }
}

impl Values for Row {
    fn value(&mut self, key: &str, raw: &str) -> Result<(), String> {
        // A key that appeared only after the keys were listed belongs to a file that is growing.
        let Some(&column) = self.index.get(key) else {
            return Ok(());
        };
        if self.columns.is_filled(column) {
            return Err(format!("the key {key:?} comes twice"));
        }
        cell(&mut self.columns, column, raw)
    }
}

/// Adds a value that is no object to the row that is being read; numbers and lists stay the text that was written.
///
/// # Errors
///
/// If a text has an escape that is none.
pub(super) fn cell(columns: &mut TextColumns, column: usize, raw: &str) -> Result<(), String> {
    if raw == "null" {
        columns.push(column, None);
    } else if raw.starts_with('"') {
        let text: Text<'_> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
        let text = text.0.trim();
        columns.push(column, (!text.is_empty()).then_some(text));
    } else if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        columns.push_number(column, raw);
    } else {
        columns.push(column, Some(raw));
    }
    Ok(())
}

/// A text, which is copied only where it has escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for &mut Keys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(Object::top(self))
    }
}

impl<'de> DeserializeSeed<'de> for &mut Row {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(Object::top(self))
    }
}

/// An object that is being read.
struct Object<'a, V> {
    values: &'a mut V,
    /// What its keys begin with.
    prefix: &'a str,
    depth: usize,
}

impl<'a, V> Object<'a, V> {
    fn top(values: &'a mut V) -> Self {
        Self {
            values,
            prefix: "",
            depth: 0,
        }
    }
}

impl<'de, V: Values> Visitor<'de> for Object<'_, V> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let raw = map.next_value::<&RawValue>()?.get();
            let key = match self.prefix {
                "" => key,
                prefix => Cow::Owned(format!("{prefix}{key}")),
            };
            if raw.starts_with('{') && self.depth < MOST_DEEP {
                self.values.object(&key);
                let inner = Object {
                    values: &mut *self.values,
                    prefix: &format!("{key}."),
                    depth: self.depth + 1,
                };
                let mut parser = serde_json::Deserializer::from_str(raw);
                parser.deserialize_map(inner).map_err(A::Error::custom)?;
            } else {
                self.values.value(&key, raw).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}
