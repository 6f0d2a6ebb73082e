//! What a training does, apart from its model and data.

use fireclay_metrics::{Direction, Metric};
use serde_json::json;

use crate::checkpoint::Fingerprints;
use crate::config::{
    CheckpointConfig, ClusterConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig, Precision,
    TrainConfig,
};
use crate::optim::OptimizerConfig;
use crate::schedule::{LrSchedulerConfig, PlateauState};

/// The numbers of a training: the sections of the run's configuration that every task shares.
#[derive(Clone, Debug)]
pub struct TrainerConfig {
    /// Seed of every random choice.
    pub seed: u64,
    /// `precision` of `[device]`. In half precision, a module of your own is given weights in half, but those
    /// of its norms, and inputs and targets as they are: it casts inputs to the kind of its weights,
    /// outputs to `f32` before the loss, and takes its gradients by [`backward`](super::backward).
    pub precision: Precision,
    /// `[optimizer]`.
    pub optimizer: OptimizerConfig,
    /// `[lr_scheduler]`.
    pub lr_scheduler: LrSchedulerConfig,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[cluster]`.
    pub cluster: Option<ClusterConfig>,
    /// `[eval]`.
    pub eval: EvalConfig,
    /// `[early_stopping]`.
    pub early_stopping: Option<EarlyStoppingConfig>,
    /// `[checkpoint]`.
    pub checkpoint: CheckpointConfig,
    /// `[logging]`.
    pub logging: LoggingConfig,
    /// The metrics of the [`Scorer`](super::Scorer). One that is not among them is better the lower it is, as
    /// the loss is.
    pub metrics: &'static [Metric],
}

impl TrainerConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let early = self.early_stopping.as_ref();
        let cluster = self.cluster.as_ref();
        let sections = [
            ("optimizer", self.optimizer.validate()),
            ("lr_scheduler", self.lr_scheduler.validate(None)),
            ("train", self.train.validate()),
            (
                "cluster",
                cluster.map(ClusterConfig::validate).unwrap_or_default(),
            ),
            ("eval", self.eval.validate()),
            (
                "early_stopping",
                early.map(EarlyStoppingConfig::validate).unwrap_or_default(),
            ),
            ("checkpoint", self.checkpoint.validate()),
            ("logging", self.logging.validate()),
        ];
        let name =
            |section: &str, key: String| format!("{section}.{key}").trim_end_matches('.').into();
        let problems = sections.into_iter().flat_map(|(section, problems)| {
            problems
                .into_iter()
                .map(move |(key, message)| (name(section, key), message))
        });
        problems.collect()
    }

    /// Which values of a metric, such as `valid/accuracy`, are better.
    pub(super) fn direction(&self, monitor: &str) -> Direction {
        let name = monitor.rsplit('/').next().unwrap_or(monitor);
        let metric = self.metrics.iter().find(|metric| metric.name == name);
        metric.map_or(Direction::Lower, |metric| metric.better)
    }

    /// The defaults of everything else.
    pub fn new(seed: u64, optimizer: OptimizerConfig, train: TrainConfig) -> Self {
        Self {
            seed,
            precision: Precision::default(),
            optimizer,
            train,
            lr_scheduler: LrSchedulerConfig::default(),
            cluster: None,
            eval: EvalConfig::default(),
            early_stopping: None,
            checkpoint: CheckpointConfig::default(),
            logging: LoggingConfig::default(),
            metrics: &[],
        }
    }

    /// Micro-batches that make up one update.
    pub(super) fn accumulation(&self) -> usize {
        self.train.gradient_accumulation_steps
    }

    /// Updates in an epoch of `batches` micro-batches; the last one may have fewer of them.
    pub fn steps_per_epoch(&self, batches: usize) -> u64 {
        batches.div_ceil(self.accumulation()) as u64
    }

    /// Updates in all, for epochs of `batches` micro-batches.
    pub fn total_steps(&self, batches: usize) -> u64 {
        self.last_step(batches, 0)
    }

    /// The update after which the training ends, where `moved` more of them were made than its epochs would
    /// have counted; see [`LoopState::moved`](super::LoopState::moved).
    pub(super) fn last_step(&self, batches: usize, moved: i64) -> u64 {
        let per_epoch = self.steps_per_epoch(batches);
        let epochs = self.train.epochs;
        let epochs = epochs.map(|epochs| {
            epochs
                .saturating_mul(per_epoch)
                .saturating_add_signed(moved)
        });
        let limits = epochs.into_iter().chain(self.train.max_steps);
        limits.min().unwrap_or(0)
    }

    /// Evaluations of the whole run before its last update, for epochs of `batches` micro-batches: those after which
    /// there is something left to stop.
    pub fn evaluations_before_end(&self, batches: usize) -> u64 {
        let every = match (self.eval.every_steps, self.eval.every_epochs) {
            (Some(steps), _) => steps,
            (None, epochs) => epochs
                .unwrap_or(1)
                .saturating_mul(self.steps_per_epoch(batches)),
        };
        self.total_steps(batches).saturating_sub(1) / every.max(1)
    }

    /// What must not change between a checkpoint and its resumption. How long to train and how
    /// often to evaluate is not part of it, unless the schedule depends on the end.
    pub(super) fn fingerprints(&self, total_steps: u64) -> Fingerprints {
        let train = &self.train;
        let mut schedule = json!(self.lr_scheduler);
        if depends_on_length(&self.lr_scheduler, total_steps)
            && let Some(schedule) = schedule.as_object_mut()
        {
            schedule.insert("total_steps".into(), json!(total_steps));
        }
        let mut parts = Fingerprints::from([
            ("seed".into(), json!(self.seed)),
            ("optimizer".into(), json!(self.optimizer)),
            ("lr_scheduler".into(), schedule),
            (
                "train".into(),
                json!({
                    "batch_size": train.batch_size,
                    "gradient_accumulation_steps": train.gradient_accumulation_steps,
                    "max_grad_norm": train.max_grad_norm,
                    "ema_decay": train.ema_decay,
                    "layer_decay": train.layer_decay,
                    "shuffle": train.shuffle,
                    "drop_last": train.drop_last,
                }),
            ),
            (
                "monitors".into(),
                json!({
                    "checkpoint": self.checkpoint.monitor,
                    "keep_best": self.checkpoint.keep_best,
                    "early_stopping": self.early_stopping.as_ref().map(|early| &early.monitor),
                }),
            ),
        ]);
        if let Some(cluster) = &self.cluster {
            let mut fixed = json!({ "parts": cluster.parts });
            if cluster.sync_batch_norm {
                fixed["sync_batch_norm"] = json!(true);
            }
            parts.insert("cluster".into(), fixed);
        }
        if self.precision != Precision::F32 {
            parts.insert("precision".into(), json!(self.precision));
        }
        parts
    }
}

/// Whether a run twice as long would have used other learning rates by now: asked of the function
/// itself, at no more than a thousand steps.
fn depends_on_length(schedule: &LrSchedulerConfig, total_steps: u64) -> bool {
    let plateau = PlateauState::default();
    let rate = |step, total| schedule.learning_rate(1.0, step, total, &plateau);
    (0..total_steps)
        .step_by((total_steps as usize / 1000).max(1))
        .any(|step| rate(step, total_steps) != rate(step, total_steps.saturating_mul(2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::OptimizerConfig;

    #[test]
    fn evaluations_that_can_stop_a_run_come_before_its_end() {
        let train = TrainConfig {
            epochs: Some(5),
            ..TrainConfig::default()
        };
        let mut config = TrainerConfig::new(1, OptimizerConfig::default(), train);
        // After epochs 1 to 4 of ten updates each; the one after the fifth stops nothing.
        assert_eq!(config.evaluations_before_end(10), 4);
        config.eval.every_epochs = Some(2);
        assert_eq!(config.evaluations_before_end(10), 2);
        config.eval.every_steps = Some(7);
        assert_eq!(config.evaluations_before_end(10), 7);
        config.train.max_steps = Some(21);
        assert_eq!(config.evaluations_before_end(10), 2);
        config.train.gradient_accumulation_steps = 20;
        assert_eq!(config.evaluations_before_end(10), 0);
    }

    const METRICS: &[Metric] = &[Metric::higher("accuracy"), Metric::lower("perplexity")];

    #[test]
    fn the_direction_of_a_metric_is_that_of_the_task() {
        let mut config = TrainerConfig::new(1, OptimizerConfig::default(), TrainConfig::default());
        config.metrics = METRICS;
        assert_eq!(config.direction("valid/accuracy"), Direction::Higher);
        assert_eq!(config.direction("valid/perplexity"), Direction::Lower);
        assert_eq!(config.direction("train/loss"), Direction::Lower);
    }
}
