//! Evaluation of the validation split: metrics over all of it, and what follows from them.

use std::iter;

use burn::train::{EventProcessorTraining, InferenceStep, LearnerEvent, TrainingItem};
use fireclay_data::Labels;
use fireclay_metrics::{Direction, Report};
use serde::{Deserialize, Serialize};

use super::left::is_exhausted;
use super::session::Session;
use super::shared::SharedOut;
use super::state::Best;
use super::{TrainError, Trainable};
use crate::config::{BatchSize, CpuShards, EarlyStoppingConfig, EvalConfig};
use crate::loader::Position;
use crate::observer::{Evaluation, Observer};
use crate::output::{StepOutput, scalar};
use crate::record::MetricLine;
use crate::workers::{self, each_in_order};

/// The samples that go through a model at once in an evaluation.
pub fn rows(eval: &EvalConfig, training: BatchSize) -> usize {
    /// Where nothing says how many.
    const ROWS: usize = 4096;
    let training = match training {
        BatchSize::Samples(count) => count.get(),
        BatchSize::Full | BatchSize::Auto => ROWS,
    };
    eval.batch_size.unwrap_or(training)
}

/// Turns the outputs of all batches of a split into metrics of the split.
pub trait Scorer<O>: Send {
    /// What counts of the output of one batch.
    fn taken(&self, output: &O) -> Taken;

    /// Adds what counts of one batch, which another process may have computed.
    fn put(&mut self, taken: Taken);

    /// Adds the output of one batch.
    fn add(&mut self, output: &O) {
        self.put(self.taken(output));
    }

    /// The metrics of everything added since the last call, in the order in which they are shown.
    fn finish(&mut self) -> Vec<(String, f64)>;
}

/// What a [`Scorer`] takes of the output of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Numbers; the scorer knows which.
    pub numbers: Vec<f64>,
    /// The targets of its samples, where they have labels.
    pub truth: Option<Labels>,
}

/// Metrics of a model beyond those of its outputs, such as of the texts that it writes; or why there are
/// none.
pub type More<M> = Box<dyn Fn(&M) -> Result<Vec<(String, f64)>, String> + Send>;

/// The metrics of a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// The sum of the weights of its batches: of texts, the number of tokens that count.
    pub weight: f64,
    /// In the order in which they are shown.
    pub metrics: Vec<(String, f64)>,
}

impl From<Scores> for Report {
    /// The weight of a batch of texts is the number of its tokens that count.
    fn from(scores: Scores) -> Self {
        Self {
            n: scores.weight as usize,
            metrics: scores.metrics.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// Scores the mean loss over all samples, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanLoss {
    sum: f64,
    weight: f64,
}

impl<O: StepOutput> Scorer<O> for MeanLoss {
    fn taken(&self, output: &O) -> Taken {
        let loss = output.weight() * scalar(output.loss()) * output.unit();
        Taken {
            numbers: vec![loss, output.weight()],
            truth: None,
        }
    }

    fn put(&mut self, taken: Taken) {
        if let [loss, weight, ..] = taken.numbers[..] {
            self.sum += loss;
            self.weight += weight;
        }
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let MeanLoss { sum, weight } = std::mem::take(self);
        vec![("loss".into(), if weight > 0.0 { sum / weight } else { 0.0 })]
    }
}

impl<M: Trainable> Session<M> {
    /// Evaluates the validation split: whether the monitored metric improved, and whether
    /// patience ran out.
    pub(super) fn evaluate(&mut self) -> Result<(bool, bool), TrainError> {
        let scores = self.score()?;
        let metrics = scores.metrics.clone();
        let train_loss = self.setup.state.train_loss();
        self.record_evaluation(&metrics, train_loss)?;
        let find = |monitor: &str| match monitor {
            "train/loss" => train_loss,
            monitor => monitor
                .strip_prefix("valid/")
                .and_then(|name| value(&metrics, name)),
        };
        let config = self.setup.config.clone();
        if let Some(metric) = config.lr_scheduler.monitor().and_then(find) {
            let monitor = config.lr_scheduler.monitor().unwrap_or_default();
            let higher = config.direction(monitor) == Direction::Higher;
            config
                .lr_scheduler
                .report(&mut self.setup.state.plateau, metric, higher);
        }
        let improved = find(&config.checkpoint.monitor)
            .is_some_and(|value| self.improved(&config.checkpoint.monitor, value));
        let exhausted = config.early_stopping.as_ref().is_some_and(|early| {
            let value = find(&early.monitor);
            value.is_some_and(|value| self.exhausted(early, value))
        });
        self.setup.seen.insert(self.setup.state.step, scores);
        self.setup.observers.evaluated(&Evaluation {
            step: self.setup.state.step,
            epoch: self.setup.state.epoch + 1,
            train_loss: train_loss.unwrap_or(f64::NAN),
            metrics,
            improved,
            elapsed: self.setup.clock.elapsed(),
        });
        Ok((improved, exhausted))
    }

    /// Runs the averaged weights, or else the current ones, over the validation split.
    fn score(&mut self) -> Result<Scores, TrainError> {
        if self.valid.num_items() == 0 {
            return Ok(Scores::default());
        }
        let model = self.averaged().valid();
        self.setup.valid_cursor.set(Position::default());
        let valid = self.valid.clone();
        let epoch = self.setup.state.epoch as usize + 1;
        let total_items = valid.num_items();
        self.emit_valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items,
        })?;
        let mut batches = valid.iter();
        let items = iter::from_fn(|| {
            let batch = batches
                .next()?
                .map_err(|error| TrainError::Data(error.to_string()));
            Some(batch.map(|batch| (model.clone(), batch, batches.progress())))
        });
        let workers = self.workers();
        let work = |(model, batch, progress)| (<M as InferenceStep>::step(&model, batch), progress);
        let mut shared = SharedOut::default();
        each_in_order(workers, items, work, |(output, progress)| {
            let (weight, taken) = (output.weight(), self.setup.scorer.taken(&output));
            self.score_batch(&mut shared, (weight, taken))?;
            if !self.setup.shown {
                return Ok(());
            }
            let step = self.setup.state.step as usize;
            let item = TrainingItem::new(output, progress, Some(step), None);
            self.emit_valid(LearnerEvent::ProcessedItem(item))
        })?;
        self.emit_valid(LearnerEvent::EndSplit(epoch))?;
        let weight = self.scored(shared)?;
        let mut metrics = self.setup.scorer.finish();
        if let Some(more) = &self.setup.more {
            metrics.extend(more(&model).map_err(TrainError::Learner)?);
        }
        Ok(Scores {
            weight,
            metrics: self.agreed(metrics)?,
        })
    }

