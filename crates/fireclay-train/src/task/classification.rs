//! Classification: one label of several for each row.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyInput, Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use fireclay_models::Tabular;

use super::table::{TableBatch, Truth};
use crate::config::{ClassWeights, ClassificationConfig};
use crate::metrics::{Classification, classification_report};
use crate::output::StepOutput;
use crate::strategy::{MeanLoss, Scorer};

/// A model and the loss that trains it to classify.
#[derive(Module, Debug)]
pub struct Classifier {
    /// The model; its outputs are logits.
    pub model: Tabular,
    #[module(skip)]
    loss: CrossEntropy,
}

/// Cross-entropy over logits, as PyTorch's `CrossEntropyLoss` defines it with class weights and
/// label smoothing (Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7), and
/// with the focal factor `(1 - p)^gamma` (Lin et al. 2017, "Focal Loss for Dense Object
/// Detection", section 3.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// Weight of each class; one each if absent.
    pub class_weights: Option<Vec<f64>>,
    /// Share of the target that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// Exponent of the focal factor.
    pub focal_gamma: Option<f64>,
}

impl CrossEntropy {
    /// The loss of a task's configuration, for training rows with `counts[c]` rows of class `c`.
    ///
    /// `balanced` gives each class the weight `n / (classes * count)` (King and Zeng 2001), so
    /// that all classes weigh the same in sum.
    pub fn new(config: &ClassificationConfig, classes: &[String], counts: &[usize]) -> Self {
        Self {
            class_weights: class_weights(&config.class_weights, classes, counts),
            label_smoothing: config.label_smoothing,
            focal_gamma: config.focal_gamma,
        }
    }

    /// The mean loss.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, classes]`
    /// - `truth`: `[batch]`, on the host
    /// - result: `[1]`
    pub fn forward(&self, logits: Tensor<2>, truth: &[u32]) -> Tensor<1> {
        let device = logits.device();
        let [rows, classes] = logits.dims();
        let log_probabilities = log_softmax(logits, 1);
        let targets = indices(truth, &device).reshape([rows, 1]);
        let own = log_probabilities.clone().gather(1, targets).reshape([rows]); // [batch]
        let weights = self.row_weights(truth);
        let mut losses = own.clone().neg();
        if let Some(weights) = &weights {
            losses = losses * floats(weights, &device);
        }
        if self.label_smoothing > 0.0 {
            let spread = match &self.class_weights {
                Some(weights) => log_probabilities * floats(weights, &device).reshape([1, classes]),
                None => log_probabilities,
            };
            let spread = spread
                .sum_dim(1)
                .reshape([rows])
                .div_scalar(-(classes as f64));
            losses = losses.mul_scalar(1.0 - self.label_smoothing)
                + spread.mul_scalar(self.label_smoothing);
        }
        if let Some(gamma) = self.focal_gamma {
            let missed = own.exp().neg().add_scalar(1.0).clamp_min(0.0);
            losses = losses * missed.powf_scalar(gamma);
        }
        // Rows of classes that weigh nothing have no mean; their loss is 0.
        let weight = self.weight(truth);
        losses
            .sum()
            .div_scalar(if weight > 0.0 { weight } else { 1.0 })
    }

    /// What the mean is divided by: the sum of the rows' weights.
    pub fn weight(&self, truth: &[u32]) -> f64 {
        self.row_weights(truth)
            .map_or(truth.len() as f64, |weights| weights.iter().sum())
    }

    fn row_weights(&self, truth: &[u32]) -> Option<Vec<f64>> {
        let weights = self.class_weights.as_ref()?;
        Some(truth.iter().map(|&class| weights[class as usize]).collect())
    }
}

fn class_weights(config: &ClassWeights, classes: &[String], counts: &[usize]) -> Option<Vec<f64>> {
    match config {
        ClassWeights::None => None,
        ClassWeights::Balanced => {
            let rows: usize = counts.iter().sum();
            let weight = |&count: &usize| rows as f64 / (classes.len() * count.max(1)) as f64;
            Some(counts.iter().map(weight).collect())
        }
        ClassWeights::ByName(weights) => {
            let weight = |class: &String| weights.get(class).copied().unwrap_or(1.0);
            Some(classes.iter().map(weight).collect())
        }
    }
}

/// What a step of a [`Classifier`] gives.
#[derive(Clone, Debug)]
pub struct ClassifierOutput {
    loss: Tensor<1>,
    logits: Tensor<2>,
    truth: Vec<u32>,
    weight: f64,
}

impl Classifier {
    /// A model with outputs for as many classes as the data has, and its loss.
    pub fn new(model: Tabular, loss: CrossEntropy) -> Self {
        Self { model, loss }
    }

    fn forward(&self, batch: TableBatch) -> ClassifierOutput {
        let Truth::Classes(truth) = batch.truth else {
            unreachable!("a classifier is given classes");
        };
        let logits = self.model.forward(batch.numeric, batch.categories);
        let loss = self.loss.forward(logits.clone(), &truth);
        let weight = self.loss.weight(&truth);
        ClassifierOutput {
            loss,
            logits,
            truth,
            weight,
        }
    }
}

impl TrainStep for Classifier {
    type Input = TableBatch;
    type Output = ClassifierOutput;

    fn step(&self, batch: TableBatch) -> TrainOutput<ClassifierOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = TableBatch;
    type Output = ClassifierOutput;

    fn step(&self, batch: TableBatch) -> ClassifierOutput {
        self.forward(batch)
    }
}

impl StepOutput for ClassifierOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn weight(&self) -> f64 {
        self.weight
    }
}

impl ItemLazy for ClassifierOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            logits: self.logits.without_autodiff(),
            ..self
        })
    }
}

impl Adaptor<LossInput> for ClassifierOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<AccuracyInput> for ClassifierOutput {
    fn adapt(&self) -> AccuracyInput {
        let targets = indices(&self.truth, &self.logits.device());
        AccuracyInput::new(self.logits.clone(), targets)
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
        self.probabilities.extend(probabilities(&output.logits));
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

fn indices(classes: &[u32], device: &Device) -> Tensor<1, Int> {
    let classes: Vec<i32> = classes.iter().map(|&class| class as i32).collect();
    let rows = classes.len();
    Tensor::from_data(TensorData::new(classes, [rows]), device)
}

fn floats(values: &[f64], device: &Device) -> Tensor<1> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
