//! Rotations in the words of Hugging Face's `config.json`.

use serde_json::{Map, Value, json};

use super::scaling::{RopeScaling, growth};
use crate::hugging_face::{Entry, Reader};

/// What a `config.json` says of one kind of rotations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turning {
    /// The base of the angles.
    pub theta: f64,
    /// The share of each head that is rotated.
    pub share: f64,
    /// How they are stretched to longer texts.
    pub scaling: Option<RopeScaling>,
}

/// What is known of rotations before their keys are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// `max_position_embeddings`.
    pub context: usize,
    /// The original length, where it is not among the rotations; that outweighs one that is.
    pub original: Option<usize>,
    /// Whether a share of a head may be rotated.
    pub may_be_partial: bool,
    /// Whether `su` and `yarn` are older names of `longrope`.
    pub has_older_names: bool,
}

impl Known {
    /// Whole heads are rotated, and the original length may be among the rotations.
    pub fn usual(context: usize) -> Self {
        Self {
            context,
            original: None,
            may_be_partial: false,
            has_older_names: false,
        }
    }
}

impl Turning {
    /// Rotations of whole heads that are not stretched.
    pub fn plain(theta: f64) -> Self {
        Self {
            theta,
            share: 1.0,
            scaling: None,
        }
    }

    /// What a file says, with the defaults in `self`. Newer versions keep the base in an object with the
    /// way in which the rotations are stretched; older ones have another object for that.
    pub fn read(self, reader: &mut Reader, known: Known) -> Self {
        let turning = Self {
            theta: reader.number("rope_theta", self.theta),
            share: share(reader, self.share, known),
            scaling: self.scaling,
        };
        turning.read_objects(reader, known)
    }

    /// What these objects say, with the defaults in `self`. `transformers` take one of them whole, so
    /// both must say the same. An original length beside them outweighs theirs.
    pub fn read_objects(self, reader: &mut Reader, known: Known) -> Self {
        let outer = |reader: &mut Reader| reader.count_or_none(ORIGINAL, None);
        let original = known.original.or_else(|| outer(reader));
        let known = Known { original, ..known };
        let [newer, older] = ["rope_parameters", "rope_scaling"].map(|key| {
            let says = |value: &Value| value.as_object().is_none_or(|keys| !keys.is_empty());
            let _ = reader.get(key).filter(|value| says(value))?;
            reader.within(key, |inner| self.clone().read_inner(inner, known))
        });
        if newer.is_some() && older.is_some() && newer != older {
            reader.problem("rope_scaling", DIFFER.into());
        }
        older.or(newer).unwrap_or(self)
    }

    /// How much of a context is read: where rotations change with the length of longer texts, no
    /// more than that length.
    pub fn context(&self, context: usize) -> usize {
        let longest = self.scaling.as_ref().and_then(RopeScaling::longest);
        longest.map_or(context, |longest| context.min(longest))
    }

    /// What one of these objects says.
    pub fn read_inner(self, reader: &mut Reader, known: Known) -> Self {
        let scaling = scaling(reader, known);
        for (key, value) in reader.entries() {
            // Plain rotations have no other keys; what others leave there says nothing.
            let is_read = KEYS.contains(&key) || (scaling.is_none() && !value.is_object());
            if !is_read {
                reader.refuse(key, value);
            }
        }
        Self {
            theta: reader.number("rope_theta", self.theta),
            share: share(reader, self.share, known),
            scaling: scaling.or(self.scaling),
        }
    }
}

const ORIGINAL: &str = "original_max_position_embeddings";

/// What is wrong with two objects of rotations.
pub(super) const DIFFER: &str =
    "and rope_parameters say different rotations; leave one of them out";

/// The keys of these objects.
const KEYS: [&str; 16] = [
    "rope_type",
    "type",
    "rope_theta",
    "partial_rotary_factor",
    "factor",
    ORIGINAL,
    "low_freq_factor",
    "high_freq_factor",
    "beta_fast",
    "beta_slow",
    "attention_factor",
    "mscale",
    "mscale_all_dim",
    "truncate",
    "short_factor",
    "long_factor",
];

