//! The metrics against scikit-learn's numbers (`data/metrics`, definitions inside), their
//! invariants, and their answers where they are undefined.

use std::time::{Duration, Instant};

use fireclay_metrics::*;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn cases(text: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).expect("valid JSON");
    let cases: Vec<Value> = field(&mut file, "cases");
    assert!(!cases.is_empty());
    cases
}

fn field<T: DeserializeOwned>(object: &mut Value, name: &str) -> T {
    let value = object[name].take();
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Takes every reference value out and compares it, so that at the end none is left unchecked.
struct Expected {
    case: String,
    values: serde_json::Map<String, Value>,
}

impl Expected {
    fn of(case: &mut Value) -> Self {
        Self {
            case: field(case, "name"),
            values: field(case, "values"),
        }
    }

    fn take<T: DeserializeOwned>(&mut self, name: &str) -> T {
        let value = self.values.remove(name);
        let value = value.unwrap_or_else(|| panic!("{}: no {name}", self.case));
        serde_json::from_value(value).expect("the expected type")
    }

    fn check(&mut self, name: &str, actual: f64) {
        let expected: f64 = self.take(name);
        let tolerance = TOLERANCE * expected.abs().max(1.0);
        assert!(
            (actual - expected).abs() <= tolerance,
            "{}: {name} is {actual}, but should be {expected}",
            self.case,
        );
    }

    /// `names` are those of the reference, and after a colon of the report where it has another.
    fn check_report(&mut self, report: &Report, names: &str) {
        for name in names.split_whitespace() {
            let (expected, actual) = name.split_once(':').unwrap_or((name, name));
            self.check(expected, metric(report, actual));
        }
    }

    fn finish(self) {
        assert!(self.values.is_empty(), "{}: {:?}", self.case, self.values);
    }
}

fn metric(report: &Report, name: &str) -> f64 {
    *report
        .metrics
        .get(name)
        .unwrap_or_else(|| panic!("{name} is missing from {report:?}"))
}

fn classified(classes: usize, truth: &[u32], probabilities: &[f64], seed: Option<u64>) -> Report {
    classification_report(&Classification::new(classes, truth, probabilities), seed)
}

fn two_columns(scores: &[f64]) -> Vec<f64> {
    scores.iter().flat_map(|&p| [1.0 - p, p]).collect()
}

/// What every classification report has. Pooled counts of a single-label problem are its accuracy.
const COMMON: &str = "accuracy balanced_accuracy mcc cohen_kappa \
    precision_macro recall_macro f1_macro precision_weighted recall_weighted f1_weighted \
    precision_micro:accuracy recall_micro:accuracy f1_micro:accuracy \
    log_loss ece_15:ece mce_15:mce";

#[test]
fn binary_metrics_match_the_reference() {
    for mut case in cases(include_str!("data/metrics/binary.json")) {
        let truth: Vec<u32> = field(&mut case, "y_true");
        let scores: Vec<f64> = field(&mut case, "y_score");
        let predicted: Vec<u32> = field(&mut case, "y_pred");
        let threshold: f64 = field(&mut case, "threshold");
        let mut expected = Expected::of(&mut case);

        let probabilities = two_columns(&scores);
        let split = Classification::new(2, &truth, &probabilities).with_threshold(threshold);
        let report = classification_report(&split, None);
        assert_eq!(split.predicted(), predicted);
        assert_eq!(report.n, truth.len());
        assert_eq!(report.threshold, Some(threshold));
        assert_eq!(
            report.confusion_matrix.as_ref().expect("two classes"),
            &expected.take::<Vec<Vec<u64>>>("confusion_matrix"),
        );
        expected.check_report(&report, COMMON);
        expected.check_report(
            &report,
            "precision_binary:precision recall_binary:recall f1_binary:f1 \
             roc_auc average_precision brier",
        );
        let of_positive = calibration_error(&scores, &split.is_class(1)).expect("rows");
        expected.check("ece_15_positive_class", of_positive.expected);
        check_curves(&report, &split, threshold);
        expected.finish();
    }
}

/// The areas of the curves, and what they decide at a threshold, are the metrics of the reference.
fn check_curves(report: &Report, split: &Classification, threshold: f64) {
    let (positive, scores) = (split.is_class(1), split.scores_of(1));
    let curve = cuts(&positive, &scores);
    let steps = || curve.windows(2).map(|pair| (pair[0], pair[1]));
    let recall = |cut: Cut| cut.recall().expect("positive rows");
    let rate = |cut: Cut| cut.false_positive_rate().expect("negative rows");
    let trapezoid = |(a, b)| (rate(b) - rate(a)) * (recall(a) + recall(b)) / 2.0;
    let area: f64 = steps().map(trapezoid).sum();
    assert!((area - metric(report, "roc_auc")).abs() < TOLERANCE);
    let precise = |(a, b): (Cut, Cut)| (recall(b) - recall(a)) * b.precision().expect("some");
    let area: f64 = steps().map(precise).sum();
    assert!((area - metric(report, "average_precision")).abs() < TOLERANCE);
    let matrix = report.confusion_matrix.as_ref().expect("two classes");
    let at = Cut::at(&curve, threshold).expect("a decision");
    let found = [[at.rejections, at.false_alarms], [at.misses, at.hits]];
    assert_eq!(found.map(Vec::from).to_vec(), *matrix);
    assert_eq!(at.cost(3.0), (at.false_alarms + 3 * at.misses) as f64);
    let bins = reliability(&scores, &positive);
    let gap = |bin: &ReliabilityBin| bin.n as f64 * (bin.share() - bin.confidence).abs();
    let ece = bins.iter().map(gap).sum::<f64>() / scores.len() as f64;
    let known = calibration_error(&scores, &positive)
        .expect("rows")
        .expected;
    assert!((ece - known).abs() < TOLERANCE);
}

#[test]
fn chance_alone_makes_a_calibration_error_that_shrinks_with_rows() {
    let spread =
        |n: usize| -> Vec<f64> { (0..n).map(|row| (row as f64 + 0.5) / n as f64).collect() };
    let few = calibration_error_by_chance(&spread(50), 1).expect("rows");
    let many = calibration_error_by_chance(&spread(5000), 1).expect("rows");
    // The error of a bin of m rows is about sqrt(p (1 - p) / m): ten times smaller with a hundred times the rows.
    assert!(few > 0.1 && many < 0.03, "{few} {many}");
    // What is certain and right has none.
    assert_eq!(calibration_error_by_chance(&[1.0; 20], 1), Some(0.0));
    assert_eq!(calibration_error_by_chance(&[], 1), None);
}

#[test]
fn a_paired_difference_is_surer_than_two_intervals() {
    // The second model is right where the first is, and on ten rows more.
    let first: Vec<f64> = (0..200)
        .map(|row| f64::from(u8::from(row % 4 > 0)))
        .collect();
    let mut second = first.clone();
    (0..10).for_each(|row| second[4 * row] = 1.0);
    let paired = paired_bootstrap(&first, &second, 7, |mean| mean).expect("rows");
    assert!((paired.difference - 0.05).abs() < 1e-12);
    assert!(paired.is_real() && paired.low > 0.0 && paired.high < 0.1);
    let same = paired_bootstrap(&first, &first, 7, |mean| mean).expect("rows");
    assert_eq!((same.difference, same.is_real()), (0.0, false));
    let rmse = paired_bootstrap(&[4.0, 4.0], &[1.0, 1.0], 7, f64::sqrt).expect("rows");
    assert_eq!((rmse.difference, rmse.low, rmse.high), (-1.0, -1.0, -1.0));
    assert!(paired_bootstrap(&[], &[], 7, |mean| mean).is_none());
}

#[test]
fn multiclass_metrics_match_the_reference() {
    for mut case in cases(include_str!("data/metrics/multiclass.json")) {
        let classes: usize = field(&mut case, "n_classes");
        let truth: Vec<u32> = field(&mut case, "y_true");
        let rows: Vec<Vec<f64>> = field(&mut case, "y_proba");
        let predicted: Vec<u32> = field(&mut case, "y_pred");
        let mut expected = Expected::of(&mut case);

        let probabilities = rows.concat();
        let split = Classification::new(classes, &truth, &probabilities);
        let report = classification_report(&split, None);
        assert_eq!(split.predicted(), predicted);
        assert_eq!(
            report.confusion_matrix.as_ref().expect("few classes"),
            &expected.take::<Vec<Vec<u64>>>("confusion_matrix"),
        );
        expected.check_report(&report, COMMON);
        expected.check_report(&report, "brier_multiclass:brier");
        expected.check("top_3_accuracy", top_k_accuracy(&split, 3).expect("rows"));
        check_per_class(&mut expected, report.per_class.as_ref().expect("a table"));

        // Where a class is absent from the truth the reference has no ranking metric either.
        let ranking = [
            ("roc_auc_macro_ovr", "roc_auc"),
            ("roc_auc_weighted_ovr", "roc_auc_weighted"),
            ("average_precision_macro", "average_precision"),
        ];
        for (reference, name) in ranking {
            if expected.values.contains_key(reference) {
                expected.check(reference, metric(&report, name));
            } else {
                assert!(!report.metrics.contains_key(name), "{}", expected.case);
            }
        }
        if classes > 5 {
            expected.check_report(&report, "top_5_accuracy:top5_accuracy");
        }
        expected.finish();
    }
}

fn check_per_class(expected: &mut Expected, per_class: &[PerClass]) {
    let support: Vec<u64> = per_class.iter().map(|class| class.support).collect();
    assert_eq!(support, expected.take::<Vec<u64>>("support"));
    let columns = ["precision_per_class", "recall_per_class", "f1_per_class"];
    for (column, name) in columns.into_iter().enumerate() {
        let reference: Vec<f64> = expected.take(name);
        assert_eq!(reference.len(), per_class.len());
        for (class, reference) in per_class.iter().zip(reference) {
            let actual = [class.precision, class.recall, class.f1][column];
            assert!((actual - reference).abs() <= TOLERANCE, "{name}");
        }
    }
}

#[test]
fn macro_means_are_over_the_classes_that_occur() {
    // scikit-learn 1.9.1: precision_score, recall_score and f1_score with average="macro", and
    // balanced_accuracy_score, of these labels alone.
    let cases: [(&[u32], &[u32], [f64; 4]); 2] = [
        // Classes 2 and 4 of five are neither true nor predicted.
        (
            &[0, 0, 1, 1, 3, 3, 3, 0],
            &[0, 1, 1, 1, 3, 0, 3, 0],
            [
                0.777_777_777_777_777_7,
                0.777_777_777_777_777_7,
                0.755_555_555_555_555_5,
                0.777_777_777_777_777_7,
            ],
        ),
        // Class 2 is predicted and never true.
        (
            &[0, 0, 1, 1],
            &[0, 1, 1, 2],
            [0.5, 0.333_333_333_333_333_3, 0.388_888_888_888_888_84, 0.5],
        ),
    ];
    for (truth, predicted, expected) in cases {
        let certain = |&class: &u32| (0..5).map(move |other| f64::from(u8::from(other == class)));
        let probabilities: Vec<f64> = predicted.iter().flat_map(certain).collect();
        let report = classified(5, truth, &probabilities, None);
        let names = [
            "precision_macro",
            "recall_macro",
            "f1_macro",
            "balanced_accuracy",
        ];
        for (name, expected) in names.into_iter().zip(expected) {
            let found = metric(&report, name);
            assert!((found - expected).abs() < TOLERANCE, "{name}: {found}");
        }
    }
}

#[test]
fn the_positive_class_is_the_named_one() {
    let truth = [0, 1, 1, 0, 1];
    let scores = [0.2, 0.9, 0.4, 0.6, 0.7];
    let probabilities = two_columns(&scores);
    let swapped: Vec<f64> = probabilities
        .chunks(2)
        .flat_map(|row| [row[1], row[0]])
        .collect();
    let other: Vec<u32> = truth.iter().map(|class| 1 - class).collect();
    let first = Classification::new(2, &truth, &probabilities).with_positive(0);
    let second = Classification::new(2, &other, &swapped);
    for threshold in [0.3, 0.5, 0.65] {
        let named = classification_report(&first.with_threshold(threshold), None);
        let usual = classification_report(&second.with_threshold(threshold), None);
        assert_eq!(named.metrics, usual.metrics);
    }
}

#[test]
fn regression_metrics_match_the_reference() {
    for mut case in cases(include_str!("data/metrics/regression.json")) {
        let truth: Vec<f64> = field(&mut case, "y_true");
        let prediction: Vec<f64> = field(&mut case, "y_pred");
        let mut expected = Expected::of(&mut case);
        let report = regression_report(&truth, &prediction, None);
        assert_eq!(report.n, truth.len());
        expected.check_report(
            &report,
            "mae mse rmse r2 mape max_error median_absolute_error:median_ae explained_variance",
        );
        expected.finish();
    }
}

#[test]
fn undefined_metrics_are_left_out() {
    // One class in the truth, and every row predicted as it.
    let report = classified(2, &[1, 1], &[0.2, 0.8, 0.0, 1.0], None);
    for absent in ["roc_auc", "cohen_kappa"] {
        assert!(!report.metrics.contains_key(absent), "{absent}");
    }
    assert_eq!(metric(&report, "mcc"), 0.0);
    assert_eq!(metric(&report, "balanced_accuracy"), 1.0);
    // The mean is over the classes that occur in the truth or among the predictions.
    assert_eq!(metric(&report, "f1_macro"), 1.0);
    assert_eq!(roc_auc(&[false, false], &[0.1, 0.2]), None);
    assert_eq!(average_precision(&[false, false], &[0.1, 0.2]), None);

    // Three tenths have a mean that is not 0.1, and still vary by nothing.
    let constant = [0.1, 0.1, 0.1];
    assert_eq!(r2(&constant, &[0.1, 0.2, 0.3]), None);
    assert_eq!(explained_variance(&constant, &[0.1, 0.2, 0.3]), None);
    assert_eq!(mape(&[0.0, 1.0], &[1.0, 1.0]), None);
}

#[test]
fn empty_and_non_finite_splits_have_no_metrics() {
    let none = classified(3, &[], &[], Some(1));
    assert_eq!(none, Report::default());
    assert_eq!(regression_report(&[], &[], Some(1)), Report::default());

    let nan = classified(2, &[0, 1], &[f64::NAN, f64::NAN, 0.5, 0.5], Some(1));
    assert_eq!((nan.n, nan.non_finite, nan.metrics.len()), (2, 1, 0));
    let infinite = regression_report(&[1.0, 2.0, 3.0], &[1.0, f64::INFINITY, f64::NAN], Some(1));
    assert_eq!((infinite.n, infinite.non_finite), (3, 2));
    assert!(infinite.metrics.is_empty() && infinite.interval.is_none());

    // The squares of finite errors may overflow: JSON could not hold them.
    let huge = regression_report(&[1e200, 0.0], &[-1e200, 0.0], Some(1));
    assert!(!huge.metrics.contains_key("mse") && huge.interval.is_none());
    assert_eq!(metric(&huge, "mae"), 1e200);
}

#[test]
fn a_wrong_certainty_costs_a_finite_log_loss() {
    let split = Classification::new(2, &[0, 1], &[0.0, 1.0, 0.0, 1.0]);
    let expected = -f64::EPSILON.ln() / 2.0;
    assert!((log_loss(&split).expect("rows") - expected).abs() < TOLERANCE);
}

#[test]
fn a_confidence_on_an_edge_belongs_to_the_lower_bin() {
    // Together in (2/15, 3/15] the two rows cancel out; in separate bins they would not.
    let together = calibration_error(&[0.2, 0.19], &[true, false]).expect("rows");
    assert!((together.expected - (1.0 - 0.2 - 0.19) / 2.0).abs() < TOLERANCE);
    for edge in 1..CALIBRATION_BINS {
        let edge = edge as f64 / CALIBRATION_BINS as f64;
        let apart = calibration_error(&[edge, edge.next_up()], &[true, false]).expect("rows");
        assert!((apart.expected - 0.5).abs() < TOLERANCE, "{edge}");
    }
}

#[test]
fn equal_probabilities_decide_for_the_first_class_and_the_threshold_is_inclusive() {
    let thirds = Classification::new(3, &[2], &[1.0 / 3.0; 3]);
    assert_eq!(thirds.predicted(), [0]);
    // Among equals the last class ranks first in top-k, as in scikit-learn.
    assert_eq!(top_k_accuracy(&thirds, 1), Some(1.0));
    let first = Classification::new(3, &[0], &[1.0 / 3.0; 3]);
    assert_eq!(top_k_accuracy(&first, 2), Some(0.0));
    let half = Classification::new(2, &[1], &[0.5, 0.5]);
    assert_eq!(half.predicted(), [1]);
    assert_eq!(half.with_threshold(0.51).predicted(), [0]);
}

#[test]
fn reports_hold_exactly_the_listed_names() {
    for classes in [2, 3, 6] {
        let truth: Vec<u32> = (0..classes as u32).chain([0]).collect();
        let spread = |row: usize, class: usize| if row % classes == class { 2.0 } else { 1.0 };
        let probabilities: Vec<f64> = (0..truth.len())
            .flat_map(|row| (0..classes).map(move |class| spread(row, class)))
            .map(|weight| weight / (classes as f64 + 1.0))
            .collect();
        let report = classified(classes, &truth, &probabilities, None);
        let mut listed = classification_metrics(classes);
        listed.sort_unstable();
        assert!(report.metrics.keys().eq(&listed));
    }
    let report = regression_report(&[1.0, 2.0], &[1.0, 3.0], None);
    let mut listed: Vec<_> = REGRESSION_METRICS
        .iter()
        .map(|metric| metric.name)
        .collect();
    listed.sort_unstable();
    assert!(report.metrics.keys().eq(&listed));
}

#[test]
fn directions_are_those_of_a_perfect_prediction() {
    let truth = [0, 1, 2, 3, 4, 5];
    let perfect: Vec<f64> = (0..36).map(|i| f64::from(u8::from(i % 7 == 0))).collect();
    let binary = [0.0, 1.0, 1.0, 0.0];
    let numbers = [1.0, 2.0, 4.0];
    let reports = [
        classified(6, &truth, &perfect, None),
        classified(2, &[1, 0], &binary, None),
        regression_report(&numbers, &numbers, None),
    ];
    for (name, value) in reports.iter().flat_map(|report| &report.metrics) {
        let listed = CLASSIFICATION_METRICS.iter().chain(REGRESSION_METRICS);
        let metric = listed.clone().find(|metric| metric.name == name);
        let best = match metric.expect("every metric is listed").better {
            Direction::Higher => 1.0,
            Direction::Lower => 0.0,
        };
        assert!((value - best).abs() < TOLERANCE, "{name} is {value}");
    }
}

#[test]
fn a_report_survives_json() {
    let probabilities = [0.5, 0.5, 0.25, 0.75, 0.0, 1.0, 1.0, 0.0];
    let split = Classification::new(2, &[0, 1, 1, 0], &probabilities);
    let mut report = classification_report(&split.with_threshold(0.5), Some(3));
    report.metrics.retain(|name, _| name == "accuracy");
    report.classes = Some(vec!["no".into(), "yes".into()]);
    let text = serde_json::to_string(&report).expect("numbers only");
    let back: Report = serde_json::from_str(&text).expect("its own text");
    assert_eq!(back, report);

    let numbers = regression_report(&[1.0, 3.0], &[1.0, 3.5], None);
    let text = serde_json::to_value(&numbers).expect("numbers only");
    let keys: Vec<&String> = text.as_object().expect("a table").keys().collect();
    assert_eq!(keys, ["metrics", "n"], "what does not apply is not written");
}

#[test]
fn large_confusion_matrices_are_not_reported() {
    let truth: Vec<u32> = (0..101).collect();
    let probabilities = vec![1.0 / 101.0; 101 * 101];
    let report = classified(101, &truth, &probabilities, None);
    assert!(report.confusion_matrix.is_none());
    assert_eq!(report.per_class.expect("a table").len(), 101);
}

#[test]
fn the_bootstrap_is_reproducible_and_follows_the_normal_approximation() {
    let hits: Vec<f64> = (0..2000)
        .map(|row| f64::from(u8::from(row % 5 > 0)))
        .collect();
    let accuracy =
        |rows: &[usize]| Some(rows.iter().map(|&row| hits[row]).sum::<f64>() / rows.len() as f64);
    let interval = |seed| bootstrap_interval(hits.len(), seed, DEFAULT_RESAMPLES, accuracy);
    let (low, high) = interval(7).expect("rows");
    assert_eq!(interval(7), Some((low, high)));
    assert_ne!(interval(8), Some((low, high)));
    // Binomial: 0.8 ± 1.96 √(0.8 · 0.2 / 2000).
    let half_width = 1.96 * (0.8 * 0.2 / 2000.0_f64).sqrt();
    for (found, wanted) in [(low, 0.8 - half_width), (high, 0.8 + half_width)] {
        assert!((found - wanted).abs() < 0.1 * half_width, "{found}");
    }
}

#[test]
fn the_bootstrap_skips_undefined_resamples() {
    assert_eq!(bootstrap_interval(0, 1, 100, |_| Some(1.0)), None);
    assert_eq!(bootstrap_interval(9, 1, 0, |_| Some(1.0)), None);
    assert_eq!(bootstrap_interval(9, 1, 100, |_| None), None);
    let only_without_first = |rows: &[usize]| (!rows.contains(&0)).then_some(3.0);
    let interval = bootstrap_interval(9, 1, 100, only_without_first);
    assert_eq!(interval, Some((3.0, 3.0)));
    // Every resample is as long as the split and stays inside it.
    bootstrap_interval(9, 1, 100, |rows| {
        assert!(rows.len() == 9 && rows.iter().all(|&row| row < 9));
        None
    });
}

#[test]
fn headline_intervals_contain_their_metric() {
    let truth: Vec<u32> = (0..300).map(|row| row % 2).collect();
    let scores: Vec<f64> = (0..300)
        .map(|row| f64::from(row * 37 % 101) / 101.0)
        .collect();
    let probabilities = two_columns(&scores);
    let report = classified(2, &truth, &probabilities, Some(42));
    let interval = report.interval.as_ref().expect("asked for");
    assert_eq!(
        (interval.metric.as_str(), interval.level),
        ("accuracy", 0.95)
    );
    let accuracy = metric(&report, "accuracy");
    assert!(interval.low < accuracy && accuracy < interval.high);

    let numbers: Vec<f64> = truth.iter().map(|&class| f64::from(class)).collect();
    let report = regression_report(&numbers, &scores, Some(42));
    let interval = report.interval.as_ref().expect("asked for");
    let rmse = metric(&report, "rmse");
    assert_eq!(interval.metric, "rmse");
    assert!(interval.low < rmse && rmse < interval.high);
}

#[test]
fn a_hundred_thousand_rows_take_seconds() {
    let n = 100_000;
    let truth: Vec<u32> = (0..n).map(|row| row % 2).collect();
    let scores: Vec<f64> = (0..n)
        .map(|row| f64::from(row * 37 % 9973) / 9973.0)
        .collect();
    let probabilities = two_columns(&scores);
    let start = Instant::now();
    let report = classified(2, &truth, &probabilities, Some(42));
    let threshold = tune_threshold(&truth, &scores, ThresholdObjective::F1);
    assert!(report.interval.is_some() && threshold < 0.5);
    // About 0.5 s; the bound is wide for busy machines and builds without optimisation.
    assert!(start.elapsed() < Duration::from_secs(60));
}

const OBJECTIVES: [ThresholdObjective; 4] = [
    ThresholdObjective::F1,
    ThresholdObjective::BalancedAccuracy,
    ThresholdObjective::Accuracy,
    ThresholdObjective::Mcc,
];

fn objective_at(
    truth: &[u32],
    scores: &[f64],
    threshold: f64,
    objective: ThresholdObjective,
) -> f64 {
    let predicted: Vec<u32> = scores.iter().map(|&p| u32::from(p >= threshold)).collect();
    let matrix = ConfusionMatrix::new(2, truth, &predicted);
    match objective {
        ThresholdObjective::F1 => matrix.f1(1),
        ThresholdObjective::BalancedAccuracy => matrix.balanced_accuracy(),
        ThresholdObjective::Accuracy => matrix.accuracy(),
        ThresholdObjective::Mcc => matrix.mcc(),
    }
}

#[test]
fn the_threshold_is_the_middle_of_its_interval_or_a_half() {
    for objective in OBJECTIVES {
        // Separable below a half, above it, and around it.
        let tune = |scores: &[f64]| tune_threshold(&[0, 0, 1, 1], scores, objective);
        assert!((tune(&[0.1, 0.2, 0.3, 0.4]) - 0.25).abs() < TOLERANCE);
        assert!((tune(&[0.6, 0.7, 0.8, 0.9]) - 0.75).abs() < TOLERANCE);
        assert_eq!(tune(&[0.1, 0.3, 0.6, 0.9]), 0.5);
        // Nothing to tell apart, or nothing to tune.
        assert_eq!(tune_threshold(&[1, 1], &[0.1, 0.2], objective), 0.5);
        assert_eq!(tune_threshold(&[0, 0], &[0.7, 0.8], objective), 0.5);
        assert_eq!(tune_threshold(&[], &[], objective), 0.5);
        // Certain probabilities, and neighbours between which there is no middle.
        assert_eq!(tune(&[0.0, 0.0, 1.0, 1.0]), 0.5);
        let upper = 0.7_f64.next_up();
        assert_eq!(tune(&[0.7, 0.7, upper, upper]), upper);
    }
    assert_eq!(
        tune_threshold(&[1, 0, 1, 0], &[0.2; 4], ThresholdObjective::Mcc),
        0.5,
        "all thresholds are equally good",
    );
}

#[test]
fn objectives_are_words() {
    let words = OBJECTIVES.map(|objective| serde_json::to_value(objective).expect("a word"));
    assert_eq!(words, ["f1", "balanced_accuracy", "accuracy", "mcc"]);
}

/// A binary truth with scores that are often tied.
fn scored_rows() -> impl Strategy<Value = Vec<(u32, f64)>> {
    let score = (0_u32..=20).prop_map(|twentieths| f64::from(twentieths) / 20.0);
    prop::collection::vec((0_u32..2, score), 1..60)
}

/// A number of classes, a truth and probabilities that sum to 1.
fn classified_rows() -> impl Strategy<Value = (usize, Vec<(u32, Vec<f64>)>)> {
    (2_usize..8).prop_flat_map(|classes| {
        let weights = prop::collection::vec(1_u32..50, classes);
        let probabilities = weights.prop_map(|weights| {
            let sum: u32 = weights.iter().sum();
            weights
                .iter()
                .map(|&w| f64::from(w) / f64::from(sum))
                .collect()
        });
        let row = (0..classes as u32, probabilities);
        (Just(classes), prop::collection::vec(row, 1..40))
    })
}

fn report_of(classes: usize, rows: &[(u32, Vec<f64>)]) -> Report {
    let truth: Vec<u32> = rows.iter().map(|row| row.0).collect();
    let probabilities: Vec<f64> = rows.iter().flat_map(|row| row.1.clone()).collect();
    classified(classes, &truth, &probabilities, None)
}

fn assert_close(a: &Report, b: &Report) -> Result<(), TestCaseError> {
    prop_assert!(a.metrics.keys().eq(b.metrics.keys()));
    for (name, value) in &a.metrics {
        let other = b.metrics[name];
        prop_assert!(
            (value - other).abs() <= 1e-9 * value.abs().max(1.0),
            "{name}: {value}, {other}"
        );
    }
    Ok(())
}

fn ranked(rows: &[(u32, f64)], score: impl Fn(f64) -> f64) -> (Vec<bool>, Vec<f64>) {
    rows.iter()
        .map(|&(class, p)| (class == 1, score(p)))
        .unzip()
}

proptest! {
    #[test]
    fn ranking_ignores_monotone_transforms(rows in scored_rows()) {
        let (positive, scores) = ranked(&rows, |p| p);
        let (_, logits) = ranked(&rows, |p| (5.0 * p - 2.0).exp());
        prop_assert_eq!(roc_auc(&positive, &scores), roc_auc(&positive, &logits));
        prop_assert_eq!(average_precision(&positive, &scores), average_precision(&positive, &logits));
    }

    #[test]
    fn reversing_the_scores_reverses_the_auc(rows in scored_rows()) {
        let (positive, scores) = ranked(&rows, |p| p);
        let (_, reversed) = ranked(&rows, |p| 1.0 - p);
        if let Some(auc) = roc_auc(&positive, &scores) {
            let other = roc_auc(&positive, &reversed).expect("the same classes");
            prop_assert!((other - (1.0 - auc)).abs() < 1e-12);
        }
    }

    #[test]
    fn the_auc_is_the_chance_of_the_right_order(rows in scored_rows()) {
        let (positive, scores) = ranked(&rows, |p| p);
        let mut pairs = 0.0;
        let mut wins = 0.0;
        for (i, _) in rows.iter().enumerate().filter(|(i, _)| positive[*i]) {
            for (j, _) in rows.iter().enumerate().filter(|(j, _)| !positive[*j]) {
                pairs += 1.0;
                wins += if scores[i] > scores[j] { 1.0 } else if scores[i] == scores[j] { 0.5 } else { 0.0 };
            }
        }
        match roc_auc(&positive, &scores) {
            Some(auc) => prop_assert!((auc - wins / pairs).abs() < 1e-12),
            None => prop_assert_eq!(pairs, 0.0),
        }
    }

    #[test]
    fn accuracy_is_trace_over_total((classes, rows) in classified_rows()) {
        let report = report_of(classes, &rows);
        let matrix = report.confusion_matrix.as_ref().expect("few classes");
        let trace: u64 = (0..classes).map(|k| matrix[k][k]).sum();
        let total: u64 = matrix.iter().flatten().sum();
        prop_assert_eq!(total, rows.len() as u64);
        prop_assert_eq!(metric(&report, "accuracy"), trace as f64 / total as f64);
        prop_assert!((metric(&report, "recall_weighted") - metric(&report, "accuracy")).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        ((classes, rows), shuffled) in classified_rows()
            .prop_flat_map(|(classes, rows)| (Just((classes, rows.clone())), Just(rows).prop_shuffle()))
    ) {
        let (a, b) = (report_of(classes, &rows), report_of(classes, &shuffled));
        prop_assert_eq!(&a.confusion_matrix, &b.confusion_matrix);
        assert_close(&a, &b)?;
        let numbers = |rows: &[(u32, Vec<f64>)]| -> (Vec<f64>, Vec<f64>) {
            rows.iter().map(|row| (f64::from(row.0) + 1.0, row.1[0])).unzip()
        };
        let ((truth, prediction), (truth2, prediction2)) = (numbers(&rows), numbers(&shuffled));
        let report = regression_report(&truth, &prediction, None);
        assert_close(&report, &regression_report(&truth2, &prediction2, None))?;
    }

    #[test]
    fn metrics_are_finite_and_in_range((classes, rows) in classified_rows()) {
        let report = report_of(classes, &rows);
        for (name, &value) in &report.metrics {
            let (low, high) = match name.as_str() {
                "mcc" | "cohen_kappa" => (-1.0, 1.0),
                "brier" => (0.0, 2.0),
                "log_loss" => (0.0, 37.0),
                _ => (0.0, 1.0),
            };
            prop_assert!((low - 1e-12..=high + 1e-12).contains(&value), "{name}: {value}");
            prop_assert!(classification_metrics(classes).contains(&name.as_str()));
        }
    }

    #[test]
    fn no_threshold_beats_the_tuned_one(rows in scored_rows()) {
        let (truth, scores): (Vec<u32>, Vec<f64>) = rows.into_iter().unzip();
        for objective in OBJECTIVES {
            let tuned = tune_threshold(&truth, &scores, objective);
            prop_assert!((0.0..=1.0).contains(&tuned));
            let best = objective_at(&truth, &scores, tuned, objective);
            let distance = (tuned - 0.5).abs();
            for fortieths in 0..=40 {
                let other = f64::from(fortieths) / 40.0;
                let value = objective_at(&truth, &scores, other, objective);
                prop_assert!(value <= best + 1e-12 || truth.iter().all(|t| *t == truth[0]));
                // 0.5 itself is taken whenever nothing is better.
                prop_assert!(other != 0.5 || value < best - 1e-12 || distance == 0.0);
            }
        }
    }
}
