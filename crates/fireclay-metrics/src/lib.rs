//! Metrics over a whole split, in `f64` on the host.
//!
//! Nothing here is an average of batches: every number is computed from all rows at once, as
//! scikit-learn computes it. [`classification_report`] and [`regression_report`] collect all of
//! them in one [`Report`], an entry of a run's `evaluation.json`.
//!
//! Undefined is never NaN. A ratio whose denominator is 0 counts as 0 where the field agrees on
//! that (precision of a class that is never predicted); elsewhere (ROC AUC of a split with one
//! class) the function answers `None` and the report leaves the name out.
#![forbid(unsafe_code)]

mod report;

mod classification;
mod confusion;

mod calibration;
mod conformal;
mod cuts;
mod estimate;
mod ranking;
mod reliability;
mod temperature;

mod fairness;

mod multilabel;
mod regression;

mod bleu;
mod chrf;

mod baseline;
mod bootstrap;
mod clustered;
mod interval;
mod names;
mod paired;
mod shares;
mod slices;
mod threshold;
mod written;

pub use baseline::{classification_baseline, regression_baseline, unigram_baseline};
pub use bleu::{bleu, bleu_of_several};
pub use bootstrap::{DEFAULT_RESAMPLES, INTERVAL_LEVEL, bootstrap_interval};
pub use calibration::{
    CALIBRATION_BINS, CalibrationError, brier_binary, brier_multiclass, calibration_error, log_loss,
};
pub use chrf::{chrf, chrf_of_several};
pub use classification::{Classification, DEFAULT_THRESHOLD, top_k_accuracy};
pub use clustered::ClusteredMean;
pub use conformal::{
    ClassCoverage, ConformalMethod, Coverage, conformal_least, conformal_radius, conformal_rank,
    coverage_of,
};
pub use confusion::ConfusionMatrix;
pub use cuts::{Cut, cuts};
pub use estimate::Estimate;
pub use fairness::{
    Attribute, Criterion, Decisions, Fairness, Farthest, Group, GroupThresholds, NoThresholds,
    Partition, Rate, ThresholdPrice, binary_fairness, farthest_groups, fit_group_thresholds,
    multiclass_fairness, regression_fairness,
};
pub use interval::{Interval, IntervalMethod, wilson_interval};
pub use multilabel::multilabel_report;
pub use names::{
    CLASSIFICATION_METRICS, Direction, MULTILABEL_METRICS, Metric, REGRESSION_METRICS,
    classification_metrics,
};
pub use paired::{Paired, paired_bootstrap};
pub use ranking::{average_precision, roc_auc};
pub use regression::{
    explained_variance, mae, mape, max_error, median_absolute_error, mse, r2, rmse,
};
pub use reliability::{ReliabilityBin, calibration_error_by_chance, reliability};
pub use report::{Baseline, PerClass, Report, classification_report, regression_report};
pub use shares::{CHANCE, Hits, difference_interval, fisher_exact, holm};
pub use slices::{Slice, slice};
pub use temperature::{Calibration, fit_temperature, tempered};
pub use threshold::{ThresholdObjective, tune_threshold, tune_threshold_from};
pub use written::{exact_match, normalised_answer, word_f1};
