//! Values that are a number or a word.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// So many.
    Samples(NonZeroUsize),
    /// All rows of the split: full-batch gradient descent.
    Full,
    /// The largest power of two for which there is memory; see [`crate::estimate::settle_batch_size`].
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

/// The probability from which the answer of a binary classifier is the second class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// A probability.
    Fixed(f64),
    /// The one that is best on the validation split.
    Tune,
}

/// What the rows of each class weigh in the loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// All the same.
    #[default]
    None,
    /// Every class as a whole weighs the same: rows / (classes · rows of the class).
    Balanced,
    /// A number for each class by its name.
    ByName(BTreeMap<String, f64>),
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

impl Default for Threshold {
    fn default() -> Self {
        Self::Fixed(0.5)
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(value) => value.serialize(serializer),
            Self::Tune => serializer.serialize_str("tune"),
        }
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Probability;

        impl Visitor<'_> for Probability {
            type Value = Threshold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or \"tune\"")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Threshold, E> {
                Ok(Threshold::Fixed(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Threshold, E> {
                Ok(Threshold::Fixed(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Threshold, E> {
                Ok(Threshold::Fixed(value as f64))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Threshold, E> {
                match word {
                    "tune" => Ok(Threshold::Tune),
                    _ => Err(E::custom(number_or(word, "a number or \"tune\""))),
                }
            }
        }

        deserializer.deserialize_any(Probability)
    }
}

impl JsonSchema for Threshold {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [{ "type": "number", "minimum": 0, "maximum": 1 }, { "const": "tune" }]
        })
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Balanced => serializer.serialize_str("balanced"),
            Self::ByName(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Weights;

        impl<'de> Visitor<'de> for Weights {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"none\", \"balanced\" or a table with a number for each class")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<ClassWeights, E> {
                match word {
                    "none" => Ok(ClassWeights::None),
                    "balanced" => Ok(ClassWeights::Balanced),
                    _ => Err(E::unknown_variant(word, &["none", "balanced"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClassWeights, A::Error> {
                BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(ClassWeights::ByName)
            }
        }

        deserializer.deserialize_any(Weights)
    }
}

impl JsonSchema for ClassWeights {
    fn schema_name() -> Cow<'static, str> {
        "ClassWeights".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                { "enum": ["none", "balanced"] },
                { "type": "object", "additionalProperties": { "type": "number", "minimum": 0 } },
            ]
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
        let refused = || E::custom(number_or(word, self.expected));
        known.map(|(_, value)| *value).ok_or_else(refused)
    }
}

/// The refusal of a word where a number or another word was wanted.
fn number_or(word: &str, expected: &str) -> String {
    format!("must be {expected}, but is \"{word}\"")
}
