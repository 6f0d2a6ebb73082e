//! Classification: one label of several for each sample.

mod answer;
mod loss;
mod sets;

pub use answer::ClassificationAnswer;
use answer::SECOND;
pub use loss::CrossEntropy;

use std::sync::Arc;

use burn::tensor::Tensor;
use fireclay_data::{Labels, TargetKind};
use fireclay_metrics::{
    CLASSIFICATION_METRICS, DEFAULT_THRESHOLD, ThresholdObjective, classification_metrics,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::labelled::{BatchLoss, Labelled, LabelledLoss};
use super::values::{ClassName, ClassWeights, Threshold};
use super::{LabelledTask, Target, Task, TaskFacts, check_coverage, check_smoothing};

/// Tells two or more classes apart by cross-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationConfig {
    /// What a row of each class weighs in the loss.
    pub class_weights: ClassWeights,
    /// How much of the probability is spread over all classes alike, in [0, 1) (Szegedy et al.
    /// 2016).
    pub label_smoothing: f64,
    /// Use the focal loss with this exponent, such as 2: rows that are easy weigh less (Lin et al.
    /// 2017).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_gamma: Option<f64>,
    /// The positive one of two classes, which precision, recall, F1, average precision and the threshold are
    /// about. Default: the second, in the order of numbers or letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<ClassName>,
    /// The probability from which the answer is the positive one of two classes, or "tune" to choose it
    /// on the validation split.
    pub threshold: Threshold,
    /// What the tuned threshold maximises.
    pub tune_metric: ThresholdObjective,
    /// The share of the positive class that a tuned threshold finds at least, on the validation split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_recall: Option<f64>,
    /// Whether the logits are divided by the temperature at which the log-loss of the validation split is
    /// least, so that probabilities are as sure as they may be (Guo et al. 2017).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub calibrate: bool,
    /// The share of new samples whose class is to be in its set, such as 0.9. Then each answer has a set of
    /// classes, split-conformal with limits from the validation split (Sadinle et al. 2019). It can be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Whether the coverage is to be that of every class, from limits of its own (Vovk 2012); else it is that of
    /// all samples together, and a rare class may be covered less. A class of too few validation samples is in
    /// every set.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub coverage_by_class: bool,
}

impl Default for ClassificationConfig {
    fn default() -> Self {
        Self {
            class_weights: ClassWeights::None,
            label_smoothing: 0.0,
            focal_gamma: None,
            positive: None,
            threshold: Threshold::default(),
            tune_metric: ThresholdObjective::F1,
            least_recall: None,
            calibrate: false,
            coverage: None,
            coverage_by_class: false,
        }
    }
}

impl Task for ClassificationConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "classification",
            summary: "tell two or more classes apart",
            target: Some(TargetKind::Class),
            metrics: CLASSIFICATION_METRICS,
            headline: &["accuracy", "roc_auc", "f1", "f1_macro", "log_loss", "ece"],
            ..TaskFacts::LABELS
        }
    }

    fn metrics_of(&self, target: &Target) -> Vec<&'static str> {
        classification_metrics(target.classes.len())
    }

    fn unread(&self) -> Option<(&'static str, &'static str)> {
        let reason = "it is read if threshold is \"tune\"";
        (self.threshold != Threshold::Tune).then_some(("task.tune_metric", reason))
    }

    fn needs_validation(&self) -> Vec<(&'static str, &'static str)> {
        let tunes = self.threshold == Threshold::Tune;
        let needs = [
            (tunes, ("task.threshold", "tuning the threshold")),
            (
                self.calibrate,
                ("task.calibrate", "fitting the temperature"),
            ),
            (
                self.coverage.is_some(),
                ("task.coverage", "a stated coverage"),
            ),
        ];
        let needs = needs.into_iter().filter(|(asked, _)| *asked);
        needs.map(|(_, needs)| needs).collect()
    }

    fn coverage(&self) -> Option<f64> {
        self.coverage
    }

    fn validate_for(&self, classes: &[String]) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.threshold != Self::default().threshold && classes.len() != 2 {
            let count = classes.len();
            let message = format!("a threshold needs two classes, but the target has {count}");
            problems.push(("task.threshold".into(), message));
        }
        problems.extend(self.check_positive(classes));
        if let ClassWeights::ByName(weights) = &self.class_weights {
            let unknown = weights.keys().filter(|name| !classes.contains(name));
            problems.extend(unknown.map(|name| {
                let message = format!("{name:?} is no class; the target has {classes:?}");
                (format!("task.class_weights.{name}"), message)
            }));
        }
        problems
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::from_iter(check_smoothing(self.label_smoothing));
        problems.extend(check_coverage(self.coverage));
        problems.extend(self.check_recall());
        if self.coverage_by_class && self.coverage.is_none() {
            let message = "has no effect: it is read if coverage is given";
            problems.push(("coverage_by_class".into(), message.into()));
        }
        if let Some(gamma) = self
            .focal_gamma
            .filter(|gamma| !(0.0..=100.0).contains(gamma))
        {
            problems.push((
                "focal_gamma".into(),
                format!("must be between 0 and 100, but is {gamma}"),
            ));
        }
        if let Threshold::Fixed(value) = self.threshold
            && !(0.0..=1.0).contains(&value)
        {
            problems.push((
                "threshold".into(),
                format!("must be between 0 and 1, but is {value}"),
            ));
        }
        if let ClassWeights::ByName(weights) = &self.class_weights {
            for (class, weight) in weights.iter().filter(|(_, weight)| **weight < 0.0) {
                let key = format!("class_weights.{class}");
                problems.push((key, format!("must be 0 or more, but is {weight}")));
            }
            if weights.values().all(|weight| *weight == 0.0) {
                problems.push(("class_weights".into(), "must not all be 0".into()));
            }
        }
        problems
    }
}

