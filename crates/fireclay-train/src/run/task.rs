//! The tasks, tied to the trainer: one arm for each.

use burn::tensor::Device;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{InferenceStep, LearnerModel, TrainStep};
use fireclay_data::{Labels, Split, TableData};
use fireclay_models::Tabular;
use serde_json::json;

use super::{Hooks, RunError};
use crate::config::{RunConfig, TaskConfig, Threshold};
use crate::lock::data_hashes;
use crate::metrics::{DEFAULT_THRESHOLD, tune_threshold};
use crate::output::StepOutput;
use crate::predictor::{Answer, Answers, Predictor};
use crate::run_folder::RunFolder;
use crate::strategy::{Finished, LoopState, Plan, StopReason, Trainer};
use crate::task::{
    Classifier, ClassifierScorer, CrossEntropy, Regressor, RegressorScorer, TableBatch,
    TableSamples, TargetScale,
};

/// A model that was trained, and what its outputs mean.
pub(super) struct Trained {
    pub model: Tabular,
    pub answer: Answer,
    pub reason: StopReason,
    pub state: LoopState,
    pub seconds: f64,
}

/// Trains `model` for the task of `config`.
pub(super) fn train(
    config: &RunConfig,
    data: &TableData,
    model: Tabular,
    device: &Device,
    mut hooks: Hooks,
    folder: &RunFolder,
    resume: bool,
) -> Result<Trained, RunError> {
    let renderer = hooks.renderer.take();
    match &config.task {
        TaskConfig::Classification(task) => {
            let classes = data.preprocess.classes().to_vec();
            let loss = CrossEntropy::new(task, &classes, &counts(data));
            let threshold = match task.threshold {
                Threshold::Fixed(threshold) => threshold,
                Threshold::Tune => DEFAULT_THRESHOLD,
            };
            let fixed = (threshold != DEFAULT_THRESHOLD).then_some(threshold);
            let trainer = trainer(config, data, Classifier::new(model, loss), device, hooks)?
                .scorer(ClassifierScorer::new(classes.len(), fixed));
            let trainer = match renderer {
                Some(renderer) => trainer.show(renderer, |training| {
                    training.metrics((LossMetric::new(), AccuracyMetric::new()))
                }),
                None => trainer,
            };
            let answer = Answer::Classification { classes, threshold };
            finish(trainer, folder, resume, answer, |classifier| {
                classifier.model
            })
        }
        TaskConfig::Regression(task) => {
            let scale = match data.preprocess.target_mean_std() {
                Some((mean, std)) if task.standardize_target => TargetScale { mean, std },
                _ => TargetScale {
                    mean: 0.0,
                    std: 1.0,
                },
            };
            let regressor = Regressor::new(model, task, scale);
            let trainer = trainer(config, data, regressor, device, hooks)?
                .scorer(RegressorScorer::new(scale));
            let trainer = match renderer {
                Some(renderer) => {
                    trainer.show(renderer, |training| training.metrics((LossMetric::new(),)))
                }
                None => trainer,
            };
            finish(
                trainer,
                folder,
                resume,
                Answer::Regression(scale),
                |regressor| regressor.model,
            )
        }
    }
}

fn trainer<M>(
    config: &RunConfig,
    data: &TableData,
    model: M,
    device: &Device,
    hooks: Hooks,
) -> Result<Trainer<M, TableSamples>, RunError>
where
    M: LearnerModel + TrainStep<Input = TableBatch> + InferenceStep<Input = TableBatch>,
    <M as TrainStep>::Output: StepOutput,
    <M as InferenceStep>::Output: StepOutput,
{
    let samples = |split: &Split| TableSamples::new(split.clone());
    let (train, valid) = (samples(&data.train), samples(&data.valid));
    Ok(
        Trainer::new(model, train, valid, Plan::from(config), device.clone())
            .part("model", json!(config.model))
            .part("task", json!(config.task))
            .part(
                "data",
                json!({"config": config.data, "sha256": data_hashes(data)?}),
            )
            .observer(hooks.observer)
            .interrupter(hooks.interrupter),
    )
}

fn finish<M>(
    trainer: Trainer<M, TableSamples>,
    folder: &RunFolder,
    resume: bool,
    answer: Answer,
    inner: impl FnOnce(M) -> Tabular,
) -> Result<Trained, RunError>
where
    M: LearnerModel + TrainStep<Input = TableBatch> + InferenceStep<Input = TableBatch>,
    <M as TrainStep>::Output: StepOutput,
    <M as InferenceStep>::Output: StepOutput,
{
    let finished = if resume {
        trainer.resume(folder)
    } else {
        trainer.fit(folder)
    };
    let Finished {
        model,
        reason,
        state,
        seconds,
    } = finished?;
    Ok(Trained {
        model: inner(model),
        answer,
        reason,
        state,
        seconds,
    })
}

/// Chooses the threshold on the validation split, if the task asks for it.
pub(super) fn tune(predictor: &mut Predictor, task: &TaskConfig, valid: &Split) {
    let TaskConfig::Classification(task) = task else {
        return;
    };
    if task.threshold != Threshold::Tune {
        return;
    }
    let answers = predictor.predict(&valid.features);
    if let (Answers::Classes { probabilities, .. }, Labels::Classes(truth)) =
        (answers, &valid.labels)
    {
        let positive: Vec<f64> = probabilities.iter().skip(1).step_by(2).copied().collect();
        let tuned = tune_threshold(truth, &positive, task.tune_metric);
        if let Answer::Classification { threshold, .. } = &mut predictor.answer {
            *threshold = tuned;
        }
    }
}

/// Training rows of each class.
fn counts(data: &TableData) -> Vec<usize> {
    let mut counts = vec![0; data.preprocess.classes().len()];
    if let Labels::Classes(classes) = &data.train.labels {
        classes
            .iter()
            .for_each(|&class| counts[class as usize] += 1);
    }
    counts
}
