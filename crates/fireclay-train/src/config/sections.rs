//! The tables that every training shares: training, evaluation and checkpoints.

use std::num::NonZeroUsize;

use fireclay_config::Problems;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{BatchSize, CpuShards};

/// How long and in what batches to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// How often to go through the training rows. Give this or max_steps; of both, the first to be
    /// reached ends the training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// How many updates of the weights to make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// The rows of one batch; "full" for all of them, plain gradient descent; "auto" for the largest
    /// power of two for which there is memory by the run's plan, which the resolved configuration
    /// then says.
    pub batch_size: BatchSize,
    /// The batches whose gradients make up one update, which equals that of one large batch.
    pub gradient_accumulation_steps: usize,
    /// The most that the norm of all gradients together may be; larger ones are scaled down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_grad_norm: Option<f64>,
    /// Keep a moving average of the weights with this decay, such as 0.999; it is then what is
    /// evaluated and saved. Before update t the decay is at most (1 + t) / (10 + t), so that a
    /// short run forgets its first weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// Multiply the learning rate by this factor for each layer below the head, such as 0.75: early
    /// layers of a pretrained model move less (image models).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_decay: Option<f64>,
    /// The threads that make batches ahead of time, or 0 to make them as they are needed. Unless
    /// given, 0 for tables and one for each core, up to 8, for images; the result does not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader_threads: Option<usize>,
    /// On a CPU: in how many parts to compute each batch at once, each on one thread. "auto" takes
    /// the number of cores where that is faster; the resolved configuration says what it took. The
    /// gradients are those of the whole batch but for the rounding of their sum. Models with batch
    /// norm and mixed images need 1. With [cluster] it says how many of its parts at most are computed
    /// at once, and the result does not depend on it.
    pub cpu_shards: CpuShards,
    /// Whether to forget results of elementwise operations after the forward pass and compute them
    /// again in the backward pass: less memory for more time, and the same numbers.
    pub gradient_checkpointing: bool,
    /// Whether every epoch has an order of its own; otherwise rows come in the order of the file.
    pub shuffle: bool,
    /// Whether to leave out the last batch of an epoch if it is not full.
    pub drop_last: bool,
    /// What to do when the loss or a gradient is not finite.
    pub on_non_finite: OnNonFinite,
    /// With on_non_finite = "skip": the training stops after more skipped batches than this.
    pub max_skipped_batches: u64,
}

/// What to do when the loss or a gradient is not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNonFinite {
    /// End the run and keep the last good checkpoint.
    #[default]
    Stop,
    /// Leave the batch out.
    Skip,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: None,
            max_steps: None,
            batch_size: BatchSize::Samples(NonZeroUsize::new(32).expect("32 is not 0")),
            gradient_accumulation_steps: 1,
            max_grad_norm: None,
            ema_decay: None,
            layer_decay: None,
            loader_threads: None,
            cpu_shards: CpuShards::Auto,
            gradient_checkpointing: false,
            shuffle: true,
            drop_last: false,
            on_non_finite: OnNonFinite::Stop,
            max_skipped_batches: 10,
        }
    }
}

impl TrainConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        if self.epochs.is_none() && self.max_steps.is_none() {
            problems.add("", "needs `epochs` or `max_steps`: how long to train");
        }
        let accumulation = self.gradient_accumulation_steps;
        problems
            .at_least_one("epochs", self.epochs)
            .at_least_one("max_steps", self.max_steps)
            .at_least_one("gradient_accumulation_steps", Some(accumulation as u64));
        if let Some(norm) = self.max_grad_norm {
            problems.check("max_grad_norm", norm > 0.0, "above 0", norm);
        }
        if let Some(decay) = self.ema_decay {
            let ok = decay > 0.0 && decay < 1.0;
            problems.check("ema_decay", ok, "between 0 and 1", decay);
        }
        if let Some(decay) = self.layer_decay {
            problems.factor("layer_decay", decay);
        }
        if self.loader_threads.is_some_and(|threads| threads > 256) {
            problems.add("loader_threads", "must be at most 256");
        }
        if matches!(self.cpu_shards, CpuShards::Count(count) if count.get() > 256) {
            problems.add("cpu_shards", "must be at most 256");
        }
        if self.batch_size == BatchSize::Full && accumulation > 1 {
            let message = "must be 1 with batch_size = \"full\": there is one batch in an epoch";
            problems.add("gradient_accumulation_steps", message);
        }
        problems.0
    }
}

