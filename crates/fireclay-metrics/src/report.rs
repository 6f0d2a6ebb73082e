//! All metrics of one split, as they are written to `evaluation.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::interval::{Interval, of_mean, of_share};
use crate::{
    Calibration, Classification, ConfusionMatrix, Coverage, Fairness, brier_binary,
    brier_multiclass, calibration_error, explained_variance, log_loss, mae, mape, max_error,
    median_absolute_error, mse, r2,
    ranking::{average_precision_of, roc_auc_of, score_groups},
    rmse, top_k_accuracy,
};

/// Up to so many classes a report holds the confusion matrix; a larger one is of no use to read.
const LARGEST_CONFUSION_MATRIX: usize = 100;

/// The metrics of one split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Number of rows.
    pub n: usize,
    /// Value of each metric by its name; what is undefined on this split is absent.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % interval of the headline metric, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// What a trivial answer reaches on the same rows. Set by the caller, who knows the training rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The positive one of two classes. Set by the caller, who knows its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// Probability from which on the positive class was predicted, if it is not 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Names of the classes in the order of the two tables below, for whoever knows them to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// The metrics of each class against the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<Vec<PerClass>>,
    /// One row for each true class, one column for each predicted one (up to 100 classes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion_matrix: Option<Vec<Vec<u64>>>,
    /// What the temperature changes, if the probabilities are calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How often sets or intervals with a stated coverage hold the truth, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// How groups are treated, if the configuration names any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// Number of rows with a number that is NaN or infinite. If there is one, no metric is given.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub non_finite: usize,
}

/// The metrics of a trivial answer to the same samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What is answered, in words.
    pub answer: String,
    /// Value of each metric by its name; not every metric of the report has one.
    pub metrics: BTreeMap<String, f64>,
}

/// The metrics of one class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerClass {
    /// Fraction of the rows predicted as this class that are of it.
    pub precision: f64,
    /// Fraction of the rows of this class that were predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of rows of this class.
    pub support: u64,
    /// Absent unless the split has rows of this class and of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roc_auc: Option<f64>,
    /// Absent unless the split has rows of this class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_precision: Option<f64>,
}

/// All metrics of a classifier on one split.
///
/// With two classes `precision`, `recall`, `f1`, `roc_auc` and `average_precision` are those of
/// the positive class and `brier` is the binary one. With more, `roc_auc` and `average_precision`
/// are unweighted means of one class against the rest, absent where a class is absent from the
/// truth. The other `_macro` metrics are means over the classes that occur in the truth or in the
/// predictions, as scikit-learn's are by default. With a seed the accuracy gets an interval.
pub fn classification_report(split: &Classification, interval_seed: Option<u64>) -> Report {
    let non_finite = non_finite(split.probabilities().chunks(split.classes().max(1)));
    if split.is_empty() || non_finite > 0 {
        return without_metrics(split.len(), non_finite);
    }
    let predicted = split.predicted();
    let matrix = ConfusionMatrix::new(split.classes(), split.truth(), &predicted);
    let of_class = |class| {
        let (is_class, scores) = (split.is_class(class), split.scores_of(class));
        PerClass::new(&matrix, class, &is_class, &scores)
    };
    let per_class: Vec<PerClass> = (0..split.classes()).map(of_class).collect();
    let mut metrics = decision_metrics(&matrix, split.positive());
    metrics.extend(probability_metrics(split));
    metrics.extend(ranking_metrics(&per_class, split.positive()));

    let hits = split.truth().iter().zip(&predicted);
    let hits: Vec<f64> = hits.map(|(t, p)| f64::from(u8::from(t == p))).collect();
    Report {
        n: split.len(),
        metrics: finite(metrics),
        interval: interval_seed.and_then(|seed| of_share("accuracy", seed, &hits)),
        threshold: split.threshold(),
        per_class: Some(per_class),
        confusion_matrix: (split.classes() <= LARGEST_CONFUSION_MATRIX).then(|| matrix.rows()),
        ..Report::default()
    }
}

/// All metrics of predicted numbers on one split; `truth` and `prediction` are `[n]`, in the
/// unit of the target. With a seed the RMSE gets an interval.
///
/// # Panics
///
/// If the lengths differ.
pub fn regression_report(truth: &[f64], prediction: &[f64], interval_seed: Option<u64>) -> Report {
    assert_eq!(truth.len(), prediction.len(), "one prediction for each row");
    let pairs = truth.iter().zip(prediction);
    let non_finite = pairs.filter(|(y, p)| !(y.is_finite() && p.is_finite()));
    let non_finite = non_finite.count();
    if truth.is_empty() || non_finite > 0 {
        return without_metrics(truth.len(), non_finite);
    }
    let squares = truth.iter().zip(prediction).map(|(y, p)| (y - p).powi(2));
    let squares: Vec<f64> = squares.collect();
    Report {
        n: truth.len(),
        metrics: finite(vec![
            ("mae", mae(truth, prediction)),
            ("mse", mse(truth, prediction)),
            ("rmse", rmse(truth, prediction)),
            ("r2", r2(truth, prediction)),
            ("mape", mape(truth, prediction)),
            ("median_ae", median_absolute_error(truth, prediction)),
            ("max_error", max_error(truth, prediction)),
            ("explained_variance", explained_variance(truth, prediction)),
        ]),
        interval: interval_seed.and_then(|seed| of_mean("rmse", seed, &squares, f64::sqrt)),
        ..Report::default()
    }
}

