//! Multi-label classification: any number of several labels for each sample.

use std::sync::Arc;

use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::{Labels, Mix, TargetKind};
use fireclay_metrics::{Baseline, MULTILABEL_METRICS, Report, multilabel_report};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::labelled::{BatchLoss, Labelled, LabelledLoss, weight, weighted_mean};
use super::{LabelledTask, Target, Task, TaskFacts, check_smoothing};
use crate::answer::{Answers, Meaning};

/// Says of each of several labels whether it applies, by binary cross-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MultilabelConfig {
    /// How far each target is moved towards one half, in [0, 1).
    pub label_smoothing: f64,
    /// The probability from which a label is taken to apply.
    pub threshold: f64,
}

impl Default for MultilabelConfig {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            threshold: 0.5,
        }
    }
}

impl Task for MultilabelConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "multilabel",
            summary: "say of each of several labels whether it applies",
            target: Some(TargetKind::Set),
            needs: "rows, images or texts with labels",
            metrics: MULTILABEL_METRICS,
            headline: &["map", "f1_micro", "f1_macro", "subset_accuracy"],
            ..TaskFacts::LABELS
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::from_iter(check_smoothing(self.label_smoothing));
        if !(0.0..=1.0).contains(&self.threshold) {
            let message = format!("must be between 0 and 1, but is {}", self.threshold);
            problems.push(("threshold".into(), message));
        }
        problems
    }
}

impl LabelledTask for MultilabelConfig {
    type Answer = MultilabelAnswer;

    fn answer(&self, target: &Target) -> MultilabelAnswer {
        MultilabelAnswer {
            classes: target.classes.clone(),
            threshold: self.threshold,
            counts: target.counts.clone(),
            samples: target.samples,
        }
    }

    fn loss(&self, _target: &Target) -> Arc<dyn LabelledLoss> {
        Arc::new(BinaryCrossEntropy {
            label_smoothing: self.label_smoothing,
        })
    }
}

/// Outputs are a logit for each label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultilabelAnswer {
    /// Names, in the order of the logits.
    pub classes: Vec<String>,
    /// The probability from which on a label applies.
    pub threshold: f64,
    /// Training samples with each label; older runs do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<usize>,
    /// Training samples.
    #[serde(default)]
    pub samples: usize,
}

impl MultilabelAnswer {
    /// What answering every sample alike reaches, each label with its share of the training samples.
    fn baseline(&self, truth: &[Vec<u32>]) -> Option<Baseline> {
        if self.counts.is_empty() || self.samples == 0 {
            return None;
        }
        let shares = self.counts.iter();
        let shares: Vec<f64> = shares.map(|n| *n as f64 / self.samples as f64).collect();
        let alike = shares.repeat(truth.len());
        let report = multilabel_report(shares.len(), truth, &alike, self.threshold, None);
        Some(Baseline {
            answer: "each label with its share of the training samples".into(),
            metrics: report.metrics,
        })
    }
}

impl Meaning for MultilabelAnswer {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        probabilities(outputs)
    }

    fn answers(&self, probabilities: Vec<f64>) -> Answers {
        let rows = probabilities.chunks(self.classes.len());
        Answers::Sets {
            chosen: rows.map(|row| applying(row, self.threshold)).collect(),
            probabilities,
        }
    }

    fn report(&self, answers: &Answers, truth: &Labels, seed: Option<u64>) -> Report {
        let (Answers::Sets { probabilities, .. }, Labels::Sets(truth)) = (answers, truth) else {
            unreachable!("a multi-label classifier answers with sets");
        };
        let count = self.classes.len();
        let report = multilabel_report(count, truth, probabilities, self.threshold, seed);
        Report {
            classes: Some(self.classes.clone()),
            baseline: seed.and_then(|_| self.baseline(truth)),
            ..report
        }
    }

    fn no_labels(&self) -> Labels {
        Labels::Sets(Vec::new())
    }
}

