//! The tasks, tied to the trainer: one arm for each.

use std::collections::BTreeMap;

use burn::tensor::Device;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{InferenceStep, LearnerModel, TrainStep};
use fireclay_data::Labels;
use fireclay_metrics::{DEFAULT_THRESHOLD, tune_threshold};
use fireclay_train::loader::Samples;
use fireclay_train::output::StepOutput;
use fireclay_train::run_folder::RunFolder;
use fireclay_train::strategy::{Finished, Plan, Scorer, Trainer};
use serde_json::json;

use super::data::RunData;
use super::{Hooks, RunError};
use crate::adapters::Adapters;
use crate::config::{RunConfig, TaskConfig, Threshold};
use crate::predictor::{Answer, Answers};
use crate::task::{
    Batch, Classifier, ClassifierScorer, CrossEntropy, MultilabelClassifier, MultilabelScorer,
    Network, Regressor, RegressorScorer, TargetScale,
};

/// What there is to train: a model, the samples, and where.
pub(super) struct Work<N, S> {
    pub model: N,
    pub train: S,
    pub valid: S,
    /// How fast each tensor moves; empty for all alike.
    pub rates: Vec<f64>,
    /// The adapters, if they are all that is trained.
    pub adapters: Option<Adapters>,
    pub device: Device,
}

/// Whether a run starts or goes on, and who watches.
pub(super) struct Launch<'a> {
    pub folder: &'a RunFolder,
    /// The hashes of the data files, by name.
    pub hashes: BTreeMap<String, String>,
    pub resume: bool,
    pub hooks: Hooks,
}

/// Trains a model for the task of `config`; with it, what its outputs mean.
pub(super) fn train<N, S>(
    config: &RunConfig,
    data: &RunData,
    work: Work<N, S>,
    launch: Launch<'_>,
) -> Result<(Finished<N>, Answer), RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let classes = data.classes().to_vec();
    let job = Job { config, launch };
    match &config.task {
        TaskConfig::Classification(task) => {
            let loss = CrossEntropy::new(task, &classes, &counts(data));
            let threshold = match task.threshold {
                Threshold::Fixed(threshold) => threshold,
                Threshold::Tune => DEFAULT_THRESHOLD,
            };
            let fixed = (threshold != DEFAULT_THRESHOLD).then_some(threshold);
            let scorer = ClassifierScorer::new(classes.len(), fixed);
            let finished = job.run(
                work.map(|model| Classifier::new(model, loss)),
                scorer,
                |training| training.metrics((LossMetric::new(), AccuracyMetric::new())),
            )?;
            let answer = Answer::Classification { classes, threshold };
            Ok((finished.map(|classifier| classifier.model), answer))
        }
        TaskConfig::Multilabel(task) => {
            let scorer = MultilabelScorer::new(classes.len(), task.threshold);
            let finished = job.run(
                work.map(|model| MultilabelClassifier::new(model, task)),
                scorer,
                |training| training.metrics((LossMetric::new(),)),
            )?;
            let threshold = task.threshold;
            let answer = Answer::Multilabel { classes, threshold };
            Ok((finished.map(|classifier| classifier.model), answer))
        }
        TaskConfig::CausalLm(_) | TaskConfig::MaskedLm(_) | TaskConfig::Seq2Seq(_) => {
            unreachable!("checked: these have no labels")
        }
        TaskConfig::Regression(task) => {
            let scale = match data.target_mean_std() {
                Some((mean, std)) if task.standardize_target => TargetScale { mean, std },
                _ => TargetScale {
                    mean: 0.0,
                    std: 1.0,
                },
            };
            let finished = job.run(
                work.map(|model| Regressor::new(model, task, scale)),
                RegressorScorer::new(scale),
                |training| training.metrics((LossMetric::new(),)),
            )?;
            Ok((
                finished.map(|regressor| regressor.model),
                Answer::Regression(scale),
            ))
        }
    }
}

impl<N, S> Work<N, S> {
    pub(super) fn map<M>(self, wrap: impl FnOnce(N) -> M) -> Work<M, S> {
        Work {
            model: wrap(self.model),
            train: self.train,
            valid: self.valid,
            rates: self.rates,
            adapters: self.adapters,
            device: self.device,
        }
    }
}

/// A training of one task.
pub(super) struct Job<'a> {
    pub config: &'a RunConfig,
    pub launch: Launch<'a>,
}

impl Job<'_> {
    pub(super) fn run<M, S>(
        self,
        work: Work<M, S>,
        scorer: impl Scorer<<M as InferenceStep>::Output> + 'static,
        show: impl FnOnce(Training<M>) -> Training<M> + 'static,
    ) -> Result<Finished<M>, RunError>
    where
        M: LearnerModel + TrainStep<Input = S::Batch> + InferenceStep<Input = S::Batch>,
        <M as TrainStep>::Output: StepOutput,
        <M as InferenceStep>::Output: StepOutput,
        S: Samples,
    {
        let Launch {
            folder,
            hashes,
            resume,
            hooks,
        } = self.launch;
        let (config, plan) = (self.config, Plan::from(self.config));
        let data = json!({
            "config": config.data,
            "tokenizer": config.tokenizer,
            "sha256": hashes,
        });
        let trainer = Trainer::new(work.model, work.train, work.valid, plan, work.device)
            .rates(work.rates)
            .part("model", json!(config.model))
            .part("task", json!(config.task))
            .part("data", data)
            .observer(Box::new(hooks.observers))
            .interrupter(hooks.interrupter)
            .profile(hooks.profile)
            .scorer(scorer);
        let trainer = match work.adapters {
            Some(adapters) => trainer
                .part("lora", json!(adapters.lora))
                .part("base", json!({ "sha256": adapters.base_sha256 }))
                .without_frozen(),
            None => trainer,
        };
        let trainer = match hooks.renderer {
            Some(renderer) => trainer.show(renderer, show),
            None => trainer,
        };
        Ok(match resume {
            true => trainer.resume(folder)?,
            false => trainer.fit(folder)?,
        })
    }
}

type Training<M> = burn::train::SupervisedTraining<M>;

/// Chooses the threshold by the answers on the validation split, if the task asks for it.
pub(super) fn tune(task: &TaskConfig, answers: &Answers, truth: &Labels, answer: &mut Answer) {
    if let TaskConfig::Classification(task) = task
        && task.threshold == Threshold::Tune
        && let (Answers::Classes { probabilities, .. }, Labels::Classes(truth)) = (answers, truth)
        && let Answer::Classification { threshold, .. } = answer
    {
        let positive: Vec<f64> = probabilities.iter().skip(1).step_by(2).copied().collect();
        *threshold = tune_threshold(truth, &positive, task.tune_metric);
    }
}

/// Training samples of each class.
fn counts(data: &RunData) -> Vec<usize> {
    let mut counts = vec![0; data.classes().len()];
    if let Some(Labels::Classes(classes)) = data.train_labels() {
        classes
            .iter()
            .for_each(|&class| counts[class as usize] += 1);
    }
    counts
}
