//! The `[fairness]` table: which groups are compared, and what is done for them.

use std::collections::{BTreeMap, BTreeSet};

use fireclay_metrics::Criterion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Compares how groups of rows are treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FairnessConfig {
    /// The columns that say of which group a row is. Each is compared by itself, and several together. They
    /// are carried as `data.extra_columns`: what `data.ignore` names is compared and still no input.
    pub groups: Vec<String>,
    /// Groups of fewer rows are shown, and left out of every difference.
    #[serde(default = "least")]
    pub min_group_size: usize,
    /// Where columns of numbers are cut into bands: by column the edges between them, ascending. A number
    /// on an edge is in the upper band. Default: by `quantiles`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bands: BTreeMap<String, Vec<f64>>,
    /// The bands of about as many training rows that other columns of numbers are cut into; those of at most
    /// ten numbers are not cut.
    #[serde(default = "quarters")]
    pub quantiles: usize,
    /// What is done so that groups are treated alike.
    #[serde(default)]
    pub mitigation: Mitigation,
    /// With mitigation = "thresholds": in what groups should be alike.
    #[serde(default)]
    pub criterion: Criterion,
    /// With mitigation = "thresholds": how far apart groups may stay on the validation split. Of such thresholds
    /// those of the best accuracy are taken; where there are none, those of the smallest difference.
    #[serde(default = "near")]
    pub tolerance: f64,
    /// With mitigation = "thresholds": what may be lost of accuracy and of balanced accuracy, each, on the
    /// validation split. Without a price, the fairest answer is always the same one.
    #[serde(default = "price")]
    pub max_loss: f64,
    /// With mitigation = "constraint": what the sum of the squared covariances in a batch is multiplied by.
    #[serde(default = "one")]
    pub strength: f64,
}

/// What is done so that groups are treated alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mitigation {
    /// Nothing: groups are compared.
    #[default]
    None,
    /// Training rows weigh as if group and class were independent: w = P(group) P(class) / P(group, class)
    /// (Kamiran and Calders 2012, section 4.3).
    Reweighing,
    /// Of two classes, the positive one is answered from a threshold of the group on, chosen on the
    /// validation split (Hardt et al. 2016, section 4, without its coin).
    Thresholds,
    /// Of two classes, the training loss has a penalty on the covariance of score and group (Zafar et al.
    /// 2017). The loss of the validation split has none.
    Constraint,
}

fn least() -> usize {
    30
}

fn quarters() -> usize {
    4
}

fn one() -> f64 {
    1.0
}

fn price() -> f64 {
    0.05
}

fn near() -> f64 {
    0.02
}

impl FairnessConfig {
    /// The table with every default, for these columns.
    pub fn new(groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            groups: groups.into_iter().map(Into::into).collect(),
            min_group_size: least(),
            bands: BTreeMap::new(),
            quantiles: quarters(),
            mitigation: Mitigation::None,
            criterion: Criterion::default(),
            tolerance: near(),
            max_loss: price(),
            strength: one(),
        }
    }

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut add = |key: &str, message: String| problems.push((key.to_owned(), message));
        let names: BTreeSet<&String> = self.groups.iter().collect();
        if self.groups.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
            add("groups", "must name at least one column".into());
        } else if names.len() < self.groups.len() {
            add("groups", "names a column twice".into());
        }
        if self.min_group_size == 0 {
            add("min_group_size", "must be at least 1, but is 0".into());
        }
        if !(2..=20).contains(&self.quantiles) {
            let message = format!("must be from 2 to 20, but is {}", self.quantiles);
            add("quantiles", message);
        }
        for (key, value) in [("tolerance", self.tolerance), ("max_loss", self.max_loss)] {
            if !(0.0..1.0).contains(&value) {
                let message = format!("must be at least 0 and below 1, but is {value}");
                add(key, message);
            }
        }
        if !(self.strength > 0.0 && self.strength.is_finite()) {
            let message = format!("must be above 0, but is {}", self.strength);
            add("strength", message);
        }
        problems.extend(self.impossible_bands());
        problems
    }

    /// What is wrong with the edges that are given.
    fn impossible_bands(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (name, edges) in &self.bands {
            let mut add = |message: &str| problems.push((format!("bands.{name}"), message.into()));
            if !self.groups.contains(name) {
                add("has no effect: groups does not name the column");
            }
            if edges.is_empty() {
                add("must have at least one edge");
            }
            let ascends = edges.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascends || edges.iter().any(|edge| !edge.is_finite()) {
                add("must be finite numbers, each above the one before");
            }
        }
        problems
    }
}
