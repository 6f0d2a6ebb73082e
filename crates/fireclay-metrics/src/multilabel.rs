//! Metrics of multi-label classification, as scikit-learn defines them on indicator matrices.

use crate::ranking::{average_precision_of, roc_auc_of, score_groups};
use crate::report::{PerClass, Report, finite, interval, mean_over, without_metrics};

/// All metrics of a multi-label classifier on one split.
///
/// `truth` has the labels that apply to each sample, `probabilities` is `[n, labels]`, and a label
/// is predicted from the probability `threshold` on. `map` and `roc_auc` are unweighted means over
/// labels, absent where a label never or always applies. With a seed the share of samples whose
/// labels are all right gets a bootstrap interval.
///
/// # Panics
///
/// If there is not one probability for each sample and label.
pub fn multilabel_report(
    labels: usize,
    truth: &[Vec<u32>],
    probabilities: &[f64],
    threshold: f64,
    interval_seed: Option<u64>,
) -> Report {
    assert_eq!(truth.len() * labels, probabilities.len());
    let rows = probabilities.chunks(labels.max(1));
    let non_finite = rows.filter(|row| row.iter().any(|p| !p.is_finite()));
    let non_finite = non_finite.count();
    if truth.is_empty() || non_finite > 0 {
        return without_metrics(truth.len(), non_finite);
    }
    let columns: Vec<Column> = (0..labels)
        .map(|label| Column::new(label, labels, truth, probabilities, threshold))
        .collect();
    let per_class: Vec<PerClass> = columns.iter().map(Column::report).collect();
    let right: Vec<f64> = (0..truth.len())
        .map(|row| {
            f64::from(u8::from(
                columns.iter().all(|c| c.truth[row] == c.predicted[row]),
            ))
        })
        .collect();
    let n = truth.len() as f64;
    let wrong: usize = columns
        .iter()
        .map(|c| c.false_positive + c.false_negative)
        .sum();
    let sum = |count: fn(&Column) -> usize| columns.iter().map(count).sum::<usize>() as f64;
    let hits = sum(|c| c.true_positive);
    let metrics = vec![
        (
            "map",
            mean_over(&per_class, |c| c.average_precision, |_| 1.0),
        ),
        ("roc_auc", mean_over(&per_class, |c| c.roc_auc, |_| 1.0)),
        (
            "f1_micro",
            Some(f1(
                hits,
                sum(|c| c.false_positive),
                sum(|c| c.false_negative),
            )),
        ),
        ("f1_macro", mean_over(&per_class, |c| Some(c.f1), |_| 1.0)),
        ("subset_accuracy", Some(right.iter().sum::<f64>() / n)),
        ("hamming_loss", Some(wrong as f64 / (n * labels as f64))),
    ];
    Report {
        n: truth.len(),
        metrics: finite(metrics),
        interval: interval_seed.and_then(|seed| interval("subset_accuracy", seed, &right, |m| m)),
        threshold: (threshold != super::DEFAULT_THRESHOLD).then_some(threshold),
        per_class: Some(per_class),
        ..Report::default()
    }
}

/// One label over all samples.
struct Column {
    truth: Vec<bool>,
    predicted: Vec<bool>,
    scores: Vec<f64>,
    true_positive: usize,
    false_positive: usize,
    false_negative: usize,
}

impl Column {
    fn new(
        label: usize,
        labels: usize,
        truth: &[Vec<u32>],
        probabilities: &[f64],
        threshold: f64,
    ) -> Self {
        let truth: Vec<bool> = truth
            .iter()
            .map(|set| set.contains(&(label as u32)))
            .collect();
        let scores: Vec<f64> = probabilities
            .iter()
            .skip(label)
            .step_by(labels)
            .copied()
            .collect();
        let predicted: Vec<bool> = scores.iter().map(|score| *score >= threshold).collect();
        let count = |t: bool, p: bool| {
            let pairs = truth.iter().zip(&predicted);
            pairs.filter(|(a, b)| **a == t && **b == p).count()
        };
        Self {
            true_positive: count(true, true),
            false_positive: count(false, true),
            false_negative: count(true, false),
            truth,
            predicted,
            scores,
        }
    }

    fn report(&self) -> PerClass {
        let (hits, wrong, missed) = (
            self.true_positive as f64,
            self.false_positive as f64,
            self.false_negative as f64,
        );
        let groups = score_groups(&self.truth, &self.scores);
        PerClass {
            precision: ratio(hits, hits + wrong),
            recall: ratio(hits, hits + missed),
            f1: f1(hits, wrong, missed),
            support: (self.true_positive + self.false_negative) as u64,
            roc_auc: roc_auc_of(&groups),
            average_precision: average_precision_of(&groups),
        }
    }
}

fn f1(hits: f64, wrong: f64, missed: f64) -> f64 {
    ratio(2.0 * hits, 2.0 * hits + wrong + missed)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_that_can_be_counted_by_hand() {
        let truth = [vec![0, 2], vec![], vec![1], vec![0, 1]];
        let probabilities = [
            0.9, 0.2, 0.4, // label 2 is missed
            0.1, 0.6, 0.3, // label 1 is wrong
            0.2, 0.7, 0.1, // right
            0.8, 0.9, 0.2, // right
        ];
        let report = multilabel_report(3, &truth, &probabilities, 0.5, Some(1));
        let metric = |name: &str| report.metrics[name];
        assert_eq!(metric("subset_accuracy"), 0.5);
        assert_eq!(metric("hamming_loss"), 2.0 / 12.0);
        assert_eq!(metric("f1_micro"), 8.0 / 10.0);
        assert!((metric("f1_macro") - (1.0 + 0.8 + 0.0) / 3.0).abs() < 1e-12);
        assert_eq!(metric("map"), 1.0);
        assert_eq!(report.per_class.unwrap()[1].support, 2);
        assert!(report.interval.is_some());
    }

    #[test]
    fn numbers_that_are_not_finite_are_counted_instead() {
        let report = multilabel_report(1, &[vec![], vec![0]], &[f64::NAN, 0.2], 0.5, None);
        assert_eq!((report.non_finite, report.metrics.len()), (1, 0));
    }
}
