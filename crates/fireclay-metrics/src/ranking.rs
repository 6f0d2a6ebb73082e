//! Metrics of the order of scores, whatever their scale: ROC AUC and average precision.

/// Area under the receiver operating characteristic: the probability that a random positive row
/// scores above a random negative one, a tie counting one half (Hanley and McNeil 1982; equal to
/// the trapezoidal area, Fawcett 2006, algorithm 2).
///
/// `positive` and `scores` are `[n]`. `None` unless there are both positive and negative rows.
pub fn roc_auc(positive: &[bool], scores: &[f64]) -> Option<f64> {
    roc_auc_of(&score_groups(positive, scores))
}

/// Average precision: Σ_n (R_n - R_{n-1}) P_n over the distinct scores as thresholds, highest
/// first, without interpolation (Manning, Raghavan and Schütze 2008, section 8.4).
///
/// `positive` and `scores` are `[n]`. `None` unless there is a positive row.
pub fn average_precision(positive: &[bool], scores: &[f64]) -> Option<f64> {
    average_precision_of(&score_groups(positive, scores))
}

/// Rows of one score. A classifier cannot tell them apart, so they pass a threshold together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScoreGroup {
    pub score: f64,
    pub positives: u64,
    pub negatives: u64,
}

/// The rows grouped by score, highest score first. O(n log n).
pub(crate) fn score_groups(positive: &[bool], scores: &[f64]) -> Vec<ScoreGroup> {
    assert_eq!(positive.len(), scores.len(), "one score for each row");
    let mut rows: Vec<(f64, bool)> = scores
        .iter()
        .copied()
        .zip(positive.iter().copied())
        .collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|tied| {
            let positives = tied.iter().filter(|row| row.1).count() as u64;
            ScoreGroup {
                score: tied[0].0,
                positives,
                negatives: tied.len() as u64 - positives,
            }
        })
        .collect()
}

pub(crate) fn totals(groups: &[ScoreGroup]) -> (u64, u64) {
    groups.iter().fold((0, 0), |(positives, negatives), group| {
        (positives + group.positives, negatives + group.negatives)
    })
}

pub(crate) fn roc_auc_of(groups: &[ScoreGroup]) -> Option<f64> {
    let (positives, negatives) = totals(groups);
    let mut above = 0.0;
    let mut wins = 0.0;
    for group in groups {
        wins += group.negatives as f64 * (above + group.positives as f64 / 2.0);
        above += group.positives as f64;
    }
    (positives > 0 && negatives > 0).then(|| wins / (positives as f64 * negatives as f64))
}

pub(crate) fn average_precision_of(groups: &[ScoreGroup]) -> Option<f64> {
    let (positives, _) = totals(groups);
    let mut found = 0;
    let mut retrieved = 0;
    let mut sum = 0.0;
    for group in groups {
        found += group.positives;
        retrieved += group.positives + group.negatives;
        sum += group.positives as f64 * (found as f64 / retrieved as f64);
    }
    (positives > 0).then(|| sum / positives as f64)
}