/// Names and values; `None` where a metric is undefined.
pub(crate) type Metrics = Vec<(&'static str, Option<f64>)>;

/// The metrics of the decisions alone. With two classes, precision, recall and F1 are those of `positive`.
pub(crate) fn decision_metrics(matrix: &ConfusionMatrix, positive: usize) -> Metrics {
    use ConfusionMatrix as M;
    let mut metrics = vec![
        ("accuracy", Some(matrix.accuracy())),
        ("balanced_accuracy", Some(matrix.balanced_accuracy())),
        ("precision_macro", Some(matrix.macro_mean(M::precision))),
        ("recall_macro", Some(matrix.macro_mean(M::recall))),
        ("f1_macro", Some(matrix.macro_mean(M::f1))),
        (
            "precision_weighted",
            Some(matrix.weighted_mean(M::precision)),
        ),
        ("recall_weighted", Some(matrix.weighted_mean(M::recall))),
        ("f1_weighted", Some(matrix.weighted_mean(M::f1))),
        ("mcc", Some(matrix.mcc())),
        ("cohen_kappa", matrix.cohen_kappa()),
    ];
    if matrix.classes() == 2 {
        metrics.extend([
            ("precision", Some(matrix.precision(positive))),
            ("recall", Some(matrix.recall(positive))),
            ("f1", Some(matrix.f1(positive))),
        ]);
    }
    metrics
}

fn probability_metrics(split: &Classification) -> Metrics {
    let brier = match split.classes() {
        2 => brier_binary(
            &split.is_class(split.positive()),
            &split.scores_of(split.positive()),
        ),
        _ => brier_multiclass(split),
    };
    let (confidence, correct) = split.confidences();
    let calibration = calibration_error(&confidence, &correct);
    let mut metrics = vec![
        ("log_loss", log_loss(split)),
        ("brier", brier),
        ("ece", calibration.map(|error| error.expected)),
        ("mce", calibration.map(|error| error.maximum)),
    ];
    if split.classes() > 5 {
        metrics.push(("top5_accuracy", top_k_accuracy(split, 5)));
    }
    metrics
}

fn ranking_metrics(per_class: &[PerClass], positive: usize) -> Metrics {
    if per_class.len() == 2 {
        let positive = &per_class[positive];
        return vec![
            ("roc_auc", positive.roc_auc),
            ("average_precision", positive.average_precision),
        ];
    }
    let auc = |class: &PerClass| class.roc_auc;
    let precision = mean_over(per_class, |class| class.average_precision, |_| 1.0);
    let weighted = mean_over(per_class, auc, |class| class.support as f64);
    vec![
        ("roc_auc", mean_over(per_class, auc, |_| 1.0)),
        ("roc_auc_weighted", weighted),
        ("average_precision", precision),
    ]
}

/// `None` as soon as one class has none: the mean of the others would be another metric.
pub(crate) fn mean_over(
    per_class: &[PerClass],
    value: impl Fn(&PerClass) -> Option<f64>,
    weight: impl Fn(&PerClass) -> f64,
) -> Option<f64> {
    let mut sum = 0.0;
    for class in per_class {
        sum += weight(class) * value(class)?;
    }
    Some(sum / per_class.iter().map(weight).sum::<f64>())
}

impl PerClass {
    /// The metrics of a class: `positive` says which rows are of it, `scores` is its probability in each.
    pub(crate) fn new(
        matrix: &ConfusionMatrix,
        class: usize,
        positive: &[bool],
        scores: &[f64],
    ) -> Self {
        let groups = score_groups(positive, scores);
        Self {
            precision: matrix.precision(class),
            recall: matrix.recall(class),
            f1: matrix.f1(class),
            support: matrix.support(class),
            roc_auc: roc_auc_of(&groups),
            average_precision: average_precision_of(&groups),
        }
    }
}

/// How many rows have a number that is not finite.
pub(crate) fn non_finite<'a>(rows: impl Iterator<Item = &'a [f64]>) -> usize {
    rows.filter(|row| row.iter().any(|p| !p.is_finite()))
        .count()
}

pub(crate) fn without_metrics(n: usize, non_finite: usize) -> Report {
    Report {
        n,
        non_finite,
        ..Report::default()
    }
}

pub(crate) fn finite(metrics: Metrics) -> BTreeMap<String, f64> {
    metrics
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .filter(|(_, value)| value.is_finite())
        .collect()
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}
