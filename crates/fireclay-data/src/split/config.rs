//! The `split` table inside `[data]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::named;
use crate::config::Problems;

/// Which rows train, validate and test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// The fraction of rows to train on.
    pub train: f64,
    /// The fraction of rows to validate on (early stopping, the choice of weights).
    pub valid: f64,
    /// The fraction of rows to test on.
    pub test: f64,
    /// Whether every split gets the same proportion of each class; with `group`, as far as whole groups
    /// allow.
    pub stratify: bool,
    /// A column whose equal values stay together, such as the patient; it is not a feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A column of dates or numbers: the oldest rows train, the newest test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// A column that says train, valid or test; it is not a feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Whether a row's split depends on nothing but its id (or group, or content) and the seed,
    /// so that rows added later never move others. Fractions are then kept on average only.
    pub stable: bool,
    /// The number from which the splits are drawn, so that the rows of each stay the same under another
    /// `seed`. Default: the `seed` of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// In how many folds the rows are cut, such as 5: one of them is the test, and the others train and
    /// validate in the proportion of `train` and `valid`. `train` trains one run for each unless `fold` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// Which of the folds is the test, from 1. Default: each in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            train: 0.7,
            valid: 0.15,
            test: 0.15,
            stratify: false,
            group: None,
            time: None,
            column: None,
            stable: false,
            seed: None,
            folds: None,
            fold: None,
        }
    }
}

/// The ways to split that do not exclude each other.
const GO_TOGETHER: [(&str, &str); 2] = [("group", "stratify"), ("group", "stable")];

impl SplitConfig {
    /// Every problem, as pairs of a key and a message. `separate` says whether
    /// validation and test come from files of their own.
    pub fn validate(&self, separate: (bool, bool)) -> Vec<(String, String)> {
        let mut problems = Problems(validate_fractions([self.train, self.valid, self.test]));
        let ways = [
            ("column", self.column.is_some()),
            ("time", self.time.is_some()),
            ("group", self.group.is_some()),
            ("stratify", self.stratify),
            ("stable", self.stable),
        ];
        let chosen = ways.into_iter().filter(|(_, is_chosen)| *is_chosen);
        let chosen: Vec<&str> = chosen.map(|(key, _)| key).collect();
        for (index, &other) in chosen.iter().enumerate() {
            let mut before = chosen[..index].iter().copied();
            if let Some(first) = before.find(|first| !GO_TOGETHER.contains(&(*first, other))) {
                let message = format!("contradicts {first}: choose one way to split");
                problems.add(other, message);
            }
        }
        problems.0.extend(self.validate_folds(separate));
        let decides = [("column", &self.column), ("time", &self.time)];
        let decides = decides.into_iter().find(|(_, column)| column.is_some());
        if let (Some(_), Some((way, _))) = (self.seed, decides) {
            problems.add(
                "seed",
                format!("has no effect: {way} leaves nothing to chance"),
            );
        }
        if self.column.is_some() && !self.has_default_fractions() {
            let message =
                "contradicts train, valid and test: the column decides how many rows each gets";
            problems.add("column", message);
        }
        if self.column.is_some() && (separate.0 || separate.1) {
            let message = "contradicts valid_path and test_path: choose one way to split";
            problems.add("column", message);
        }
        problems.0
    }

    fn validate_folds(&self, separate: (bool, bool)) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        let Some(folds) = self.folds else {
            if self.fold.is_some() {
                problems.add("fold", "has no effect: it is read if folds is given");
            }
            return problems.0;
        };
        if folds < 2 {
            problems.add("folds", format!("must be at least 2, but is {folds}"));
        }
        if let Some(fold) = self.fold.filter(|fold| !(1..=folds).contains(fold)) {
            problems.add("fold", format!("must be from 1 to {folds}, but is {fold}"));
        }
        let others = [
            (self.column.is_some(), "column, which says what is the test"),
            (
                self.time.is_some(),
                "time: older rows would be tested by newer ones",
            ),
            (separate.0, "valid_path: choose one way to split"),
            (separate.1, "test_path: choose one way to split"),
        ];
        for (_, other) in others.iter().filter(|(is_given, _)| *is_given) {
            problems.add("folds", format!("contradicts {other}"));
        }
        problems.0
    }

    /// The number of folds and the one that is the test, from 1, if there are folds.
    pub(super) fn chosen_fold(&self) -> Option<(usize, usize)> {
        Some((self.folds?, self.fold.unwrap_or(1)))
    }

    /// Whether nobody chose how many rows each split gets.
    pub(crate) fn has_default_fractions(&self) -> bool {
        let default = Self::default();
        (self.train, self.valid, self.test) == (default.train, default.valid, default.test)
    }
}

/// What is wrong with the fractions of train, valid and test, as pairs of a key and a message.
pub(crate) fn validate_fractions(fractions: [f64; 3]) -> Vec<(String, String)> {
    let mut problems = Problems::default();
    for (key, value) in named(fractions) {
        if !(0.0..=1.0).contains(&value) {
            problems.add(key, format!("must be between 0 and 1, but is {value}"));
        }
    }
    let sum: f64 = fractions.iter().sum();
    if problems.0.is_empty() && (sum - 1.0).abs() > 1e-6 {
        let message = format!("train, valid and test must sum to 1, but sum to {sum}");
        problems.add("train", message);
    }
    if fractions[0] == 0.0 {
        let message = "must be above 0: without training data nothing is learned";
        problems.add("train", message);
    }
    problems.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with;

    #[test]
    fn contradictions_and_impossible_fractions_are_named() {
        let changed = |change: fn(&mut SplitConfig)| with(SplitConfig::default(), change);
        let mut config = changed(|config| config.time = Some("t".into()));
        (config.stratify, config.stable) = (true, true);
        let keys = config.validate((false, false)).into_iter();
        let keys: Vec<_> = keys.map(|(key, _)| key).collect();
        assert_eq!(keys, ["stratify", "stable"]);
        let mut grouped = changed(|config| config.group = Some("g".into()));
        grouped.stable = true;
        assert_eq!(grouped.validate((true, true)), []);
        grouped.seed = Some(3);
        (grouped.stable, grouped.stratify) = (false, true);
        assert_eq!(grouped.validate((false, false)), []);
        grouped.stable = true;
        let problems = grouped.validate((false, false));
        let message = "contradicts stratify: choose one way to split";
        assert_eq!(problems, [("stable".to_owned(), message.to_owned())]);
        let mut timed = changed(|config| config.time = Some("t".into()));
        timed.seed = Some(3);
        assert_eq!(timed.validate((false, false))[0].0, "seed");
        let wrong = changed(|config| (config.valid, config.test) = (f64::NAN, 0.5));
        assert_eq!(wrong.validate((false, false))[0].0, "valid");
        let long = changed(|config| config.test = 0.5);
        assert!(long.validate((false, false))[0].1.contains("sum to 1"));
    }
}
