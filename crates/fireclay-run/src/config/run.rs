//! The configuration of a run.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use fireclay_config::{ConfigError, Document, Problem};
use fireclay_models::LoraConfig;
use fireclay_train::TrainerConfig;
use fireclay_train::config::{
    BatchSize, CheckpointConfig, ClusterConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig,
    TrainConfig,
};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::schedule::LrSchedulerConfig;
use serde::Serialize;

use super::data::{DataConfig, TokenizerSource};
use super::device::DeviceConfig;
use super::fairness::FairnessConfig;
use super::model::ModelConfig;
use super::report::ReportConfig;
use crate::task::TaskConfig;

/// Everything that determines a run; checked as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunConfig {
    /// The seed of every random choice.
    pub seed: u64,
    /// Where run folders are made: `output_dir/<name of the configuration>/<number>`.
    pub output_dir: String,
    /// `[device]`.
    pub device: DeviceConfig,
    /// `[data]`.
    pub data: DataConfig,
    /// `[tokenizer]`; only text has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerSource>,
    /// `[model]`.
    pub model: ModelConfig,
    /// `[lora]`; without this table all of the model is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// `[task]`.
    pub task: TaskConfig,
    /// `[fairness]`; without this table no groups are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<FairnessConfig>,
    /// `[optimizer]`.
    pub optimizer: OptimizerConfig,
    /// `[lr_scheduler]`.
    pub lr_scheduler: LrSchedulerConfig,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[cluster]`; without this table one process computes each batch as it finds fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterConfig>,
    /// `[eval]`.
    pub eval: EvalConfig,
    /// `[early_stopping]`; without this table there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStoppingConfig>,
    /// `[checkpoint]`.
    pub checkpoint: CheckpointConfig,
    /// `[logging]`.
    pub logging: LoggingConfig,
    /// `[report]`; without this table nothing is written about the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportConfig>,
}

impl From<&RunConfig> for TrainerConfig {
    fn from(config: &RunConfig) -> Self {
        Self {
            seed: config.seed,
            precision: config.device.precision,
            optimizer: config.optimizer.clone(),
            lr_scheduler: config.lr_scheduler.clone(),
            train: TrainConfig {
                batch_size: config.batch_size(),
                ..config.train.clone()
            },
            cluster: config.cluster.clone(),
            eval: config.eval.clone(),
            early_stopping: config.early_stopping.clone(),
            checkpoint: config.checkpoint.clone(),
            logging: config.logging.clone(),
            metrics: config.task.facts().metrics,
        }
    }
}

impl RunConfig {
    /// What is monitored, by the key that says so.
    pub fn monitors(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let early = self.early_stopping.as_ref();
        let early = early.map(|early| ("early_stopping.monitor", early.monitor.as_str()));
        let best = self.checkpoint.keep_best;
        let best = best.then_some(("checkpoint.monitor", self.checkpoint.monitor.as_str()));
        let schedule = self.lr_scheduler.monitor();
        let schedule = schedule.map(|monitor| ("lr_scheduler.monitor", monitor));
        [early, best, schedule].into_iter().flatten()
    }

    /// What one batch of the training is made of. Pairs of texts come in groups that are a batch
    /// each.
    pub fn batch_size(&self) -> BatchSize {
        match self.data.section().own_batches() {
            Some(_) => BatchSize::Samples(NonZeroUsize::MIN),
            None => self.train.batch_size,
        }
    }
}

/// A configuration with the texts that it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: RunConfig,
    /// What the run is called: the name of the file without its extension.
    pub name: String,
    /// What was taken from elsewhere, in words: the tokenizer of pretrained weights.
    pub notes: Vec<String>,
    pub(crate) document: Document,
}

impl Loaded {
    /// An error about values that turned out to be impossible later, as pairs of a key, dotted from
    /// the top, and a message such as "must be below 3"; each is shown where the key is written.
    pub fn problems(&self, found: Vec<(String, String)>) -> ConfigError {
        let problems = found
            .iter()
            .map(|(key, message)| self.problem(key, message))
            .collect();
        self.document.error(problems)
    }

    /// One of [`problems`](Self::problems).
    pub fn problem(&self, key: &str, message: &str) -> Problem {
        self.document.problem(key, message)
    }

    /// The files that the configuration was read from, the extending before the extended.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.document.files()
    }
}
