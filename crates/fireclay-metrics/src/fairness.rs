//! How a model treats groups of people: rates by group, and how far the groups are apart.
//!
//! The differences and ratios are those of Agarwal et al. 2018 ("A Reductions Approach to Fair
//! Classification", section 2) and Hardt et al. 2016 ("Equality of Opportunity in Supervised Learning",
//! definitions 2.1 and 2.2), as the package fairlearn computes them.

mod farthest;
mod findings;
mod groups;
mod numbers;
mod spread;
mod thresholds;

pub use farthest::{Farthest, farthest_groups};
pub use groups::Partition;
pub use numbers::regression_fairness;
pub use thresholds::{Criterion, GroupThresholds, NoThresholds, fit_group_thresholds};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calibration::{calibration_error, mean};
use crate::wilson_interval;
use spread::spreads;

/// How a model treats groups: an entry of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Groups of fewer rows are shown, and left out of every difference and ratio.
    pub min_group_size: usize,
    /// Each attribute by itself, then all of them together.
    pub attributes: Vec<Attribute>,
    /// What thresholds by group change, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<ThresholdPrice>,
    /// Why no group has a threshold of its own although it was asked for, and what helps. Set by the caller, who
    /// knows the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmitigated: Option<String>,
}

/// The groups of one attribute, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name: that of the column, or those of several joined by ` & `.
    pub name: String,
    /// Its groups, in the order of their partition: those of most rows first, or bands by their numbers.
    pub groups: Vec<Group>,
    /// How far apart the groups are, by the name of the measure; what is undefined is absent.
    pub differences: BTreeMap<String, f64>,
    /// Whether the lowest selection rate is at least four fifths of the highest (Uniform Guidelines on
    /// Employee Selection Procedures 1978, 29 CFR 1607.4 D).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub four_fifths: Option<bool>,
    /// The two groups of the lowest and the highest rate, by the name of the rate, and whether they differ by more
    /// than chance.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub farthest: BTreeMap<String, Farthest>,
    /// What it says, in sentences.
    pub findings: Vec<String>,
}

/// What a model does to one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Number of its rows.
    pub n: usize,
    /// Whether it has too few rows to be compared.
    #[serde(default, skip_serializing_if = "is_false")]
    pub small: bool,
    /// Shares, by name; a share of no rows is absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Rate>,
    /// Other numbers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, f64>,
}

/// A share with its 95 % interval (Wilson 1927).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The share.
    pub value: f64,
    /// Of so many rows.
    pub n: usize,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// What thresholds by group cost and bring, on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPrice {
    /// What they make alike.
    pub criterion: Criterion,
    /// The threshold of each group; others have that of the task.
    pub by_group: BTreeMap<String, f64>,
    /// The accuracy with one threshold for all.
    pub accuracy_before: f64,
    /// The accuracy with them.
    pub accuracy: f64,
    /// The difference that the criterion names, with one threshold for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference_before: Option<f64>,
    /// The same with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
}

/// Answers of a classifier of two classes, `[n]` each.
#[derive(Clone, Copy, Debug)]
pub struct Decisions<'a> {
    /// Name of the positive class, for sentences.
    pub positive: &'a str,
    /// Whether a row is of the positive class.
    pub truth: &'a [bool],
    /// Whether it is predicted to be.
    pub selected: &'a [bool],
    /// The probability of the positive class, if there is one.
    pub probability: Option<&'a [f64]>,
}

/// How a classifier of two classes treats groups.
///
/// Groups of fewer than `min_group_size` rows take no part in differences. Neither does a group in a
/// difference of rates that it lacks, such as a true positive rate without positive rows.
///
/// # Panics
///
/// If the lengths differ.
pub fn binary_fairness(
    decisions: Decisions<'_>,
    partition: &Partition,
    min_group_size: usize,
) -> Attribute {
    assert_eq!(decisions.truth.len(), partition.rows(), "a group a row");
    assert_eq!(
        decisions.selected.len(),
        partition.rows(),
        "an answer a row"
    );
    let group = |(name, rows): (&String, &[usize])| Group {
        name: name.clone(),
        n: rows.len(),
        small: rows.len() < min_group_size,
        rates: rates(decisions, rows),
        values: probabilities(decisions, rows),
    };
    let groups: Vec<Group> = partition.groups().map(group).collect();
    let (differences, four_fifths) = spreads(&groups);
    let mut attribute = Attribute {
        name: partition.name.clone(),
        farthest: farthest_groups(&groups),
        groups,
        differences,
        four_fifths,
        findings: Vec::new(),
    };
    attribute.findings = findings::of_decisions(&attribute, decisions.positive, min_group_size);
    attribute
}

