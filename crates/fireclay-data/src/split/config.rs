//! The `split` table inside `[data]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SPLIT_NAMES;

/// Which rows train, validate and test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// The fraction of rows to train on.
    #[serde(default = "default_train")]
    pub train: f64,
    /// The fraction of rows that steer the training (early stopping, the choice of weights).
    #[serde(default = "default_held_out")]
    pub valid: f64,
    /// The fraction of rows for the final figures.
    #[serde(default = "default_held_out")]
    pub test: f64,
    /// Whether every split gets the same proportion of each class.
    #[serde(default)]
    pub stratify: bool,
    /// A column whose equal values stay together, such as the patient; it is not a feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A column of dates or numbers: the oldest rows train, the newest test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// A column that says train, valid or test; it is not a feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Whether a row's split depends on nothing but its id (or group, or content) and the seed,
    /// so that rows added later never move others. Fractions are then kept on average only.
    #[serde(default)]
    pub stable: bool,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            train: default_train(),
            valid: default_held_out(),
            test: default_held_out(),
            stratify: false,
            group: None,
            time: None,
            column: None,
            stable: false,
        }
    }
}

impl SplitConfig {
    /// Everything that cannot be meant, as pairs of a key and a message. `separate` says whether
    /// validation and test come from files of their own.
    pub fn validate(&self, separate: (bool, bool)) -> Vec<(String, String)> {
        let mut problems = validate_fractions([self.train, self.valid, self.test]);
        let mut add = |key: &str, message: String| problems.push((key.to_owned(), message));
        let ways = [
            ("column", self.column.is_some()),
            ("time", self.time.is_some()),
            ("group", self.group.is_some()),
            ("stratify", self.stratify),
            ("stable", self.stable),
        ];
        let mut chosen = ways
            .into_iter()
            .filter(|(_, is_chosen)| *is_chosen)
            .map(|(key, _)| key);
        if let Some(first) = chosen.next() {
            for other in chosen.filter(|other| (first, *other) != ("group", "stable")) {
                add(
                    other,
                    format!("contradicts {first}: choose one way to split"),
                );
            }
        }
        if self.column.is_some() && !self.has_default_fractions() {
            add(
                "column",
                "contradicts train, valid and test: the column decides how many rows each gets"
                    .into(),
            );
        }
        if self.column.is_some() && (separate.0 || separate.1) {
            add(
                "column",
                "contradicts valid_path and test_path: choose one way to split".into(),
            );
        }
        problems
    }

    /// Whether nobody chose how many rows each split gets.
    pub(crate) fn has_default_fractions(&self) -> bool {
        let default = Self::default();
        (self.train, self.valid, self.test) == (default.train, default.valid, default.test)
    }
}

/// What is wrong with the fractions of train, valid and test, as pairs of a key and a message.
pub(crate) fn validate_fractions(fractions: [f64; 3]) -> Vec<(String, String)> {
    let outside = SPLIT_NAMES.into_iter().zip(fractions);
    let outside = outside.filter(|(_, value)| !(0.0..=1.0).contains(value));
    let mut problems: Vec<_> = outside
        .map(|(key, value)| {
            (
                key.to_owned(),
                format!("must be between 0 and 1, but is {value}"),
            )
        })
        .collect();
    let sum: f64 = fractions.iter().sum();
    if problems.is_empty() && (sum - 1.0).abs() > 1e-6 {
        let message = format!("train, valid and test must sum to 1, but sum to {sum}");
        problems.push(("train".into(), message));
    }
    if fractions[0] == 0.0 {
        let message = "must be above 0: without training data nothing is learned";
        problems.push(("train".into(), message.into()));
    }
    problems
}

fn default_train() -> f64 {
    0.7
}

fn default_held_out() -> f64 {
    0.15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_and_impossible_fractions_are_named() {
        let config = SplitConfig {
            stratify: true,
            time: Some("t".into()),
            stable: true,
            ..Default::default()
        };
        let keys: Vec<_> = config
            .validate((false, false))
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys, ["stratify", "stable"]);
        let grouped = SplitConfig {
            group: Some("g".into()),
            stable: true,
            ..Default::default()
        };
        assert_eq!(grouped.validate((true, true)), []);
        let wrong = SplitConfig {
            valid: f64::NAN,
            test: 0.5,
            ..Default::default()
        };
        assert_eq!(wrong.validate((false, false))[0].0, "valid");
        let long = SplitConfig {
            test: 0.5,
            ..Default::default()
        };
        assert!(long.validate((false, false))[0].1.contains("sum to 1"));
    }
}
