//! One update: forward and backward for each micro-batch, then clip, check and step.

use std::time::Instant;

use burn::data::dataloader::DataLoaderIterator;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::{LearnerEvent, TrainStep, TrainingItem};

use fireclay_models::layers::draws::key;
use fireclay_models::{Draws, halved};

use super::scaling::LossScale;
use super::session::Session;
use super::setup::Setup;
use super::shards::Piece;
use super::{TrainError, Trainable};
use crate::config::{CpuShards, OnNonFinite};
use crate::cost::Phase;
use crate::gradients::{Accumulator, clip_global_norm, scale};
use crate::observer::{Observer, Step};
use crate::output::StepOutput;

pub(super) type Batches<'a, M> = dyn DataLoaderIterator<<M as TrainStep>::Input> + 'a;

/// What the micro-batches of one update, or their parts, came to.
#[derive(Default)]
pub(super) struct Forward {
    pub grads: Accumulator,
    pub losses: Vec<Tensor<1>>,
    pub weights: Vec<f64>,
    pub unit: f64,
}

impl<M: Trainable> Session<M> {
    /// Takes the micro-batches of one update from `batches` and makes it.
    pub(super) fn update(&mut self, batches: &mut Batches<'_, M>) -> Result<(), TrainError> {
        let learning_rate = self.learning_rate();
        // The forward pass moves running statistics; a batch that is skipped must not.
        let skips = self.setup.config.train.on_non_finite == OnNonFinite::Skip
            || self.setup.state.loss_scale.is_some();
        let before = skips.then(|| self.model().valid());
        let forward = self.forward(batches, learning_rate)?;
        let start = Instant::now();
        let grads = forward.grads.finish(self.model());
        let norm = self.norm(&grads)?;
        let (loss, grad_norm) = read(forward.losses, &forward.weights, norm);
        let (loss, grad_norm) = (loss * forward.unit, self.agreed_norm(grad_norm)?);
        self.setup.state.step += 1;
        self.setup.done.steps += 1;
        self.setup.spent(Phase::Compute, start);
        if loss.is_finite() && grad_norm.is_finite() {
            // A second handle on the weights would force the update to copy them.
            drop(before);
            let step = Step {
                step: self.setup.state.step,
                epoch: self.setup.state.epoch + 1,
                loss,
                learning_rate,
                grad_norm,
            };
            return self.make(grads, step, forward.weights.iter().sum());
        }
        match self.setup.state.loss_scale {
            Some(scale) if loss.is_finite() && scale.can_shrink() => {
                self.overflowed(scale, loss, learning_rate)?;
            }
            _ => self.non_finite(loss, grad_norm)?,
        }
        before.iter().for_each(|before| self.restore_model(before));
        Ok(())
    }

    /// Moves the weights, and writes down `step`, whose samples have this weight in the epoch's loss.
    fn make(
        &mut self,
        mut grads: GradientsParams,
        step: Step,
        weight: f64,
    ) -> Result<(), TrainError> {
        let mut start = Instant::now();
        if let Some(max_norm) = self.setup.config.train.max_grad_norm {
            grads = clip_global_norm(self.model(), grads, max_norm, step.grad_norm);
        }
        let rates = self.setup.rates.as_ref();
        let pace = rates.map(|rates| rates.before(self.model()));
        self.map_model(|model, optimizer| {
            let after = model.optimize(optimizer, step.learning_rate.into(), grads);
            match pace {
                Some(pace) => pace.apply(after),
                None => after,
            }
        });
        if self.setup.owners.is_some() {
            self.setup.spent(Phase::Optimizer, start);
            self.gather_parameters()?;
            start = Instant::now();
        }
        if let Some(ema) = self.setup.ema.take() {
            self.setup.ema = Some(ema.update(self.model()));
        }
        self.setup.spent(Phase::Optimizer, start);
        let state = &mut self.setup.state;
        state.epoch_loss += step.loss * weight;
        state.epoch_weight += weight;
        state.loss_scale.iter_mut().for_each(LossScale::keep);
        self.record(step)
    }