/// How a classifier of several classes treats groups: how often it is right, and how sure it is. Which
/// class would be the good one, it does not know.
///
/// `correct` says which rows are predicted right, `confidence` how probable their most probable class is.
///
/// # Panics
///
/// If the lengths differ.
pub fn multiclass_fairness(
    (correct, confidence): (&[bool], &[f64]),
    partition: &Partition,
    min_group_size: usize,
) -> Attribute {
    assert_eq!(correct.len(), partition.rows(), "a group a row");
    let group = |(name, rows): (&String, &[usize])| {
        let right: Vec<bool> = rows.iter().map(|&row| correct[row]).collect();
        let sure: Vec<f64> = rows.iter().map(|&row| confidence[row]).collect();
        let hits = right.iter().filter(|right| **right).count();
        let ece = calibration_error(&sure, &right).map(|error| error.expected);
        Group {
            name: name.clone(),
            n: rows.len(),
            small: rows.len() < min_group_size,
            rates: named([("accuracy", rate(hits, rows.len()))]),
            values: named([("ece", ece)]),
        }
    };
    let groups: Vec<Group> = partition.groups().map(group).collect();
    let (differences, _) = spreads(&groups);
    let mut attribute = Attribute {
        name: partition.name.clone(),
        farthest: farthest_groups(&groups),
        groups,
        differences,
        ..Attribute::default()
    };
    attribute.findings = findings::of_accuracy(&attribute, min_group_size);
    attribute
}

/// The shares of one group.
fn rates(decisions: Decisions<'_>, rows: &[usize]) -> BTreeMap<String, Rate> {
    let count = |is: &dyn Fn(bool, bool) -> bool| {
        let rows = rows.iter();
        rows.filter(|&&row| is(decisions.truth[row], decisions.selected[row]))
            .count()
    };
    let n = rows.len();
    let (positive, selected) = (count(&|y, _| y), count(&|_, p| p));
    let (hits, alarms) = (count(&|y, p| y && p), count(&|y, p| !y && p));
    let right = count(&|y, p| y == p);
    named([
        ("base_rate", rate(positive, n)),
        ("selection_rate", rate(selected, n)),
        ("true_positive_rate", rate(hits, positive)),
        ("false_positive_rate", rate(alarms, n - positive)),
        ("precision", rate(hits, selected)),
        ("accuracy", rate(right, n)),
    ])
}

/// What the probabilities say of one group: their mean and their calibration error, as in
/// [`calibration_error`].
fn probabilities(decisions: Decisions<'_>, rows: &[usize]) -> BTreeMap<String, f64> {
    let Some(all) = decisions.probability else {
        return BTreeMap::new();
    };
    let own: Vec<f64> = rows.iter().map(|&row| all[row]).collect();
    let confidence: Vec<f64> = own.iter().map(|p| p.max(1.0 - p)).collect();
    let correct = rows.iter().zip(&own);
    let correct: Vec<bool> = correct
        .map(|(&row, p)| decisions.truth[row] == (*p >= 0.5))
        .collect();
    let ece = calibration_error(&confidence, &correct).map(|error| error.expected);
    named([
        ("mean_probability", mean(own.iter().copied())),
        ("ece", ece),
    ])
}

/// A share, unless it is one of nothing.
pub(crate) fn rate(hits: usize, n: usize) -> Option<Rate> {
    let (low, high) = wilson_interval(hits, n)?;
    let value = hits as f64 / n as f64;
    Some(Rate {
        value,
        n,
        low,
        high,
    })
}

/// What there is, by name.
fn named<T, const N: usize>(pairs: [(&str, Option<T>); N]) -> BTreeMap<String, T> {
    let there = pairs.into_iter();
    there
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
