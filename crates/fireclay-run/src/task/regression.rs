//! Regression: one number for each row.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use fireclay_data::{Labels, Mix};
use fireclay_metrics::regression_report;
use fireclay_train::strategy::{MeanLoss, Scorer, backward};
use serde::{Deserialize, Serialize};

use super::network::{Batch, Network};
use super::output::TaskOutput;
use crate::config::{RegressionConfig, RegressionLoss};

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
        let loss = self.penalty(errors).mean();
        TaskOutput {
            loss,
            outputs: predictions,
            weight: truth.len() as f64,
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
