//! The decision threshold of a binary classifier, chosen on the validation split.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ConfusionMatrix, DEFAULT_THRESHOLD,
    ranking::{ScoreGroup, score_groups, totals},
};

/// What a tuned threshold makes as large as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdObjective {
    /// F1 of the positive class.
    F1,
    /// Mean recall of the two classes.
    BalancedAccuracy,
    /// Fraction of rows that are predicted right.
    Accuracy,
    /// Matthews correlation coefficient.
    Mcc,
}

/// Two values of an objective that differ by less are the same but for rounding.
const TOLERANCE: f64 = 1e-12;

/// The threshold, from 0 to 1, at which "positive where probability ≥ threshold" makes
/// `objective` largest.
///
/// `truth` (0 or 1) and `positive_probability` are `[n]`. All thresholds between two neighbouring
/// probabilities decide alike: the middle of such an interval is taken, or 0.5 where the interval
/// holds it. Of equally good thresholds the one nearest to 0.5 wins; where the truth has one
/// class only, nothing can be tuned and the answer is 0.5. O(n log n).
pub fn tune_threshold(
    truth: &[u32],
    positive_probability: &[f64],
    objective: ThresholdObjective,
) -> f64 {
    tune_threshold_from(truth, positive_probability, objective, 0.0)
}

/// The same among the thresholds that find at least the share `least_recall` of the positive rows.
pub fn tune_threshold_from(
    truth: &[u32],
    positive_probability: &[f64],
    objective: ThresholdObjective,
    least_recall: f64,
) -> f64 {
    let positive: Vec<bool> = truth.iter().map(|&class| class == 1).collect();
    let groups = score_groups(&positive, positive_probability);
    let (positives, negatives) = totals(&groups);
    if positives == 0 || negatives == 0 {
        return DEFAULT_THRESHOLD;
    }
    let mut best = (f64::NEG_INFINITY, DEFAULT_THRESHOLD);
    let finds =
        |cut: &ScoreGroup| cut.positives as f64 >= least_recall * positives as f64 - TOLERANCE;
    for cut in cuts(&groups).into_iter().filter(finds) {
        let matrix = ConfusionMatrix::binary([
            negatives - cut.negatives,
            cut.negatives,
            positives - cut.positives,
            cut.positives,
        ]);
        let candidate = (objective.value(&matrix), cut.score);
        if is_better(candidate, best) {
            best = candidate;
        }
    }
    best.1
}

impl ThresholdObjective {
    fn value(self, matrix: &ConfusionMatrix) -> f64 {
        match self {
            Self::F1 => matrix.f1(1),
            Self::BalancedAccuracy => matrix.balanced_accuracy(),
            Self::Accuracy => matrix.accuracy(),
            Self::Mcc => matrix.mcc(),
        }
    }
}

/// Every decision that some threshold makes, from "never positive" to "always positive": the
/// threshold as `score`, with the rows that it calls positive. `groups` has the highest score
/// first.
pub(crate) fn cuts(groups: &[ScoreGroup]) -> Vec<ScoreGroup> {
    let mut cuts = Vec::with_capacity(groups.len() + 1);
    let (mut positives, mut negatives) = (0, 0);
    let mut upper = 1.0;
    let cut = |lower, upper, positives, negatives| ScoreGroup {
        score: threshold_between(lower, upper),
        positives,
        negatives,
    };
    for group in groups {
        // No threshold up to 1 lies above a probability of 1.
        if group.score < upper {
            cuts.push(cut(group.score, upper, positives, negatives));
        }
        positives += group.positives;
        negatives += group.negatives;
        upper = group.score;
    }
    cuts.push(cut(0.0, upper, positives, negatives));
    cuts
}

/// A threshold above `lower` that `upper` still reaches.
fn threshold_between(lower: f64, upper: f64) -> f64 {
    if lower < DEFAULT_THRESHOLD && DEFAULT_THRESHOLD <= upper {
        return DEFAULT_THRESHOLD;
    }
    let middle = lower + (upper - lower) / 2.0;
    // Between neighbouring floating-point numbers the middle rounds to one of them.
    if middle > lower { middle } else { upper }
}

fn is_better(candidate: (f64, f64), best: (f64, f64)) -> bool {
    let distance = |(_, threshold): (f64, f64)| (threshold - DEFAULT_THRESHOLD).abs();
    let gain = candidate.0 - best.0;
    gain > TOLERANCE || (gain.abs() <= TOLERANCE && distance(candidate) < distance(best))
}