    /// Batches that are evaluated at once.
    fn workers(&self) -> usize {
        match self.setup.config.train.cpu_shards {
            // Nobody has said yet that the model does not draw from the device's generator.
            CpuShards::Auto => 1,
            CpuShards::Count(_) => workers::count(&self.setup.device),
        }
    }

    fn record_evaluation(
        &mut self,
        metrics: &[(String, f64)],
        train_loss: Option<f64>,
    ) -> Result<(), TrainError> {
        let (step, epoch) = (self.setup.state.step, self.setup.state.epoch + 1);
        let line = |split, metrics| MetricLine {
            step,
            epoch,
            split,
            metrics,
        };
        let train = train_loss.map(|loss| ("epoch_loss", loss));
        let valid = metrics.iter().map(|(name, value)| (name.as_str(), *value));
        let valid: Vec<_> = valid.collect();
        let mut lines = vec![line("train", train.as_slice()), line("valid", &valid)];
        lines.retain(|line| !line.metrics.is_empty());
        self.setup.metrics.write(&lines)?;
        Ok(())
    }

    /// Whether `value` is the best so far of the metric that chooses the weights.
    fn improved(&mut self, monitor: &str, value: f64) -> bool {
        let best = self.setup.state.best.map(|best| best.value);
        let better = is_better(self.setup.config.direction(monitor), value, best, 0.0);
        if better {
            let step = self.setup.state.step;
            self.setup.state.best = Some(Best { step, value });
        }
        better
    }

    /// Whether the monitored metric has not improved for too long.
    fn exhausted(&mut self, early: &EarlyStoppingConfig, value: f64) -> bool {
        let direction = self.setup.config.direction(&early.monitor);
        let state = &mut self.setup.state;
        if is_better(direction, value, state.early_best, early.min_delta) {
            state.early_best = Some(value);
            state.early_bad = 0;
        } else {
            state.early_bad += 1;
        }
        self.is_exhausted()
    }

    /// Whether there were as many evaluations without an improvement as the patience allows.
    pub(super) fn is_exhausted(&self) -> bool {
        is_exhausted(&self.setup.config, &self.setup.state)
    }

    fn emit_valid(
        &mut self,
        event: LearnerEvent<<M as InferenceStep>::Output>,
    ) -> Result<(), TrainError> {
        self.processor
            .process_valid(event)
            .map_err(|error| TrainError::Learner(error.to_string()))
    }
}

fn value(metrics: &[(String, f64)], name: &str) -> Option<f64> {
    let mut metrics = metrics.iter();
    metrics.find_map(|(found, value)| (found == name).then_some(*value))
}

/// Whether `value` beats `best` by more than `min_delta`; any number beats none.
fn is_better(better: Direction, value: f64, best: Option<f64>, min_delta: f64) -> bool {
    let Some(best) = best else {
        return value.is_finite();
    };
    match better {
        Direction::Higher => value > best + min_delta,
        Direction::Lower => value < best - min_delta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_follows_the_direction_of_the_metric() {
        let cases = [
            (Direction::Lower, 0.9, 1.0, 0.0, true),
            (Direction::Lower, 0.95, 1.0, 0.1, false),
            (Direction::Higher, 0.9, 0.8, 0.05, true),
            (Direction::Higher, 0.8, 0.8, 0.0, false),
            (Direction::Lower, f64::NAN, 1.0, 0.0, false),
        ];
        for (better, value, best, min_delta, expected) in cases {
            let found = is_better(better, value, Some(best), min_delta);
            assert_eq!(found, expected, "{better:?}: {value}, {best}");
        }
    }
}
