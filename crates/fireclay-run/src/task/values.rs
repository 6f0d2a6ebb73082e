//! Values of the table `[task]` that are a number, a table or a word.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The probability from which the answer of a binary classifier is the positive class.
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

/// A class of the target by its name; what is no text is taken as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassName(String);

impl ClassName {
    /// Its place among the classes: spelled alike, else but for the case of letters, else the same number.
    pub fn find(&self, classes: &[String]) -> Option<usize> {
        let number = self.0.parse::<f64>().ok();
        let same = [
            &|class: &String| *class == self.0,
            &|class: &String| class.eq_ignore_ascii_case(&self.0),
            &|class: &String| number.is_some() && class.parse().ok() == number,
        ] as [&dyn Fn(&String) -> bool; 3];
        same.into_iter()
            .find_map(|is_same| classes.iter().position(is_same))
    }
}

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for ClassName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClassName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = ClassName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a class")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ClassName, E> {
                Ok(ClassName(name.to_owned()))
            }

            fn visit_i64<E: Error>(self, name: i64) -> Result<ClassName, E> {
                Ok(ClassName(name.to_string()))
            }

            fn visit_u64<E: Error>(self, name: u64) -> Result<ClassName, E> {
                Ok(ClassName(name.to_string()))
            }

            fn visit_f64<E: Error>(self, name: f64) -> Result<ClassName, E> {
                Ok(ClassName(name.to_string()))
            }

            fn visit_bool<E: Error>(self, name: bool) -> Result<ClassName, E> {
                Ok(ClassName(name.to_string()))
            }
        }

        deserializer.deserialize_any(Name)
    }
}

impl JsonSchema for ClassName {
    fn schema_name() -> Cow<'static, str> {
        "ClassName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
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
                    _ => Err(E::custom(format!(
                        "must be a number or \"tune\", but is \"{word}\""
                    ))),
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

/// A coverage that is none, as (key, message).
pub(super) fn check_coverage(coverage: Option<f64>) -> Option<(String, String)> {
    let coverage = coverage.filter(|coverage| !(*coverage > 0.0 && *coverage < 1.0))?;
    let message = format!("must be between 0 and 1, but is {coverage}");
    Some(("coverage".into(), message))
}

/// A share of label smoothing outside of [0, 1), as (key, message).
pub(super) fn check_smoothing(smoothing: f64) -> Option<(String, String)> {
    (!(0.0..1.0).contains(&smoothing)).then(|| {
        let message = format!("must be at least 0 and below 1, but is {smoothing}");
        ("label_smoothing".into(), message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_as_they_are_written() {
        let find = |name: &str, classes: [&str; 2]| {
            ClassName(name.into()).find(&classes.map(String::from))
        };
        assert_eq!(find("yes", ["no", "yes"]), Some(1));
        assert_eq!(find("Yes", ["no", "yes"]), Some(1));
        assert_eq!(find("Yes", ["yes", "Yes"]), Some(1));
        assert_eq!(find("1", ["0.0", "1.0"]), Some(1));
        assert_eq!(find("true", ["False", "True"]), Some(1));
        assert_eq!(find("2", ["0", "1"]), None);
        assert_eq!(find("maybe", ["no", "yes"]), None);
    }
}
