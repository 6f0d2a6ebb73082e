//! What tells the rows of two preprocessings apart.

use std::collections::{HashMap, HashSet};

use super::encoder::Encoder;
use super::{Feature, Preprocess};

impl Preprocess {
    /// Why what `other` encodes is not what this one has encoded: columns, kinds, categories and classes. Means
    /// and the like may differ; they are not what a model has learned about.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let [own, others] = [&self.features, &other.features].map(|features| by_name(features));
        for feature in &self.features {
            match others.get(feature.name.as_str()) {
                None => found.push(format!("the column {:?} is not there", feature.name)),
                Some(other) => {
                    let why = feature.encoder.difference(&other.encoder);
                    found.extend(why.map(|why| format!("the column {:?} {why}", feature.name)));
                }
            }
        }
        let known = |name: &str| own.contains_key(name);
        let new = other
            .features
            .iter()
            .filter(|feature| !known(&feature.name));
        found.extend(new.map(|feature| format!("the column {:?} is new", feature.name)));
        let target = self.target();
        if target != other.target() || self.target_kind() != other.target_kind() {
            found.push(format!("the target {:?} was {target:?}", other.target()));
        }
        let new = unknown(self.classes(), other.classes());
        found.extend(new.map(|names| format!("the target has new classes: {names}")));
        found
    }

    /// Whether both encode every row to the same numbers. A run of before has no ranges.
    pub fn encodes_as(&self, other: &Self) -> bool {
        self.without_ranges() == other.without_ranges()
    }

    fn without_ranges(&self) -> Self {
        let mut bare = self.clone();
        for feature in &mut bare.features {
            if let Encoder::Numeric(scale) = &mut feature.encoder {
                scale.range = None;
            }
        }
        bare
    }
}

fn by_name(features: &[Feature]) -> HashMap<&str, &Feature> {
    let named = features.iter();
    named
        .map(|feature| (feature.name.as_str(), feature))
        .collect()
}

/// The names that are not among the known ones, the first of them.
pub(super) fn unknown(known: &[String], names: &[String]) -> Option<String> {
    const SHOWN: usize = 5;
    let known: HashSet<&String> = known.iter().collect();
    let new = names.iter().filter(|name| !known.contains(name));
    let new: Vec<_> = new.map(|name| format!("{name:?}")).collect();
    match new.len() {
        0 => None,
        count if count > SHOWN => Some(format!("{}, ... ({count})", new[..SHOWN].join(", "))),
        _ => Some(new.join(", ")),
    }
}