impl ClassificationConfig {
    /// A share of the positive class that is none, or that no threshold is tuned for.
    fn check_recall(&self) -> Option<(String, String)> {
        let least = self.least_recall?;
        let message = match (0.0..=1.0).contains(&least) {
            false => format!("must be between 0 and 1, but is {least}"),
            true if self.threshold != Threshold::Tune => {
                "has no effect: it is read if threshold is \"tune\"".into()
            }
            true => return None,
        };
        Some(("least_recall".into(), message))
    }

    /// A positive class among these classes that is none of two.
    fn check_positive(&self, classes: &[String]) -> Option<(String, String)> {
        let positive = self.positive.as_ref()?;
        let message = match classes.len() {
            2 if positive.find(classes).is_some() => return None,
            2 => format!("is {positive}, which is no class; the target has {classes:?}"),
            count => format!("needs two classes, but the target has {count}"),
        };
        Some(("task.positive".into(), message))
    }
}

impl LabelledTask for ClassificationConfig {
    type Answer = ClassificationAnswer;

    fn answer(&self, target: &Target) -> ClassificationAnswer {
        let (threshold, tuned_for) = match self.threshold {
            Threshold::Fixed(threshold) => (threshold, None),
            Threshold::Tune => (DEFAULT_THRESHOLD, Some(self.tune_metric)),
        };
        let positive = self.positive.as_ref();
        let positive = positive.and_then(|positive| positive.find(&target.classes));
        ClassificationAnswer {
            classes: target.classes.clone(),
            threshold,
            positive: positive.unwrap_or(SECOND),
            counts: target.counts.clone(),
            tuned_for,
            least_recall: self.least_recall.unwrap_or(0.0),
            calibrate: self.calibrate,
            temperature: None,
            coverage: self.coverage,
            least: None,
            least_by_class: Vec::new(),
            covers_each: self.coverage_by_class,
        }
    }

    fn loss(&self, target: &Target) -> Arc<dyn LabelledLoss> {
        Arc::new(CrossEntropy::new(self, &target.classes, &target.counts))
    }
}

impl LabelledLoss for CrossEntropy {
    fn of_batch(&self, logits: Tensor<2>, batch: &Labelled) -> BatchLoss {
        let Labels::Classes(truth) = &batch.truth else {
            unreachable!("a classifier is given classes");
        };
        let weights = batch.weights.as_deref();
        let (loss, weight) = match &batch.mix {
            Some(mix) => (
                self.forward_mixed(logits, truth, mix),
                self.mixed_weight(truth, mix),
            ),
            None => (
                self.forward(logits, truth, weights),
                self.weight(truth, weights),
            ),
        };
        BatchLoss {
            loss,
            weight,
            unit: 1.0,
        }
    }
}

/// Softmax of logits `[rows, classes]`, row-major, in f64 on the host.
fn probabilities(logits: &Tensor<2>) -> Vec<f64> {
    let classes = logits.dims()[1];
    let logits: Vec<f64> = logits.to_data().iter::<f64>().collect();
    logits.chunks(classes).flat_map(softmax).collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
