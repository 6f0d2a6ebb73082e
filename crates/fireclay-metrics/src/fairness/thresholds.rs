//! A threshold for each group, so that groups are treated alike in one respect.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decisions, Partition};
use crate::ConfusionMatrix;
use crate::ranking::{ScoreGroup, score_groups, totals};
use crate::threshold::cuts;

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
    /// Groups that are no further apart than this are near enough.
    pub tolerance: f64,
    /// What may be lost of accuracy and of balanced accuracy, each.
    pub max_loss: f64,
    /// Groups of fewer rows get no threshold of their own.
    pub min_group_size: usize,
}

/// The threshold of each group at which the groups differ least, and no more is lost than is allowed against
/// the decisions that are given; where they differ by no more than the tolerance, those of the best accuracy.
///
/// This is the post-processing of Hardt et al. 2016 (section 4) without its coin: a row is never decided
/// by chance, so rates are equal only as far as the rows allow. Every point of every group's curve is tried
/// as the common one (at most 256 points a group). Groups that are too small, or lack the rows that the
/// criterion is about, get no threshold. Without the bound on balanced accuracy, answering always alike would
/// be the nearest.
///
/// # Errors
///
/// If fewer than two groups remain, or nothing brings them nearer at that price.
///
/// # Panics
///
/// If the lengths differ, or there are no probabilities.
pub fn fit_group_thresholds(
    decisions: Decisions<'_>,
    partition: &Partition,
    rule: GroupThresholds,
) -> Result<BTreeMap<String, f64>, NoThresholds> {
    assert_eq!(decisions.truth.len(), partition.rows(), "a group a row");
    let large = partition.groups();
    let large = large.filter(|(_, rows)| rows.len() >= rule.min_group_size);
    let large: Vec<(&String, &[usize])> = large.collect();
    if large.len() < 2 {
        return Err(NoThresholds::Small(large.len()));
    }
    let curves = large.iter();
    let curves =
        curves.filter_map(|(name, rows)| Curve::new(name, decisions, rows, rule.criterion));
    let curves: Vec<Curve<'_>> = curves.collect();
    if curves.len() < 2 {
        return Err(NoThresholds::OneSided([large.len(), curves.len()]));
    }
    let before = Choice::of(&curves, curves.iter().map(|curve| curve.before).collect());
    let targets = curves.iter().flat_map(|curve| &curve.points);
    let choices = targets.map(|target| Choice::near(&curves, target.at, rule.tolerance / 2.0));
    let mut nearest = before.difference;
    let best = choices
        .inspect(|choice| nearest = nearest.min(choice.difference))
        .filter(|choice| choice.is_allowed(&before, rule.max_loss))
        .reduce(|best, other| match other.is_better(&best, rule.tolerance) {
            true => other,
            false => best,
        });
    match best.filter(|best| best.difference < before.difference) {
        Some(best) => Ok(best.thresholds(&curves)),
        None => Err(NoThresholds::NotNearer {
            difference: before.difference,
            nearest,
        }),
    }
}

/// Why groups get no thresholds of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoThresholds {
    /// So many groups are large enough: none or one.
    Small(usize),
    /// So many groups are large enough, and so few of them, none or one, have the rows that the criterion is about.
    OneSided([usize; 2]),
    /// No thresholds bring the groups nearer at the price that is allowed.
    NotNearer {
        /// How far apart they are.
        difference: f64,
        /// How far apart they would be at any price.
        nearest: f64,
    },
}

/// The most points of a curve that are looked at.
const POINTS: usize = 256;

/// Everything that thresholds can do to a group.
struct Curve<'a> {
    name: &'a str,
    positives: u64,
    negatives: u64,
    points: Vec<Point>,
    /// What the given decisions do to it.
    before: Point,
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

impl Point {
    /// What selecting the rows of `cut` does to a group of so many positive and negative rows.
    fn new(cut: &ScoreGroup, [positives, negatives]: [u64; 2], criterion: Criterion) -> Self {
        let share = |part: u64, whole: u64| part as f64 / whole as f64;
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
        Self {
            threshold: cut.score,
            hits: cut.positives,
            alarms: cut.negatives,
            at,
        }
    }
}

