//! Regression: one number for each row.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use burn::train::metric::LossMetric;
use burn::train::{InferenceStep, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_data::{Labels, Mix, TargetKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::{Batch, Network};
use super::output::{TaskOutput, weight, weighted_mean};
use super::{LabelledTask, Objective, Target, Task, WithObjective};
use crate::answer::{Answers, Meaning};
use fireclay_metrics::{REGRESSION_METRICS, Report, regression_report};
use fireclay_train::strategy::{MeanLoss, Scorer, backward};

/// Predicts a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegressionConfig {
    /// What is minimised.
    pub loss: RegressionLoss,
    /// With loss = "huber": the error from which the loss grows linearly, in units of the target as
    /// the model sees it (its standard deviation, if it is standardised).
    pub huber_delta: f64,
    /// Whether the model sees the target with mean 0 and standard deviation 1; every number that is
    /// reported is mapped back.
    pub standardize_target: bool,
}

/// What a regression minimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegressionLoss {
    /// The mean squared error.
    #[default]
    Mse,
    /// The mean absolute error.
    Mae,
    /// The squared error of small errors, the absolute one of large ones (Huber 1964).
    Huber,
}

impl Default for RegressionConfig {
    fn default() -> Self {
        Self {
            loss: RegressionLoss::Mse,
            huber_delta: 1.0,
            standardize_target: true,
        }
    }
}

impl Task for RegressionConfig {
    fn name(&self) -> &'static str {
        "regression"
    }

    fn summary(&self) -> &'static str {
        "predict a number"
    }

    fn target_kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Number)
    }

    fn metrics(&self) -> &'static [&'static str] {
        REGRESSION_METRICS
    }

    fn headline(&self) -> &'static [&'static str] {
        &["rmse", "mae", "r2"]
    }

    fn unread(&self) -> Option<(&'static str, &'static str)> {
        let reason = "it is read if loss is \"huber\"";
        (self.loss != RegressionLoss::Huber).then_some(("task.huber_delta", reason))
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.huber_delta <= 0.0 {
            problems.push((
                "huber_delta".into(),
                format!("must be above 0, but is {}", self.huber_delta),
            ));
        }
        problems
    }
}

/// What trains a model on targets of a certain scale.
#[derive(Clone, Debug)]
pub struct RegressionObjective {
    config: RegressionConfig,
    scale: TargetScale,
}

impl LabelledTask for RegressionConfig {
    type Answer = TargetScale;

    fn answer(&self, target: &Target) -> TargetScale {
        match target.mean_std {
            Some((mean, std)) if self.standardize_target => TargetScale { mean, std },
            _ => TargetScale {
                mean: 0.0,
                std: 1.0,
            },
        }
    }

    fn with_objective<N: Network, W: WithObjective<N, Batch<N::Input>>>(
        &self,
        target: &Target,
        work: W,
    ) -> W::Output {
        work.with(RegressionObjective {
            config: self.clone(),
            scale: self.answer(target),
        })
    }
}

impl<N: Network> Objective<N> for RegressionObjective {
    type Batch = Batch<N::Input>;
    type Module = Regressor<N>;

    fn wrap(&self, model: N) -> Regressor<N> {
        Regressor::new(model, &self.config, self.scale)
    }

    fn unwrap(module: Regressor<N>) -> N {
        module.model
    }

    fn scorer(&self) -> impl Scorer<RegressorOutput> + 'static {
        RegressorScorer::new(self.scale)
    }

    fn show(training: SupervisedTraining<Regressor<N>>) -> SupervisedTraining<Regressor<N>> {
        training.metrics((LossMetric::new(),))
    }
}

/// The affine map between the target's unit and the numbers that the model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetScale {
    /// Mean of the training targets, or 0.
    pub mean: f64,
    /// Their standard deviation, or 1.
    pub std: f64,
}

impl TargetScale {
    /// From the target's unit to the model's.
    pub fn apply(&self, value: f64) -> f64 {
        (value - self.mean) / self.std
    }

    /// From the model's unit to the target's.
    pub fn invert(&self, value: f64) -> f64 {
        value * self.std + self.mean
    }
}

impl Meaning for TargetScale {
    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        let outputs = outputs.to_data();
        outputs.iter::<f64>().map(|v| self.invert(v)).collect()
    }

    fn answers(&self, numbers: Vec<f64>) -> Answers {
        Answers::Numbers(numbers)
    }

    fn report(&self, answers: &Answers, truth: &Labels, seed: u64) -> Report {
        let (Answers::Numbers(predicted), Labels::Numbers(truth)) = (answers, truth) else {
            unreachable!("a regressor answers with numbers");
        };
        regression_report(truth, predicted, Some(seed))
    }

    fn no_labels(&self) -> Labels {
        Labels::Numbers(Vec::new())
    }
}

