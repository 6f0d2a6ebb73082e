//! Values that are a number or a word.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// So many.
    Samples(NonZeroUsize),
    /// All rows of the split: full-batch gradient descent.
    Full,
    /// The largest power of two for which there is memory; who knows the model and the device puts a
    /// number in its place before the training.
    Auto,
}

/// In how many parts a batch is computed at once on a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuShards {
    /// As many as there are cores where that is faster and changes nothing, else one.
    #[default]
    Auto,
    /// So many.
    Count(NonZeroUsize),
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Samples(count) => count.serialize(serializer),
            Self::Full => serializer.serialize_str("full"),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountOr {
            count: Self::Samples,
            words: &[("full", Self::Full), ("auto", Self::Auto)],
            expected: "a whole number, \"full\" or \"auto\"",
        })
    }
}

impl JsonSchema for BatchSize {
    fn schema_name() -> Cow<'static, str> {
        "BatchSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [{ "type": "integer", "minimum": 1 }, { "enum": ["full", "auto"] }]
        })
    }
}

impl Serialize for CpuShards {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Count(count) => count.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CpuShards {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountOr {
            count: Self::Count,
            words: &[("auto", Self::Auto)],
            expected: "a whole number or \"auto\"",
        })
    }
}

impl JsonSchema for CpuShards {
    fn schema_name() -> Cow<'static, str> {
        "CpuShards".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [{ "type": "integer", "minimum": 1, "maximum": 256 }, { "const": "auto" }]
        })
    }
}

/// Reads a number from 1 on, or one of some words.
struct CountOr<T: 'static> {
    count: fn(NonZeroUsize) -> T,
    words: &'static [(&'static str, T)],
    expected: &'static str,
}

impl<T: Copy> Visitor<'_> for CountOr<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        let count = usize::try_from(value).ok().and_then(NonZeroUsize::new);
        let refused = || E::custom(format!("must be at least 1, but is {value}"));
        count.map(self.count).ok_or_else(refused)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        let value = i64::try_from(value).map_err(E::custom)?;
        self.visit_i64(value)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        let known = self.words.iter().find(|(known, _)| *known == word);
        let refused = || E::custom(format!("must be {}, but is \"{word}\"", self.expected));
        known.map(|(_, value)| *value).ok_or_else(refused)
    }
}