    fn learning_rate(&self) -> f64 {
        let (config, state) = (&self.setup.config, &self.setup.state);
        let base = config.optimizer.learning_rate();
        config
            .lr_scheduler
            .learning_rate(base, state.step, self.total_steps, &state.plateau)
    }

    fn forward(
        &mut self,
        batches: &mut Batches<'_, M>,
        learning_rate: f64,
    ) -> Result<Forward, TrainError> {
        let left = self.setup.batches_per_epoch - self.setup.state.batch;
        let half = self.setup.config.precision.half();
        let half = half.map(|dtype| halved(self.model().clone(), dtype));
        let mut forward = Forward::default();
        for micro in 0..self.setup.config.accumulation().min(left) {
            let start = Instant::now();
            let pieces = self.pieces(batches, micro)?;
            self.setup.spent(Phase::Data, start);
            let start = Instant::now();
            let (half, at) = (half.as_ref(), (&*batches, learning_rate));
            match self.setup.cluster {
                Some(_) => self.forward_in_parts(half, pieces, at, &mut forward)?,
                None => {
                    self.forward_here(half, pieces, at, &mut forward)?;
                    self.setup.spent(Phase::Compute, start);
                }
            }
            self.setup.state.batch += 1;
        }
        Ok(forward)
    }

    /// Forward and backward of the parts of a micro-batch, into `forward`.
    fn forward_here(
        &mut self,
        half: Option<&M>,
        pieces: Vec<Piece<<M as TrainStep>::Input>>,
        (batches, learning_rate): (&Batches<'_, M>, f64),
        forward: &mut Forward,
    ) -> Result<(), TrainError> {
        let loss_scale = self.setup.state.loss_scale;
        let loss_scale = loss_scale.map_or(1.0, |scale| scale.factor);
        let Setup { shards, device, .. } = &self.setup;
        let model = half.unwrap_or(self.model());
        let samples: usize = pieces.iter().map(|piece| piece.samples).sum();
        let outputs = shards.step(model, pieces, device);
        self.setup.done.samples += samples as u64;
        for mut output in outputs {
            if half.is_some() {
                output.grads = scale(self.model(), output.grads, 1.0 / loss_scale);
            }
            let item = output.item;
            let weight = item.weight();
            self.setup.count_tokens(item.tokens());
            forward.grads.add(self.model(), output.grads, weight);
            forward.losses.push(item.loss().without_autodiff());
            forward.weights.push(weight);
            forward.unit = item.unit();
            self.show(item, batches, learning_rate)?;
        }
        Ok(())
    }

    /// Burn's dashboard, if there is one, gets what a part came to.
    pub(super) fn show(
        &mut self,
        item: <M as TrainStep>::Output,
        batches: &Batches<'_, M>,
        learning_rate: f64,
    ) -> Result<(), TrainError> {
        if !self.setup.shown {
            return Ok(());
        }
        let step = self.setup.state.step as usize + 1;
        let rate = Some(learning_rate.into());
        let item = TrainingItem::new(item, batches.progress(), Some(step), rate);
        self.emit(LearnerEvent::ProcessedItem(item))
    }

    /// The parts of the next micro-batch, and what is drawn for them: a pure function of (seed,
    /// step, micro-batch, sample).
    fn pieces(
        &mut self,
        batches: &mut Batches<'_, M>,
        micro: usize,
    ) -> Result<Vec<Piece<<M as TrainStep>::Input>>, TrainError> {
        let Setup { config, state, .. } = &self.setup;
        let key = key(config.seed, [state.step, micro as u64]);
        // What draws on the device has one generator for all threads.
        self.setup.device.seed(key);
        let on_host = config.train.cpu_shards != CpuShards::Auto;
        let mut pieces = Vec::new();
        loop {
            let input = batches
                .next()
                .ok_or_else(|| TrainError::Data("the loader ended before its epoch".into()))?
                .map_err(|error| TrainError::Data(error.to_string()))?;
            let part = self.setup.handed_out.part();
            let draws = on_host.then_some(Draws {
                key,
                before: part.samples.start,
                samples: part.samples.len(),
            });
            let scale = self.setup.state.loss_scale.map(|scale| scale.factor);
            if !part.samples.is_empty() {
                pieces.push(Piece {
                    input,
                    draws,
                    scale,
                    number: part.number,
                    samples: part.samples.len(),
                    seed: self.seed_of(micro, part.number),
                    seat: None,
                });
            }
            if part.is_last {
                return Ok(pieces);
            }
        }
    }

    fn record(&mut self, step: Step) -> Result<(), TrainError> {
        let every = self.setup.config.logging.every_steps;
        if step.step.is_multiple_of(every) {
            let mut metrics = vec![
                ("loss", step.loss),
                ("learning_rate", step.learning_rate),
                ("grad_norm", step.grad_norm),
            ];
            let scale = self.setup.state.loss_scale;
            metrics.extend(scale.map(|scale| ("loss_scale", scale.factor)));
            self.setup.write("train", &metrics)?;
        }
        self.setup.observers.stepped(&step);
        Ok(())
    }

    /// Leaves the update out and scales the losses to come less. Recorded whatever is logged, and
    /// without a norm, which there is none of.
    fn overflowed(
        &mut self,
        mut scale: LossScale,
        loss: f64,
        learning_rate: f64,
    ) -> Result<(), TrainError> {
        let (step, before) = (self.setup.state.step, scale.factor);
        scale.shrink();
        self.setup.state.loss_scale = Some(scale);
        let factor = scale.factor;
        self.setup.observers.noticed(&format!(
            "skipped the update of step {step}: gradients of {before} times the loss overflow f16; from \
             now on it is scaled by {factor}"
        ));
        let metrics = [
            ("loss", loss),
            ("learning_rate", learning_rate),
            ("loss_scale", factor),
        ];
        Ok(self.setup.write("train", &metrics)?)
    }

    /// Stops, or leaves the batch out, before the weights are touched.
    fn non_finite(&mut self, loss: f64, grad_norm: f64) -> Result<(), TrainError> {
        let (train, state) = (&self.setup.config.train, &mut self.setup.state);
        let what = format!(
            "step {}: loss {loss}, gradient norm {grad_norm}",
            state.step
        );
        let wider = match state.loss_scale {
            Some(_) => "; device.precision = \"bf16\" has the range of f32, f16 ends at 65504",
            None => "",
        };
        if train.on_non_finite == OnNonFinite::Stop {
            return Err(TrainError::Diverged(format!(
                "training diverged at {what}; lower the learning rate, set train.max_grad_norm, or \
                 look at the data (train.on_non_finite = \"skip\" leaves such batches out){wider}"
            )));
        }
        state.skipped += 1;
        if state.skipped > train.max_skipped_batches {
            let limit = train.max_skipped_batches;
            return Err(TrainError::Diverged(format!(
                "training diverged at {what}: more than train.max_skipped_batches = {limit} \
                 batches were not finite{wider}"
            )));
        }
        self.setup
            .observers
            .noticed(&format!("skipped a batch at {what}"));
        Ok(())
    }
}

/// Reads losses and norm back in one transfer, and averages the losses.
fn read(losses: Vec<Tensor<1>>, weights: &[f64], norm: Tensor<1>) -> (f64, f64) {
    let values = Tensor::cat(losses.into_iter().chain([norm]).collect(), 0).into_data();
    let values: Vec<f64> = values.iter::<f64>().collect();
    let (norm, losses) = values.split_last().expect("there is a norm");
    if let [loss] = losses {
        return (*loss, *norm);
    }
    let sum: f64 = losses
        .iter()
        .zip(weights)
        .map(|(loss, weight)| loss * weight)
        .sum();
    let weight: f64 = weights.iter().sum();
    (if weight > 0.0 { sum / weight } else { 0.0 }, *norm)
}