/// A model and the loss that trains it to predict a number.
#[derive(Module, Debug)]
pub struct Regressor<N: Network> {
    /// The model; it has one output.
    pub model: N,
    #[module(skip)]
    loss: RegressionLoss,
    #[module(skip)]
    huber_delta: f64,
    #[module(skip)]
    scale: TargetScale,
}

/// What a step of a [`Regressor`] gives; its loss is that of standardised errors.
pub type RegressorOutput = TaskOutput<f64>;

impl<N: Network> Regressor<N> {
    /// A model with one output, trained as `config` says on targets of this scale.
    pub fn new(model: N, config: &RegressionConfig, scale: TargetScale) -> Self {
        Self {
            model,
            loss: config.loss,
            huber_delta: config.huber_delta,
            scale,
        }
    }

    fn forward(&self, batch: Batch<N::Input>) -> RegressorOutput {
        let Labels::Numbers(truth) = batch.truth else {
            unreachable!("a regressor is given numbers");
        };
        let truth = match &batch.mix {
            Some(mix) => mixed(&truth, mix),
            None => truth,
        };
        let predictions = self.model.forward(batch.input); // [batch, 1]
        let targets: Vec<f32> = truth
            .iter()
            .map(|&value| self.scale.apply(value) as f32)
            .collect();
        let targets = TensorData::new(targets, [truth.len(), 1]);
        let errors = predictions.clone() - Tensor::from_data(targets, &predictions.device());
        let weights = batch.weights.as_deref();
        TaskOutput {
            loss: weighted_mean(self.penalty(errors), weights),
            outputs: predictions,
            weight: weight(truth.len(), weights),
            unit: self.unit(),
            truth,
        }
    }

    fn penalty(&self, errors: Tensor<2>) -> Tensor<2> {
        match self.loss {
            RegressionLoss::Mse => errors.clone() * errors,
            RegressionLoss::Mae => errors.abs(),
            // Huber 1964, as in PyTorch's `HuberLoss`.
            RegressionLoss::Huber => {
                let delta = self.huber_delta;
                let small = (errors.clone() * errors.clone()).mul_scalar(0.5);
                let size = errors.abs();
                let large = size.clone().sub_scalar(0.5 * delta).mul_scalar(delta);
                small.mask_where(size.greater_elem(delta), large)
            }
        }
    }

    /// What a loss of 1 in the model's unit is in the target's.
    fn unit(&self) -> f64 {
        match self.loss {
            RegressionLoss::Mae => self.scale.std,
            RegressionLoss::Mse | RegressionLoss::Huber => self.scale.std * self.scale.std,
        }
    }
}

/// The targets of mixtures.
fn mixed(truth: &[f64], mix: &Mix) -> Vec<f64> {
    let shares = truth.iter().zip(mix.own.iter().zip(&mix.partner));
    shares
        .map(|(own, (share, partner))| {
            let share = f64::from(*share);
            share * own + (1.0 - share) * truth[*partner as usize]
        })
        .collect()
}

impl<N: Network> TrainStep for Regressor<N> {
    type Input = Batch<N::Input>;
    type Output = RegressorOutput;

    fn step(&self, batch: Batch<N::Input>) -> TrainOutput<RegressorOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

impl<N: Network> InferenceStep for Regressor<N> {
    type Input = Batch<N::Input>;
    type Output = RegressorOutput;

    fn step(&self, batch: Batch<N::Input>) -> RegressorOutput {
        self.forward(batch)
    }
}

/// Scores a split with every metric of regression, in the target's unit.
#[derive(Clone, Debug)]
pub struct RegressorScorer {
    loss: MeanLoss,
    scale: TargetScale,
    truth: Vec<f64>,
    predictions: Vec<f64>,
}

impl RegressorScorer {
    /// A scorer for targets of this scale.
    pub fn new(scale: TargetScale) -> Self {
        Self {
            loss: MeanLoss::default(),
            scale,
            truth: Vec::new(),
            predictions: Vec::new(),
        }
    }
}

impl Scorer<RegressorOutput> for RegressorScorer {
    fn add(&mut self, output: &RegressorOutput) {
        self.loss.add(output);
        self.truth.extend(&output.truth);
        let predictions = output.outputs.to_data();
        self.predictions.extend(
            predictions
                .iter::<f64>()
                .map(|value| self.scale.invert(value)),
        );
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let mut metrics = Scorer::<RegressorOutput>::finish(&mut self.loss);
        metrics.extend(regression_report(&self.truth, &self.predictions, None).metrics);
        self.truth.clear();
        self.predictions.clear();
        metrics
    }
}
