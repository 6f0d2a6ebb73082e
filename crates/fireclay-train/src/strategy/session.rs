//! One training from its first update, or a checkpoint, to its end.

use std::time::Instant;

use burn::optim::ModuleOptimizer;
use burn::train::{
    EventProcessorTraining, Interrupter, LearnerEvent, LearnerModel,
    SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingComponents, ValidLoader,
};

use super::config::TrainerConfig;
use super::left::nothing_left;
use super::setup::Setup;
use super::state::{Finished, LoopState};
use super::{TrainError, Trainable};
use crate::checkpoint::Writer;
use crate::cost::Phase;
use crate::ema::Ema;
use crate::loader::Position;
use crate::observer::{Observer, Start, StopReason};
use crate::run_folder::typed;

/// That a run has ended with this state, and how it goes on; `run` is its folder as it is typed.
pub fn ended(reason: StopReason, config: &TrainerConfig, state: &LoopState, run: &str) -> String {
    let (train, step) = (&config.train, state.step);
    // A run that was given fewer epochs than it had made needs more than those.
    let made = state.epoch + u64::from(state.batch > 0);
    let (why, key, least) = match (reason, &config.early_stopping) {
        (StopReason::EarlyStopped, Some(early)) => (
            format!("it was stopped early after {step} steps"),
            "early_stopping.patience",
            early.patience,
        ),
        _ => {
            let why = format!("all of its {step} steps are made");
            match train.max_steps {
                Some(most) if step >= most => (why, "train.max_steps", step),
                _ => (
                    why,
                    "train.epochs",
                    train.epochs.unwrap_or_default().max(made),
                ),
            }
        }
    };
    let more = least.saturating_add(1);
    format!("{why}; `fireclay resume {run} --set {key}={more}` or more goes on")
}

const MODEL: &str = "the model is there between updates";

pub(super) struct Session<M: LearnerModel> {
    pub(super) setup: Setup<M>,
    /// Always there, except inside an update, which consumes it.
    model: Option<M>,
    pub(super) train: TrainLoader<M>,
    pub(super) valid: ValidLoader<M>,
    pub(super) processor: SupervisedTrainingEventProcessor<M>,
    pub(super) interrupter: Interrupter,
    /// What writes the checkpoints, once there is one.
    pub(super) writer: Option<Writer>,
    pub(super) total_steps: u64,
}

impl<M: Trainable> Session<M> {
    pub(super) fn new(
        setup: Setup<M>,
        components: TrainingComponents<M>,
        model: M,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
    ) -> Self {
        Self {
            total_steps: setup
                .config
                .last_step(setup.batches_per_epoch, setup.state.moved),
            train: train.to_device(&setup.device),
            valid: valid.to_device(&setup.device.clone().inner()),
            setup,
            model: Some(model),
            processor: components.event_processor,
            interrupter: components.interrupter,
            writer: None,
        }
    }

    /// Trains to the end, or until something stops it. Where the training diverged, the record ends with an update
    /// whose loss is no number.
    pub(super) fn run(&mut self) -> Result<StopReason, TrainError> {
        let result = self.until_something_stops();
        if result.as_ref().is_err_and(TrainError::is_divergence)
            && let Err(error) = self.setup.write("train", &[("loss", f64::NAN)])
        {
            self.setup.observers.noticed(&error.to_string());
        }
        result
    }

    fn until_something_stops(&mut self) -> Result<StopReason, TrainError> {
        let setup = &mut self.setup;
        let state = &setup.state;
        setup.observers.started(&Start {
            run: setup.run.path().to_path_buf(),
            step: state.step,
            total_steps: self.total_steps,
            steps_per_epoch: setup.config.steps_per_epoch(setup.batches_per_epoch),
            samples: self.train.num_items(),
        });
        if let Some(reason) = self.nothing_left() {
            return Ok(reason);
        }
        self.setup.state.stopped = None;
        let is_first = self.setup.state.step == 0 && self.setup.store.steps().is_empty();
        if self.decided(is_first)? {
            // So that a run can be resumed from its very beginning.
            self.save()?;
        }
        loop {
            if let Some(reason) = self.epoch()? {
                return Ok(reason);
            }
        }
    }

    /// Why no update is left to make, if none is. A run that has ended goes on if it was given more steps or
    /// more patience since.
    fn nothing_left(&mut self) -> Option<StopReason> {
        let setup = &self.setup;
        let reason = nothing_left(&setup.config, &setup.state, setup.batches_per_epoch)?;
        let run = typed(self.setup.run.path());
        let message = ended(reason, &self.setup.config, &self.setup.state, &run);
        self.setup.observers.noticed(&message);
        Some(reason)
    }

