//! Classification: one label of several for each sample.

mod answer;
mod loss;

pub use answer::ClassificationAnswer;
pub use loss::CrossEntropy;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::train::metric::{AccuracyInput, AccuracyMetric, Adaptor, LossMetric};
use burn::train::{InferenceStep, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_data::{Labels, TargetKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::{Batch, Network};
use super::output::TaskOutput;
use super::values::{ClassWeights, Threshold};
use super::{LabelledTask, Objective, Target, Task, WithObjective, check_smoothing};
use fireclay_metrics::{
    CLASSIFICATION_METRICS, Classification, DEFAULT_THRESHOLD, ThresholdObjective,
    classification_metrics, classification_report,
};
use fireclay_train::strategy::{MeanLoss, Scorer, backward};

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
    /// The probability from which the answer is the second of two classes, or "tune" to choose it
    /// on the validation split.
    pub threshold: Threshold,
    /// What the tuned threshold maximises.
    pub tune_metric: ThresholdObjective,
}

impl Default for ClassificationConfig {
    fn default() -> Self {
        Self {
            class_weights: ClassWeights::None,
            label_smoothing: 0.0,
            focal_gamma: None,
            threshold: Threshold::default(),
            tune_metric: ThresholdObjective::F1,
        }
    }
}

impl Task for ClassificationConfig {
    fn name(&self) -> &'static str {
        "classification"
    }

    fn summary(&self) -> &'static str {
        "tell two or more classes apart"
    }

    fn target_kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Class)
    }

    fn metrics(&self) -> &'static [&'static str] {
        CLASSIFICATION_METRICS
    }

    fn metrics_of(&self, target: &Target) -> Vec<&'static str> {
        classification_metrics(target.classes.len())
    }

    fn headline(&self) -> &'static [&'static str] {
        &["accuracy", "roc_auc", "f1", "f1_macro", "log_loss", "ece"]
    }

    fn unread(&self) -> Option<(&'static str, &'static str)> {
        let reason = "it is read if threshold is \"tune\"";
        (self.threshold != Threshold::Tune).then_some(("task.tune_metric", reason))
    }

    fn needs_validation(&self) -> Option<(&'static str, &'static str)> {
        let needs = ("task.threshold", "tuning the threshold");
        (self.threshold == Threshold::Tune).then_some(needs)
    }

    fn validate_for(&self, classes: &[String]) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.threshold != Self::default().threshold && classes.len() != 2 {
            let count = classes.len();
            let message = format!("a threshold needs two classes, but the target has {count}");
            problems.push(("task.threshold".into(), message));
        }
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

/// What trains a classifier for certain classes.
#[derive(Clone, Debug)]
pub struct ClassificationObjective {
    loss: CrossEntropy,
    classes: usize,
    threshold: Option<f64>,
}

impl LabelledTask for ClassificationConfig {
    type Answer = ClassificationAnswer;

    fn answer(&self, target: &Target) -> ClassificationAnswer {
        let classes = target.classes.clone();
        match self.threshold {
            Threshold::Fixed(threshold) => ClassificationAnswer::new(classes, threshold, None),
            Threshold::Tune => {
                ClassificationAnswer::new(classes, DEFAULT_THRESHOLD, Some(self.tune_metric))
            }
        }
    }

    fn with_objective<N: Network, W: WithObjective<N, Batch<N::Input>>>(
        &self,
        target: &Target,
        work: W,
    ) -> W::Output {
        let threshold = self.answer(target).threshold;
        work.with(ClassificationObjective {
            loss: CrossEntropy::new(self, &target.classes, &target.counts),
            classes: target.classes.len(),
            threshold: (threshold != DEFAULT_THRESHOLD).then_some(threshold),
        })
    }
}

impl<N: Network> Objective<N> for ClassificationObjective {
    type Batch = Batch<N::Input>;
    type Module = Classifier<N>;

    fn wrap(&self, model: N) -> Classifier<N> {
        Classifier::new(model, self.loss.clone())
    }

