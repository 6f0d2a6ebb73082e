//! A threshold for each group, so that groups are treated alike in one respect.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Partition;
use crate::ranking::{ScoreGroup, score_groups, totals};
use crate::threshold::cuts;
use crate::{ConfusionMatrix, ThresholdObjective};

/// In what groups should be treated alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Equal shares that are predicted to be positive.
    DemographicParity,
    /// Equal true positive rates (Hardt et al. 2016, definition 2.2).
    EqualOpportunity,
    /// Equal true and false positive rates (Hardt et al. 2016, definition 2.1).
    #[default]
    EqualizedOdds,
}

impl Criterion {
    /// The difference that it makes small, as an [`Attribute`](super::Attribute) names it.
    pub fn measure(self) -> &'static str {
        match self {
            Self::DemographicParity => "demographic_parity_difference",
            Self::EqualOpportunity => "equal_opportunity_difference",
            Self::EqualizedOdds => "equalized_odds_difference",
        }
    }
}

/// How thresholds are chosen.
#[derive(Clone, Copy, Debug)]
pub struct GroupThresholds {
    /// What they make alike.
    pub criterion: Criterion,
    /// How far apart groups may stay.
    pub tolerance: f64,
    /// Groups of fewer rows get no threshold of their own.
    pub min_group_size: usize,
    /// What is made as large as possible, over the groups with thresholds together.
    pub objective: ThresholdObjective,
}

/// The threshold of each group at which the groups differ by no more than the tolerance and the objective
/// is largest; where no thresholds are that near, those of the smallest difference.
///
/// This is the post-processing of Hardt et al. 2016 (section 4) without its coin: a row is never decided
/// by chance, so rates are equal only as far as the rows allow. Every point of every group's curve is tried
/// as the common one (at most 256 points a group). Groups that are too small, or lack the rows that the
/// criterion is about, get no threshold. `None` if fewer than two groups remain.
///
/// # Panics
///
/// If the lengths differ.
pub fn fit_group_thresholds(
    (truth, probability): (&[bool], &[f64]),
    partition: &Partition,
    rule: GroupThresholds,
) -> Option<BTreeMap<String, f64>> {
    assert_eq!(truth.len(), partition.rows(), "a group a row");
    assert_eq!(probability.len(), partition.rows(), "a probability a row");
    let large = partition.groups();
    let large = large.filter(|(_, rows)| rows.len() >= rule.min_group_size);
    let curves = large.filter_map(|(name, rows)| {
        let own = |all: &[f64]| rows.iter().map(|&row| all[row]).collect::<Vec<_>>();
        let truth: Vec<bool> = rows.iter().map(|&row| truth[row]).collect();
        Curve::new(name, &truth, &own(probability), rule.criterion)
    });
    let curves: Vec<Curve<'_>> = curves.collect();
    if curves.len() < 2 {
        return None;
    }
    let targets = curves.iter().flat_map(|curve| &curve.points);
    let choices = targets.map(|target| Choice::near(&curves, target.at, rule));
    let best = choices.reduce(|best, other| match other.is_better(&best, rule.tolerance) {
        true => other,
        false => best,
    })?;
    let named = curves.iter().zip(&best.points);
    Some(
        named
            .map(|(curve, point)| (curve.name.to_owned(), point.threshold))
            .collect(),
    )
}

/// The most points of a curve that are looked at.
const POINTS: usize = 256;

/// Everything that thresholds can do to a group.
struct Curve<'a> {
    name: &'a str,
    positives: u64,
    negatives: u64,
    points: Vec<Point>,
}

/// What one threshold does to a group.
#[derive(Clone, Copy)]
struct Point {
    threshold: f64,
    hits: u64,
    alarms: u64,
    /// The two rates that the criterion is about.
    at: [f64; 2],
}

impl<'a> Curve<'a> {
    fn new(name: &'a str, truth: &[bool], scores: &[f64], criterion: Criterion) -> Option<Self> {
        let groups = score_groups(truth, scores);
        let (positives, negatives) = totals(&groups);
        let lacks = match criterion {
            Criterion::DemographicParity => false,
            Criterion::EqualOpportunity => positives == 0,
            Criterion::EqualizedOdds => positives == 0 || negatives == 0,
        };
        if lacks {
            return None;
        }
        let share = |part: u64, whole: u64| part as f64 / whole as f64;
        let point = |cut: &ScoreGroup| {
            let at = match criterion {
                Criterion::DemographicParity => {
                    [share(cut.positives + cut.negatives, positives + negatives); 2]
                }
                Criterion::EqualOpportunity => [share(cut.positives, positives); 2],
                Criterion::EqualizedOdds => [
                    share(cut.positives, positives),
                    share(cut.negatives, negatives),
                ],
            };
            Point {
                threshold: cut.score,
                hits: cut.positives,
                alarms: cut.negatives,
                at,
            }
        };
        let all = cuts(&groups);
        let points = thinned(all.len()).map(|index| point(&all[index])).collect();
        Some(Self {
            name,
            positives,
            negatives,
            points,
        })
    }