/// Texts that a language model writes to be looked at, at most: a page shows them all.
const MOST_TEXTS: usize = 50;

/// When to measure the validation split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvalConfig {
    /// After every so many updates; in place of every_epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_steps: Option<u64>,
    /// After every so many epochs; 1 unless every_steps is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_epochs: Option<u64>,
    /// The rows of one batch; that of the training unless given. The result does not depend on it, but
    /// for rounding. On a CPU as many batches are in memory at once as there are threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Whether the run keeps what it predicts for the validation and test samples with labels, as
    /// predictions.parquet (split, row, truth, prediction, probabilities, data.id and
    /// data.extra_columns), with the images or texts that it gets wrong or is least sure of, as
    /// samples.jsonl; translations, as translations.jsonl; and where a language model loses, as language.json.
    pub keep_predictions: bool,
    /// How many pieces of the test text a language model goes on with at the end, to be looked at; 3
    /// unless given, and 0 for none. They take at most 48 tokens each, fewer after a short training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<usize>,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            every_steps: None,
            every_epochs: None,
            batch_size: None,
            keep_predictions: true,
            texts: None,
        }
    }
}

impl EvalConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        interval(&mut problems, self.every_steps, self.every_epochs);
        problems.at_least_one("batch_size", self.batch_size.map(|size| size as u64));
        if let Some(texts) = self.texts.filter(|texts| *texts > MOST_TEXTS) {
            problems.add(
                "texts",
                format!("must be at most {MOST_TEXTS}, but is {texts}"),
            );
        }
        problems.0
    }
}

/// When to stop because it gets no better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStoppingConfig {
    /// The metric to watch: train/loss, or valid/ and the name of a metric.
    pub monitor: String,
    /// Stop after so many evaluations in a row without an improvement.
    pub patience: u64,
    /// The least change that counts as an improvement.
    pub min_delta: f64,
}

impl Default for EarlyStoppingConfig {
    fn default() -> Self {
        Self {
            monitor: "valid/loss".into(),
            patience: 10,
            min_delta: 0.0,
        }
    }
}

impl EarlyStoppingConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let is_delta = self.min_delta >= 0.0;
        Problems::default()
            .at_least_one("patience", Some(self.patience))
            .check("min_delta", is_delta, "0 or more", self.min_delta)
            .found()
    }
}

/// When to save the state of the training, and what to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// After every so many updates; in place of every_epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_steps: Option<u64>,
    /// After every so many epochs; 1 unless every_steps is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_epochs: Option<u64>,
    /// How many of the newest checkpoints to keep.
    pub keep_last: usize,
    /// Whether to keep the best one too; its weights are then the run's result.
    pub keep_best: bool,
    /// The metric that decides which is best: train/loss, or valid/ and the name of a metric.
    pub monitor: String,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            every_steps: None,
            every_epochs: None,
            keep_last: 2,
            keep_best: true,
            monitor: "valid/loss".into(),
        }
    }
}

impl CheckpointConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        interval(&mut problems, self.every_steps, self.every_epochs);
        problems.at_least_one("keep_last", Some(self.keep_last as u64));
        problems.0
    }
}

/// Intervals of which one may be given.
fn interval(problems: &mut Problems, steps: Option<u64>, epochs: Option<u64>) {
    problems.at_least_one("every_steps", steps);
    problems.at_least_one("every_epochs", epochs);
    if steps.is_some() && epochs.is_some() {
        problems.add("every_epochs", "contradicts `every_steps`: choose one");
    }
}
