//! What the data determines of a model, for each family.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::limits::{check, check_least_one};

/// What the data determines of a model.
pub trait Shape: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// What the models of such a shape look at, in words.
    const LOOKS_AT: &str;

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;
}

/// What a table determines of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TabularShape {
    /// The number of numeric columns after encoding.
    pub numeric: usize,
    /// For each embedded column, the number of indices it can hold, including index 0, which
    /// stands for an unknown category.
    pub categories: Vec<usize>,
    /// The number of logits or predicted numbers.
    pub outputs: usize,
}

/// What images determine of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Colour channels: 3 for red, green and blue, 1 for grey.
    pub channels: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// The number of logits or predicted numbers.
    pub outputs: usize,
}

/// What text determines of a language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageShape {
    /// The number of different tokens.
    pub vocabulary: usize,
}

/// What text determines of an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderShape {
    /// The number of different tokens.
    pub vocabulary: usize,
    /// The number of logits of a text; none for a masked language model, which has logits of each
    /// token instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<usize>,
}

/// What pairs of texts determine of a translating model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationShape {
    /// The number of different tokens of the source.
    pub source_vocabulary: usize,
    /// The number of different tokens of the target.
    pub target_vocabulary: usize,
}

impl Shape for TabularShape {
    const LOOKS_AT: &str = "tables";

    fn validate(&self) -> Vec<(String, String)> {
        let has_input = self.numeric > 0 || !self.categories.is_empty();
        let text = "there is no input column";
        let mut problems = Vec::from_iter(check(has_input, "numeric", text));
        let text = "every embedded column needs the index of unknown categories";
        problems.extend(check(!self.categories.contains(&0), "categories", text));
        problems.extend(check_least_one(&[("outputs", self.outputs)]));
        problems
    }
}

impl Shape for ImageShape {
    const LOOKS_AT: &str = "images";

    fn validate(&self) -> Vec<(String, String)> {
        check_least_one(&[
            ("channels", self.channels),
            ("height", self.height),
            ("width", self.width),
            ("outputs", self.outputs),
        ])
    }
}

impl Shape for LanguageShape {
    const LOOKS_AT: &str = "plain text";

    fn validate(&self) -> Vec<(String, String)> {
        check_least_one(&[("vocabulary", self.vocabulary)])
    }
}

impl Shape for EncoderShape {
    const LOOKS_AT: &str = "text";

    fn validate(&self) -> Vec<(String, String)> {
        check_least_one(&[
            ("vocabulary", self.vocabulary),
            ("outputs", self.outputs.unwrap_or(1)),
        ])
    }
}

impl Shape for TranslationShape {
    const LOOKS_AT: &str = "pairs of texts";

    fn validate(&self) -> Vec<(String, String)> {
        check_least_one(&[
            ("source_vocabulary", self.source_vocabulary),
            ("target_vocabulary", self.target_vocabulary),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::table;

    #[test]
    fn a_shape_without_columns_or_outputs_is_refused() {
        assert_eq!(table(0, &[], 0).validate().len(), 2);
        assert_eq!(table(1, &[0], 1).validate().len(), 1);
    }
}