    /// The point that is right most often among those within `reach` of a target; else the nearest.
    fn choose(&self, target: [f64; 2], reach: f64) -> Point {
        let key = |point: &Point| {
            let distance = distance(point.at, target);
            let right = point.hits as f64 - point.alarms as f64;
            match distance <= reach + ROUNDING {
                true => (0.0, -right, distance),
                false => (distance, -right, distance),
            }
        };
        let nearer = |best: Point, other: &Point| match key(other) < key(&best) {
            true => *other,
            false => best,
        };
        self.points[1..].iter().fold(self.points[0], nearer)
    }
}

/// Rates that differ by less are the same but for rounding.
const ROUNDING: f64 = 1e-12;

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).abs().max((a[1] - b[1]).abs())
}

/// Up to [`POINTS`] of so many indices, evenly, the first and the last among them.
fn thinned(count: usize) -> impl Iterator<Item = usize> {
    let kept = count.min(POINTS);
    (0..kept).map(move |index| match kept {
        1 => 0,
        _ => index * (count - 1) / (kept - 1),
    })
}

/// A point for each group.
struct Choice {
    points: Vec<Point>,
    difference: f64,
    value: f64,
}

impl Choice {
    fn near(curves: &[Curve<'_>], target: [f64; 2], rule: GroupThresholds) -> Self {
        let points = curves
            .iter()
            .map(|curve| curve.choose(target, rule.tolerance / 2.0));
        let points: Vec<Point> = points.collect();
        let spread = |axis: usize| {
            let rates = points.iter().map(|point| point.at[axis]);
            let low = rates.clone().fold(f64::INFINITY, f64::min);
            rates.fold(f64::NEG_INFINITY, f64::max) - low
        };
        let mut counts = [0; 4];
        for (curve, point) in curves.iter().zip(&points) {
            let negatives = [curve.negatives - point.alarms, point.alarms];
            let positives = [curve.positives - point.hits, point.hits];
            let more = negatives.into_iter().chain(positives);
            counts
                .iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        }
        Self {
            difference: spread(0).max(spread(1)),
            value: rule.objective.value(&ConfusionMatrix::binary(counts)),
            points,
        }
    }

    fn is_better(&self, other: &Self, tolerance: f64) -> bool {
        let near = |choice: &Self| choice.difference <= tolerance + ROUNDING;
        match (near(self), near(other)) {
            (true, true) => {
                let gain = self.value - other.value;
                gain > ROUNDING || gain.abs() <= ROUNDING && self.difference < other.difference
            }
            (false, false) => self.difference < other.difference,
            (near, _) => near,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Group "b" has the scores of "a", each lower by 0.3.
    fn shifted(rows: usize) -> (Vec<bool>, Vec<f64>, Partition) {
        let (mut truth, mut scores, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..rows {
            let score = 0.35 + 0.6 * (row as f64 + 0.5) / rows as f64;
            for (name, shift) in [("a", 0.0), ("b", 0.3)] {
                // Three of four rows follow the score.
                truth.push((score > 0.65) != (row % 4 == 1));
                scores.push(score - shift);
                names.push(name);
            }
        }
        (truth, scores, Partition::new("group", &names))
    }

    fn fit(criterion: Criterion) -> BTreeMap<String, f64> {
        let (truth, scores, partition) = shifted(80);
        let rule = GroupThresholds {
            criterion,
            tolerance: 0.02,
            min_group_size: 30,
            objective: ThresholdObjective::Accuracy,
        };
        fit_group_thresholds((&truth, &scores), &partition, rule).expect("two groups")
    }

    #[test]
    fn a_shift_of_the_scores_is_a_shift_of_the_thresholds() {
        for criterion in [
            Criterion::DemographicParity,
            Criterion::EqualOpportunity,
            Criterion::EqualizedOdds,
        ] {
            let found = fit(criterion);
            let (a, b) = (found["a"], found["b"]);
            assert!((a - 0.65).abs() < 0.03, "{criterion:?}: {found:?}");
            assert!((b - 0.35).abs() < 0.03, "{criterion:?}: {found:?}");
        }
    }

    #[test]
    fn small_groups_and_groups_of_one_class_get_none() {
        let (truth, scores, partition) = shifted(20);
        let rule = GroupThresholds {
            criterion: Criterion::EqualizedOdds,
            tolerance: 0.02,
            min_group_size: 21,
            objective: ThresholdObjective::Accuracy,
        };
        assert!(fit_group_thresholds((&truth, &scores), &partition, rule).is_none());
        let rule = GroupThresholds {
            min_group_size: 20,
            ..rule
        };
        assert!(fit_group_thresholds((&truth, &scores), &partition, rule).is_some());
        let all = vec![true; truth.len()];
        assert!(fit_group_thresholds((&all, &scores), &partition, rule).is_none());
    }
}