    fn unwrap(module: Classifier<N>) -> N {
        module.model
    }

    fn scorer(&self) -> impl Scorer<ClassifierOutput> + 'static {
        ClassifierScorer::new(self.classes, self.threshold)
    }

    fn show(training: SupervisedTraining<Classifier<N>>) -> SupervisedTraining<Classifier<N>> {
        training.metrics((LossMetric::new(), AccuracyMetric::new()))
    }
}

/// A model and the loss that trains it to classify.
#[derive(Module, Debug)]
pub struct Classifier<N: Network> {
    /// The model; its outputs are logits.
    pub model: N,
    #[module(skip)]
    loss: CrossEntropy,
}

/// What a step of a [`Classifier`] gives.
pub type ClassifierOutput = TaskOutput<u32>;

impl<N: Network> Classifier<N> {
    /// A model with outputs for as many classes as the data has, and its loss.
    pub fn new(model: N, loss: CrossEntropy) -> Self {
        Self { model, loss }
    }

    fn forward(&self, batch: Batch<N::Input>) -> ClassifierOutput {
        let Labels::Classes(truth) = batch.truth else {
            unreachable!("a classifier is given classes");
        };
        let logits = self.model.forward(batch.input);
        let weights = batch.weights.as_deref();
        let (loss, weight) = match &batch.mix {
            Some(mix) => (
                self.loss.forward_mixed(logits.clone(), &truth, mix),
                self.loss.mixed_weight(&truth, mix),
            ),
            None => (
                self.loss.forward(logits.clone(), &truth, weights),
                self.loss.weight(&truth, weights),
            ),
        };
        TaskOutput {
            loss,
            outputs: logits,
            truth,
            weight,
            unit: 1.0,
        }
    }
}

impl<N: Network> TrainStep for Classifier<N> {
    type Input = Batch<N::Input>;
    type Output = ClassifierOutput;

    fn step(&self, batch: Batch<N::Input>) -> TrainOutput<ClassifierOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

impl<N: Network> InferenceStep for Classifier<N> {
    type Input = Batch<N::Input>;
    type Output = ClassifierOutput;

    fn step(&self, batch: Batch<N::Input>) -> ClassifierOutput {
        self.forward(batch)
    }
}

impl Adaptor<AccuracyInput> for ClassifierOutput {
    fn adapt(&self) -> AccuracyInput {
        let targets = loss::indices(&self.truth, &self.outputs.device());
        AccuracyInput::new(self.outputs.clone(), targets)
    }
}

/// Scores a split with every metric of classification.
#[derive(Clone, Debug, Default)]
pub struct ClassifierScorer {
    loss: MeanLoss,
    classes: usize,
    threshold: Option<f64>,
    truth: Vec<u32>,
    probabilities: Vec<f64>,
}

impl ClassifierScorer {
    /// A scorer for `classes` classes; with two of them the second is predicted from the
    /// probability `threshold` on.
    pub fn new(classes: usize, threshold: Option<f64>) -> Self {
        Self {
            classes,
            threshold: threshold.filter(|_| classes == 2),
            ..Self::default()
        }
    }
}

impl Scorer<ClassifierOutput> for ClassifierScorer {
    fn add(&mut self, output: &ClassifierOutput) {
        self.loss.add(output);
        self.truth.extend(&output.truth);
        self.probabilities.extend(probabilities(&output.outputs));
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let mut metrics = Scorer::<ClassifierOutput>::finish(&mut self.loss);
        let split = Classification::new(self.classes, &self.truth, &self.probabilities);
        let split = match self.threshold {
            Some(threshold) => split.with_threshold(threshold),
            None => split,
        };
        metrics.extend(classification_report(&split, None).metrics);
        self.truth.clear();
        self.probabilities.clear();
        metrics
    }
}

/// Softmax of logits `[rows, classes]`, row-major, in f64 on the host.
pub fn probabilities(logits: &Tensor<2>) -> Vec<f64> {
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