    /// Trains to the end of the current epoch.
    fn epoch(&mut self) -> Result<Option<StopReason>, TrainError> {
        let position = Position {
            epoch: self.setup.state.epoch,
            batch: self.setup.state.batch,
        };
        self.setup.cursor.set(position);
        let train = self.train.clone();
        let epoch_number = position.epoch as usize + 1;
        let total_items = train.num_items();
        self.emit(LearnerEvent::StartSplit {
            epoch_number,
            total_items,
        })?;
        let mut batches = train.iter();
        while self.setup.state.epoch == position.epoch {
            self.update(&mut *batches)?;
            self.did("ended the update");
            if let Some(reason) = self.after_update()? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Evaluates, saves and decides between two updates.
    fn after_update(&mut self) -> Result<Option<StopReason>, TrainError> {
        let epoch_ends = self.setup.state.batch == self.setup.batches_per_epoch;
        let last = self.setup.state.step >= self.total_steps;
        let mut improved = false;
        let mut exhausted = false;
        let epoch = self.setup.state.epoch + 1;
        let evaluates = self.evaluation_due(epoch_ends, last);
        if evaluates {
            let start = Instant::now();
            (improved, exhausted) = self.evaluate()?;
            self.setup.spent(Phase::Evaluation, start);
        }
        let save_due = self.checkpoint_due(epoch_ends);
        if epoch_ends {
            self.end_epoch()?;
        }
        let reason = if last {
            Some(StopReason::Completed)
        } else if exhausted {
            Some(StopReason::EarlyStopped)
        } else {
            self.interruption()?
        };
        self.setup.state.stopped = reason;
        let saves = improved || save_due || reason.is_some();
        if evaluates || saves {
            // Before the checkpoint: whoever goes on from that finds what it took to get there.
            self.setup.record_cost(epoch)?;
        }
        if saves {
            let start = Instant::now();
            self.save()?;
            self.setup.spent(Phase::Checkpoint, start);
        }
        Ok(reason)
    }

    fn end_epoch(&mut self) -> Result<(), TrainError> {
        let epoch = self.setup.state.epoch as usize + 1;
        self.setup.state.next_epoch();
        self.emit(LearnerEvent::EndSplit(epoch))?;
        self.emit(LearnerEvent::EndEpoch(epoch))
    }

    /// Whether somebody asked to stop, or something outside the loop failed.
    fn interruption(&self) -> Result<Option<StopReason>, TrainError> {
        if let Some(error) = self.interrupter.error() {
            return Err(TrainError::Learner(error.to_string()));
        }
        let stops = match &self.setup.cluster {
            // All of them stop after the same step.
            Some(cluster) if cluster.exchange.share().world > 1 => cluster.stops,
            _ => self.interrupter.should_stop(),
        };
        Ok(stops.then_some(StopReason::Interrupted))
    }

    fn checkpoint_due(&self, epoch_ends: bool) -> bool {
        let (state, config) = (&self.setup.state, &self.setup.config.checkpoint);
        due(config.every_steps, config.every_epochs, state, epoch_ends)
    }

    fn evaluation_due(&self, epoch_ends: bool, last: bool) -> bool {
        let (state, config) = (&self.setup.state, &self.setup.config.eval);
        last || due(config.every_steps, config.every_epochs, state, epoch_ends)
    }

    /// Tells Burn's metrics and renderer.
    pub(super) fn emit(
        &mut self,
        event: LearnerEvent<<M as TrainStep>::Output>,
    ) -> Result<(), TrainError> {
        self.processor
            .process_train(event)
            .map_err(|error| TrainError::Learner(error.to_string()))
    }

    pub(super) fn model(&self) -> &M {
        self.model.as_ref().expect(MODEL)
    }

    /// The averaged weights, or else the current ones.
    pub(super) fn averaged(&self) -> &M {
        self.setup.ema.as_ref().map_or(self.model(), Ema::model)
    }

    /// Puts the weights and running statistics of `before` in the place of the current ones.
    pub(super) fn restore_model(&mut self, before: &M) {
        self.model = Some(before.clone().train());
    }

    pub(super) fn map_model(&mut self, update: impl FnOnce(M, &mut ModuleOptimizer) -> M) {
        let model = self.model.take().expect(MODEL);
        self.model = Some(update(model, &mut self.setup.optimizer));
    }

    /// Hands out the chosen weights, and the last ones for Burn's own summary.
    pub(super) fn finish(
        mut self,
        result: Result<StopReason, TrainError>,
    ) -> (
        Result<Finished<M>, TrainError>,
        M,
        SupervisedTrainingEventProcessor<M>,
    ) {
        // Whatever ended the training, the checkpoints are on disk before anybody looks.
        let saved = self.saved();
        let finished = result.and_then(|reason| {
            saved?;
            self.setup.observers.ended(reason);
            let model = match reason {
                StopReason::Interrupted => self.model().valid(),
                _ => self.chosen()?,
            };
            self.setup.clock.finish()?;
            let valid = self.setup.seen.remove(&self.chosen_step());
            Ok(Finished {
                model,
                valid,
                reason,
                state: self.setup.state.clone(),
                cost: self.setup.cost(),
                steps: self.setup.done.steps,
            })
        });
        let last = self.model.take().expect(MODEL);
        (finished, last, self.processor)
    }
}

/// Whether something that happens every so many steps, or else epochs, happens now.
fn due(steps: Option<u64>, epochs: Option<u64>, state: &LoopState, epoch_ends: bool) -> bool {
    match steps {
        Some(every) => state.step.is_multiple_of(every),
        None => epoch_ends && (state.epoch + 1).is_multiple_of(epochs.unwrap_or(1)),
    }
}
