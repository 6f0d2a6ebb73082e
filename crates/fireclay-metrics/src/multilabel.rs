//! Metrics of multi-label classification, as scikit-learn defines them on indicator matrices.

use crate::ConfusionMatrix;
use crate::interval::of_share;
use crate::report::{Metrics, PerClass, Report, finite, mean_over, non_finite, without_metrics};

/// All metrics of a multi-label classifier on one split.
///
/// `truth` has the labels that apply to each sample, `probabilities` is `[n, labels]`, and a label
/// is predicted from the probability `threshold` on. `map` and `roc_auc` are unweighted means over
/// labels, absent where a label never or always applies. With a seed the share of samples whose
/// labels are all right gets an interval.
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
    let non_finite = non_finite(probabilities.chunks(labels.max(1)));
    if truth.is_empty() || non_finite > 0 {
        return without_metrics(truth.len(), non_finite);
    }
    let columns: Vec<Column> = (0..labels)
        .map(|label| Column::new(label, labels, truth, probabilities, threshold))
        .collect();
    let per_class: Vec<PerClass> = columns.iter().map(Column::report).collect();
    let is_right = |row: usize| columns.iter().all(|c| c.truth[row] == c.predicted[row]);
    let right = (0..truth.len()).map(|row| f64::from(u8::from(is_right(row))));
    let right: Vec<f64> = right.collect();
    Report {
        n: truth.len(),
        metrics: finite(metrics(&columns, &per_class, &right)),
        interval: interval_seed.and_then(|seed| of_share("subset_accuracy", seed, &right)),
        threshold: (threshold != super::DEFAULT_THRESHOLD).then_some(threshold),
        per_class: Some(per_class),
        ..Report::default()
    }
}

/// `right` is 1 for each sample whose labels are all right, and 0 for the others.
fn metrics(columns: &[Column], per_class: &[PerClass], right: &[f64]) -> Metrics {
    let pooled = ConfusionMatrix::pooled(columns.iter().map(|column| &column.matrix));
    let mean = |value: fn(&PerClass) -> Option<f64>| mean_over(per_class, value, |_| 1.0);
    let subset_accuracy = right.iter().sum::<f64>() / right.len() as f64;
    vec![
        ("map", mean(|c| c.average_precision)),
        ("roc_auc", mean(|c| c.roc_auc)),
        ("f1_micro", Some(pooled.f1(1))),
        ("f1_macro", mean(|c| Some(c.f1))),
        ("subset_accuracy", Some(subset_accuracy)),
        ("hamming_loss", Some(pooled.error_rate())),
    ]
}

/// One label over all samples.
struct Column {
    truth: Vec<bool>,
    predicted: Vec<bool>,
    scores: Vec<f64>,
    matrix: ConfusionMatrix,
}

impl Column {
    fn new(
        label: usize,
        labels: usize,
        truth: &[Vec<u32>],
        probabilities: &[f64],
        threshold: f64,
    ) -> Self {
        let applies = |set: &Vec<u32>| set.contains(&(label as u32));
        let truth: Vec<bool> = truth.iter().map(applies).collect();
        let scores = probabilities.iter().skip(label).step_by(labels);
        let scores: Vec<f64> = scores.copied().collect();
        let predicted: Vec<bool> = scores.iter().map(|score| *score >= threshold).collect();
        let [classes, decisions] =
            [&truth, &predicted].map(|is| is.iter().map(|is| u32::from(*is)).collect::<Vec<_>>());
        Self {
            matrix: ConfusionMatrix::new(2, &classes, &decisions),
            truth,
            predicted,
            scores,
        }
    }

    fn report(&self) -> PerClass {
        PerClass::new(&self.matrix, 1, &self.truth, &self.scores)
    }
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
