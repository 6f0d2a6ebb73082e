//! What the metrics are called, and which way is better.

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The larger, the better.
    Higher,
    /// The smaller, the better.
    Lower,
}

/// A metric, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Which values are better.
    pub better: Direction,
}

impl Metric {
    /// A metric of which larger values are better.
    pub const fn higher(name: &'static str) -> Self {
        let better = Direction::Higher;
        Self { name, better }
    }

    /// A metric of which smaller values are better.
    pub const fn lower(name: &'static str) -> Self {
        let better = Direction::Lower;
        Self { name, better }
    }
}

/// Every metric that a classification report can have; see [`classification_metrics`].
pub const CLASSIFICATION_METRICS: &[Metric] = &[
    Metric::higher("accuracy"),
    Metric::higher("balanced_accuracy"),
    Metric::higher("precision"),
    Metric::higher("recall"),
    Metric::higher("f1"),
    Metric::higher("precision_macro"),
    Metric::higher("recall_macro"),
    Metric::higher("f1_macro"),
    Metric::higher("precision_weighted"),
    Metric::higher("recall_weighted"),
    Metric::higher("f1_weighted"),
    Metric::higher("roc_auc"),
    Metric::higher("roc_auc_weighted"),
    Metric::higher("average_precision"),
    Metric::lower("log_loss"),
    Metric::lower("brier"),
    Metric::lower("ece"),
    Metric::lower("mce"),
    Metric::higher("mcc"),
    Metric::higher("cohen_kappa"),
    Metric::higher("top5_accuracy"),
];

/// Every metric of a regression report.
pub const REGRESSION_METRICS: &[Metric] = &[
    Metric::lower("mae"),
    Metric::lower("mse"),
    Metric::lower("rmse"),
    Metric::higher("r2"),
    Metric::lower("mape"),
    Metric::lower("median_ae"),
    Metric::lower("max_error"),
    Metric::higher("explained_variance"),
];

/// Every metric of a multi-label report.
pub const MULTILABEL_METRICS: &[Metric] = &[
    Metric::higher("map"),
    Metric::higher("roc_auc"),
    Metric::higher("f1_micro"),
    Metric::higher("f1_macro"),
    Metric::higher("subset_accuracy"),
    Metric::lower("hamming_loss"),
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
    let names = CLASSIFICATION_METRICS.iter().map(|metric| metric.name);
    names.filter(|name| applies(name)).collect()
}
