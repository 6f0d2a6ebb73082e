//! What the metrics are called, and which way is better.

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The larger, the better.
    Higher,
    /// The smaller, the better.
    Lower,
}

/// Every name that a classification report can have; see [`classification_metrics`].
pub const CLASSIFICATION_METRICS: &[&str] = &[
    "accuracy",
    "balanced_accuracy",
    "recall_macro",
    "precision",
    "recall",
    "f1",
    "precision_macro",
    "f1_macro",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "roc_auc",
    "roc_auc_weighted",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "mce",
    "mcc",
    "cohen_kappa",
    "top5_accuracy",
];

/// Every name that a regression report can have.
pub const REGRESSION_METRICS: &[&str] = &[
    "mae",
    "mse",
    "rmse",
    "r2",
    "mape",
    "median_ae",
    "max_error",
    "explained_variance",
];

/// Every name that a multi-label report can have.
pub const MULTILABEL_METRICS: &[&str] = &[
    "map",
    "roc_auc",
    "f1_micro",
    "f1_macro",
    "subset_accuracy",
    "hamming_loss",
];

/// Every name that a report of a language model can have, beside the loss.
pub const CAUSAL_LM_METRICS: &[&str] = &["perplexity", "bits_per_byte"];

/// Every name that a translating model has while it trains, beside the loss; BLEU and chrF take
/// translations, which are made at the end.
pub const SEQ2SEQ_METRICS: &[&str] = &["perplexity"];

/// Every name that a report of a masked language model can have, beside the loss.
pub const MASKED_LM_METRICS: &[&str] = &["perplexity", "accuracy"];

const LOWER_IS_BETTER: &[&str] = &[
    "loss",
    "log_loss",
    "brier",
    "ece",
    "mce",
    "mae",
    "mse",
    "rmse",
    "mape",
    "median_ae",
    "max_error",
    "hamming_loss",
    "perplexity",
    "bits_per_byte",
];

/// The names that a classification report of so many classes can have: precision, recall and F1
/// of the positive class need two, `roc_auc_weighted` more than two, `top5_accuracy` more than
/// five.
pub fn classification_metrics(classes: usize) -> Vec<&'static str> {
    let applies = |name: &str| match name {
        "precision" | "recall" | "f1" => classes == 2,
        "roc_auc_weighted" => classes > 2,
        "top5_accuracy" => classes > 5,
        _ => true,
    };
    let names = CLASSIFICATION_METRICS.iter().copied();
    names.filter(|name| applies(name)).collect()
}

/// Which values of the named metric (or of "loss") are better; `None` for an unknown name.
pub fn direction(name: &str) -> Option<Direction> {
    if LOWER_IS_BETTER.contains(&name) {
        return Some(Direction::Lower);
    }
    let known = [
        CLASSIFICATION_METRICS,
        REGRESSION_METRICS,
        MULTILABEL_METRICS,
    ];
    known
        .iter()
        .any(|names| names.contains(&name))
        .then_some(Direction::Higher)
}
