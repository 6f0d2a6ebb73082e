//! What every threshold decides: the points of the ROC and the precision-recall curve, and what a
//! decision costs.

use crate::ranking::{score_groups, totals};

/// What "positive where score ≥ threshold" decides on a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The least score that is called positive; infinite where none is.
    pub threshold: f64,
    /// Positive rows that are called positive.
    pub hits: u64,
    /// Negative rows that are called positive: false alarms.
    pub false_alarms: u64,
    /// Positive rows that are called negative.
    pub misses: u64,
    /// Negative rows that are called negative.
    pub rejections: u64,
}

/// Every decision that some threshold makes, from "never positive" to "always positive": one for each
/// distinct score, highest first, after the one that calls nothing positive (Fawcett 2006, algorithm 1).
///
/// `positive` and `scores` are `[n]`. O(n log n).
///
/// # Panics
///
/// If the lengths differ.
pub fn cuts(positive: &[bool], scores: &[f64]) -> Vec<Cut> {
    let groups = score_groups(positive, scores);
    let (positives, negatives) = totals(&groups);
    let mut cut = Cut {
        threshold: f64::INFINITY,
        hits: 0,
        false_alarms: 0,
        misses: positives,
        rejections: negatives,
    };
    let mut cuts = vec![cut];
    for group in groups {
        cut = Cut {
            threshold: group.score,
            hits: cut.hits + group.positives,
            false_alarms: cut.false_alarms + group.negatives,
            misses: cut.misses - group.positives,
            rejections: cut.rejections - group.negatives,
        };
        cuts.push(cut);
    }
    cuts
}

impl Cut {
    /// What this threshold decides, given the [`cuts`] of a split, highest first: the last one that
    /// it reaches.
    pub fn at(cuts: &[Self], threshold: f64) -> Option<Self> {
        let reached = cuts.partition_point(|cut| cut.threshold >= threshold);
        cuts.get(reached.checked_sub(1)?).copied()
    }

    /// Share of the positive rows that are called positive, the y of a ROC curve and the x of a
    /// precision-recall curve; `None` without positive rows.
    pub fn recall(&self) -> Option<f64> {
        share(self.hits, self.hits + self.misses)
    }

    /// Share of the negative rows that are called positive, the x of a ROC curve; `None` without
    /// negative rows.
    pub fn false_positive_rate(&self) -> Option<f64> {
        share(self.false_alarms, self.false_alarms + self.rejections)
    }

    /// Share of the rows called positive that are; `None` where none is called so.
    pub fn precision(&self) -> Option<f64> {
        share(self.hits, self.hits + self.false_alarms)
    }

    /// What the decisions cost if a false alarm costs 1.
    pub fn cost(&self, of_a_miss: f64) -> f64 {
        self.false_alarms as f64 + of_a_miss * self.misses as f64
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