fn share(reader: &mut Reader, usual: f64, known: Known) -> f64 {
    const KEY: &str = "partial_rotary_factor";
    let share = reader.number(KEY, usual);
    if let Some(found) = reader.get(KEY)
        && !known.may_be_partial
        && share != 1.0
    {
        reader.refuse(KEY, found);
    }
    share
}

fn scaling(reader: &mut Reader, known: Known) -> Option<RopeScaling> {
    let (key, kind) = ["rope_type", "type"]
        .into_iter()
        .find_map(|key| Some((key, reader.get(key)?)))?;
    let context = known.context;
    let original_length = match known.original {
        Some(length) => length,
        None => reader.count(ORIGINAL, context),
    };
    let name = match kind.as_str() {
        Some("su" | "yarn") if known.has_older_names => Some("longrope"),
        name => name,
    };
    Some(match name {
        Some("default") => return None,
        Some("linear") => RopeScaling::Linear {
            factor: reader.required("factor"),
        },
        Some("dynamic") => RopeScaling::Dynamic {
            factor: reader.required("factor"),
            original_length: context,
        },
        Some("llama3") => RopeScaling::Llama3 {
            factor: reader.required("factor"),
            low_freq_factor: reader.required("low_freq_factor"),
            high_freq_factor: reader.required("high_freq_factor"),
            original_length,
        },
        Some("yarn") => yarn(reader, original_length),
        Some("longrope") => longrope(reader, original_length, context),
        _ => {
            reader.refuse(key, kind);
            return None;
        }
    })
}

fn yarn(reader: &mut Reader, original_length: usize) -> RopeScaling {
    let factor = reader.required("factor");
    let [one, all] = ["mscale", "mscale_all_dim"].map(|key| reader.number(key, 0.0));
    let scaled = |scale: f64| 1.0 + scale * (growth(factor) - 1.0);
    let usual = match one != 0.0 && all != 0.0 {
        true => scaled(one) / scaled(all),
        false => growth(factor),
    };
    let attention_factor = Some(reader.number("attention_factor", usual));
    RopeScaling::Yarn {
        factor,
        original_length,
        beta_fast: reader.number("beta_fast", 32.0),
        beta_slow: reader.number("beta_slow", 1.0),
        attention_factor,
        truncate: reader.flag("truncate", true),
    }
}

fn longrope(reader: &mut Reader, original_length: usize, context: usize) -> RopeScaling {
    let mut factors = |key| {
        if reader.get(key).is_none() {
            reader.problem(key, "is missing".into());
        }
        let found = reader.list(key, "no list of numbers", Value::as_f64);
        found.unwrap_or_default()
    };
    let [short_factor, long_factor] = ["short_factor", "long_factor"].map(&mut factors);
    let length = original_length.max(1) as f64;
    let factor = reader.number("factor", context as f64 / length);
    let usual = match factor > 1.0 && length > 1.0 {
        true => (1.0 + factor.ln() / length.ln()).sqrt(),
        false => 1.0,
    };
    RopeScaling::Longrope {
        short_factor,
        long_factor,
        original_length,
        attention_factor: reader.number("attention_factor", usual),
    }
}

/// How rotations are stretched, if they are.
pub(crate) fn scaling_entry(scaling: Option<&RopeScaling>) -> Entry {
    let value = scaling.map_or(Value::Null, words);
    Entry::new("rope_scaling", "rope_scaling", value).left_out_if_null()
}

/// Most names are the same here and there.
fn words(scaling: &RopeScaling) -> Value {
    let own = json!(scaling.resolved());
    let is_dynamic = matches!(scaling, RopeScaling::Dynamic { .. });
    let theirs = |(name, value): (&String, &Value)| {
        let name = match name.as_str() {
            "type" => "rope_type",
            // It is `max_position_embeddings`.
            "original_length" if is_dynamic => return None,
            "original_length" => ORIGINAL,
            name => name,
        };
        Some((name.to_owned(), value.clone()))
    };
    let entries = own.as_object().into_iter().flatten();
    Value::Object(entries.filter_map(theirs).collect::<Map<_, _>>())
}
