//! Regression: one number for each row.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use fireclay_data::arrow::array::{ArrayRef, Float64Array};
use fireclay_data::{Labels, Mix, TargetKind};
use fireclay_metrics::{
    Baseline, ConformalMethod, REGRESSION_METRICS, Report, conformal_radius, coverage_of,
    regression_baseline, regression_report,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::labelled::{BatchLoss, Labelled, LabelledLoss, weight, weighted_mean};
use super::{LabelledTask, Target, Task, TaskFacts, check_coverage};
use crate::answer::{Answers, Meaning};

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
    /// The share of new samples whose target is to be in its interval, such as 0.9. Then each answer has an
    /// interval, split-conformal with the absolute residuals of the validation split (Lei et al. 2018).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
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
            coverage: None,
        }
    }
}

impl Task for RegressionConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "regression",
            summary: "predict a number",
            target: Some(TargetKind::Number),
            metrics: REGRESSION_METRICS,
            headline: &["rmse", "mae", "r2"],
            ..TaskFacts::LABELS
        }
    }

    fn unread(&self) -> Option<(&'static str, &'static str)> {
        let reason = "it is read if loss is \"huber\"";
        (self.loss != RegressionLoss::Huber).then_some(("task.huber_delta", reason))
    }

    fn needs_validation(&self) -> Vec<(&'static str, &'static str)> {
        let needs = ("task.coverage", "a stated coverage");
        self.coverage.map(|_| needs).into_iter().collect()
    }

    fn coverage(&self) -> Option<f64> {
        self.coverage
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::from_iter(check_coverage(self.coverage));
        if self.huber_delta <= 0.0 {
            problems.push((
                "huber_delta".into(),
                format!("must be above 0, but is {}", self.huber_delta),
            ));
        }
        problems
    }
}

impl LabelledTask for RegressionConfig {
    type Answer = TargetScale;

    fn answer(&self, target: &Target) -> TargetScale {
        let average = target.mean_std.map(|(mean, _)| mean);
        let scale = target.mean_std.filter(|_| self.standardize_target);
        let (mean, std) = scale.unwrap_or((0.0, 1.0));
        TargetScale {
            mean,
            std,
            average,
            coverage: self.coverage,
            reach: None,
        }
    }

    fn loss(&self, target: &Target) -> Arc<dyn LabelledLoss> {
        Arc::new(ScaledLoss {
            loss: self.loss,
            huber_delta: self.huber_delta,
            scale: self.answer(target),
        })
    }
}

/// The affine map between the target's unit and the numbers that the model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetScale {
    /// Mean of the training targets, or 0.
    pub mean: f64,
    /// Their standard deviation, or 1.
    pub std: f64,
    /// The mean of the training targets in their own unit; older runs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// The share of samples whose target is in its interval, if answers have intervals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// How far the intervals reach to both sides, in the target's unit, from the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<f64>,
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
    fn unit(&self) -> (f64, f64) {
        (self.std, self.mean)
    }

    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        let outputs = outputs.to_data();
        outputs.iter::<f64>().map(|v| self.invert(v)).collect()
    }

    fn answers(&self, numbers: Vec<f64>) -> Answers {
        Answers::Numbers(numbers)
    }

    fn tune(&mut self, numbers: &[f64], truth: &Labels) {
        let Labels::Numbers(truth) = truth else {
            unreachable!("a regressor is given numbers");
        };
        let residuals = numbers.iter().zip(truth).map(|(p, y)| (y - p).abs());
        let reach = |coverage| conformal_radius(residuals.collect(), coverage);
        self.reach = self
            .coverage
            .and_then(reach)
            .filter(|reach| reach.is_finite());
    }

    fn more(&self, _numbers: &[f64], (answers, truth): (&Answers, &Labels), report: &mut Report) {
        let (Answers::Numbers(predicted), Labels::Numbers(truth)) = (answers, truth) else {
            unreachable!("a regressor answers with numbers");
        };
        let Some((reach, stated)) = self.reach.zip(self.coverage) else {
            return;
        };
        let rows = predicted.iter().zip(truth);
        let held: Vec<bool> = rows.map(|(p, y)| (y - p).abs() <= reach).collect();
        let sizes = vec![2.0 * reach; held.len()];
        let method = (ConformalMethod::AbsoluteResidual, stated);
        report.coverage = coverage_of(method, &held, &sizes);
    }

    /// From where to where each interval goes.
    fn bounds(&self, answers: &Answers) -> Vec<(String, ArrayRef)> {
        let (Some(reach), Answers::Numbers(numbers)) = (self.reach, answers) else {
            return Vec::new();
        };
        let column = |name: &str, reach: f64| {
            let bounds = numbers.iter().map(|number| number + reach);
            let bounds: ArrayRef = Arc::new(Float64Array::from_iter_values(bounds));
            (name.to_owned(), bounds)
        };
        vec![
            column("prediction_lower", -reach),
            column("prediction_upper", reach),
        ]
    }

    fn report(&self, answers: &Answers, truth: &Labels, seed: Option<u64>) -> Report {
        let (Answers::Numbers(predicted), Labels::Numbers(truth)) = (answers, truth) else {
            unreachable!("a regressor answers with numbers");
        };
        let average = self.average.filter(|_| seed.is_some());
        Report {
            baseline: average.map(|average| Baseline {
                answer: format!("always {average:.4}, the mean of the training targets"),
                metrics: regression_baseline(truth, average),
            }),
            ..regression_report(truth, predicted, seed)
        }
    }

    fn no_labels(&self) -> Labels {
        Labels::Numbers(Vec::new())
    }
}

/// A loss of standardised errors.
#[derive(Clone, Debug)]
struct ScaledLoss {
    loss: RegressionLoss,
    huber_delta: f64,
    scale: TargetScale,
}

impl LabelledLoss for ScaledLoss {
    fn of_batch(&self, predictions: Tensor<2>, batch: &Labelled) -> BatchLoss {
        let Labels::Numbers(truth) = &batch.truth else {
            unreachable!("a regressor is given numbers");
        };
        let truth = match &batch.mix {
            Some(mix) => &mixed(truth, mix),
            None => truth,
        };
        let targets = truth.iter().map(|&value| self.scale.apply(value) as f32);
        let targets = TensorData::new(targets.collect::<Vec<_>>(), [truth.len(), 1]);
        let device = predictions.device();
        let errors = predictions - Tensor::from_data(targets, &device);
        let weights = batch.weights.as_deref();
        BatchLoss {
            loss: weighted_mean(self.penalty(errors), weights),
            weight: weight(truth.len(), weights),
            unit: self.unit(),
        }
    }
}

impl ScaledLoss {
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