impl<'a> Curve<'a> {
    fn new(
        name: &'a str,
        decisions: Decisions<'_>,
        rows: &[usize],
        criterion: Criterion,
    ) -> Option<Self> {
        let probability = decisions
            .probability
            .expect("thresholds are of probabilities");
        let truth: Vec<bool> = rows.iter().map(|&row| decisions.truth[row]).collect();
        let scores: Vec<f64> = rows.iter().map(|&row| probability[row]).collect();
        let groups = score_groups(&truth, &scores);
        let (positives, negatives) = totals(&groups);
        let lacks = match criterion {
            Criterion::DemographicParity => false,
            Criterion::EqualOpportunity => positives == 0,
            Criterion::EqualizedOdds => positives == 0 || negatives == 0,
        };
        if lacks {
            return None;
        }
        let selected = || rows.iter().filter(|row| decisions.selected[**row]);
        let hits = selected().filter(|row| decisions.truth[**row]).count() as u64;
        let before = ScoreGroup {
            score: f64::NAN,
            positives: hits,
            negatives: selected().count() as u64 - hits,
        };
        let point = |cut: &ScoreGroup| Point::new(cut, [positives, negatives], criterion);
        let all = cuts(&groups);
        Some(Self {
            name,
            positives,
            negatives,
            points: thinned(all.len()).map(|index| point(&all[index])).collect(),
            before: point(&before),
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
    accuracy: f64,
    balanced: f64,
}

impl Choice {
    /// The points near a target.
    fn near(curves: &[Curve<'_>], target: [f64; 2], reach: f64) -> Self {
        let points = curves.iter().map(|curve| curve.choose(target, reach));
        Self::of(curves, points.collect())
    }

    fn of(curves: &[Curve<'_>], points: Vec<Point>) -> Self {
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
            let sums = counts.iter_mut().zip(more);
            sums.for_each(|(sum, more)| *sum += more);
        }
        let matrix = ConfusionMatrix::binary(counts);
        Self {
            difference: spread(0).max(spread(1)),
            accuracy: matrix.accuracy(),
            balanced: matrix.balanced_accuracy(),
            points,
        }
    }

    /// The threshold of each group.
    fn thresholds(&self, curves: &[Curve<'_>]) -> BTreeMap<String, f64> {
        let named = curves.iter().zip(&self.points);
        let named = named.map(|(curve, point)| (curve.name.to_owned(), point.threshold));
        named.collect()
    }

    fn is_allowed(&self, before: &Self, loss: f64) -> bool {
        let keeps = |now: f64, before: f64| now >= before - loss - ROUNDING;
        keeps(self.accuracy, before.accuracy) && keeps(self.balanced, before.balanced)
    }

    fn is_better(&self, other: &Self, tolerance: f64) -> bool {
        let near = |choice: &Self| choice.difference <= tolerance + ROUNDING;
        match (near(self), near(other)) {
            (true, true) => {
                let gain = self.accuracy - other.accuracy;
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

    fn fit(rows: usize, rule: GroupThresholds) -> Result<BTreeMap<String, f64>, NoThresholds> {
        let (truth, scores, partition) = shifted(rows);
        let selected: Vec<bool> = scores.iter().map(|score| *score >= 0.5).collect();
        let decisions = Decisions {
            positive: "yes",
            truth: &truth,
            selected: &selected,
            probability: Some(&scores),
        };
        fit_group_thresholds(decisions, &partition, rule)
    }

    const RULE: GroupThresholds = GroupThresholds {
        criterion: Criterion::EqualizedOdds,
        tolerance: 0.02,
        max_loss: 0.05,
        min_group_size: 20,
    };

    #[test]
    fn a_shift_of_the_scores_is_a_shift_of_the_thresholds() {
        for criterion in [
            Criterion::DemographicParity,
            Criterion::EqualOpportunity,
            Criterion::EqualizedOdds,
        ] {
            let rule = GroupThresholds { criterion, ..RULE };
            let found = fit(80, rule).expect("two groups");
            let (a, b) = (found["a"], found["b"]);
            assert!((a - 0.65).abs() < 0.03, "{criterion:?}: {found:?}");
            assert!((b - 0.35).abs() < 0.03, "{criterion:?}: {found:?}");
        }
    }

    #[test]
    fn small_groups_and_too_high_a_price_give_none() {
        let small = GroupThresholds {
            min_group_size: 21,
            ..RULE
        };
        assert_eq!(fit(20, small), Err(NoThresholds::Small(0)));
        assert!(fit(20, RULE).is_ok());
        // Better than now in both groups by a quarter there is nothing.
        let dear = GroupThresholds {
            max_loss: -0.25,
            ..RULE
        };
        let Err(NoThresholds::NotNearer {
            difference,
            nearest,
        }) = fit(80, dear)
        else {
            panic!("nothing is that cheap");
        };
        assert!(nearest < 0.02 && difference > 0.2, "{nearest} {difference}");
    }

    #[test]
    fn answering_always_alike_is_no_way_out() {
        // Scores that say nothing in group "b": the groups are alike only where all or none are selected.
        let n = 200;
        let names: Vec<&str> = (0..2 * n)
            .map(|row| if row < n { "a" } else { "b" })
            .collect();
        let truth: Vec<bool> = (0..2 * n).map(|row| row % 10 == 0).collect();
        let score = |row: usize| match (row < n, truth[row]) {
            (true, true) => 0.9,
            (true, false) => 0.1,
            (false, _) => (row * 37 % n) as f64 / n as f64,
        };
        let scores: Vec<f64> = (0..2 * n).map(score).collect();
        let selected: Vec<bool> = scores.iter().map(|score| *score >= 0.5).collect();
        let decisions = Decisions {
            positive: "yes",
            truth: &truth,
            selected: &selected,
            probability: Some(&scores),
        };
        let found = fit_group_thresholds(decisions, &Partition::new("g", &names), RULE);
        let constant = |thresholds: &BTreeMap<String, f64>| {
            let of_a: Vec<bool> = scores[..n].iter().map(|s| *s >= thresholds["a"]).collect();
            of_a.iter().all(|is| *is) || !of_a.iter().any(|is| *is)
        };
        assert!(!found.is_ok_and(|found| constant(&found)));
    }
}