fn applying(probabilities: &[f64], threshold: f64) -> Vec<u32> {
    let labels = (0u32..).zip(probabilities);
    let labels = labels.filter(|(_, probability)| **probability >= threshold);
    labels.map(|(label, _)| label).collect()
}

/// Binary cross-entropy over logits, the mean over samples and labels
/// (`torch.nn.BCEWithLogitsLoss`).
#[derive(Clone, Debug)]
struct BinaryCrossEntropy {
    label_smoothing: f64,
}

impl LabelledLoss for BinaryCrossEntropy {
    fn of_batch(&self, logits: Tensor<2>, batch: &Labelled) -> BatchLoss {
        let Labels::Sets(truth) = &batch.truth else {
            unreachable!("a multi-label classifier is given sets");
        };
        let targets = targets(truth, logits.dims()[1], batch.mix.as_ref());
        let losses = cross_entropy(logits, smoothed(targets, self.label_smoothing));
        let weights = batch.weights.as_deref();
        BatchLoss {
            loss: weighted_mean(losses, weights),
            weight: weight(truth.len(), weights),
            unit: 1.0,
        }
    }
}

/// `-(y ln σ(x) + (1 - y) ln σ(-x))`, `[batch, labels]`.
fn cross_entropy(logits: Tensor<2>, targets: Vec<f32>) -> Tensor<2> {
    let (dims, device): ([usize; 2], Device) = (logits.dims(), logits.device());
    let targets = Tensor::<2>::from_data(TensorData::new(targets, dims), &device);
    let present = log_sigmoid(logits.clone()) * targets.clone();
    let absent = log_sigmoid(logits.neg()) * targets.neg().add_scalar(1.0);
    (present + absent).neg()
}

/// 1 where a label applies, row by row; of a mixture, the share of the samples that have it.
fn targets(truth: &[Vec<u32>], labels: usize, mix: Option<&Mix>) -> Vec<f32> {
    let mut targets = vec![0.0; truth.len() * labels];
    for row in 0..truth.len() {
        let mut add = |sample: usize, share: f32| {
            for &label in &truth[sample] {
                targets[row * labels + label as usize] += share;
            }
        };
        match mix {
            Some(mix) => {
                add(row, mix.own[row]);
                add(mix.partner[row] as usize, 1.0 - mix.own[row]);
            }
            None => add(row, 1.0),
        }
    }
    targets
}

/// Each target moved towards one half.
fn smoothed(mut targets: Vec<f32>, smoothing: f64) -> Vec<f32> {
    let smoothing = smoothing as f32;
    targets
        .iter_mut()
        .for_each(|target| *target = *target * (1.0 - smoothing) + 0.5 * smoothing);
    targets
}

/// The logistic function of logits `[rows, labels]`, row-major, in f64 on the host.
fn probabilities(logits: &Tensor<2>) -> Vec<f64> {
    let logits = logits.to_data();
    let logistic = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    logits.iter::<f64>().map(logistic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_pytorchs() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[1.0, -2.0], [0.5, 30.0]], &device);
        let truth = [vec![0], vec![0, 1]];
        let losses = cross_entropy(logits, targets(&truth, 2, None));
        let loss = weighted_mean(losses, None).into_scalar::<f32>();
        // ln(1 + e^-1), ln(1 + e^-2), ln(1 + e^-0.5) and nearly 0.
        let expected = (0.313_261_7 + 0.126_928 + 0.474_077) / 4.0;
        assert!((loss - expected).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn a_mixture_has_the_labels_of_both_by_their_shares() {
        let truth = [vec![0, 1], vec![1, 2]];
        let mix = Mix {
            partner: vec![1, 0],
            own: vec![0.75, 1.0],
        };
        let found = targets(&truth, 3, Some(&mix));
        assert_eq!(found, [0.75, 1.0, 0.25, 0.0, 1.0, 1.0]);
        let smooth = smoothed(vec![1.0, 0.0], 0.25);
        assert_eq!(smooth, [0.875, 0.125]);
    }
}
