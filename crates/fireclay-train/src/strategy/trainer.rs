//! What a training is told before it starts.

use std::sync::Arc;

use burn::tensor::Device;
use burn::train::renderer::MetricsRenderer;
use burn::train::{InferenceStep, Interrupter, LearnerModel, SupervisedTraining, TrainStep};
use serde_json::Value;

use super::Trainable;
use super::change::Change;
use super::config::TrainerConfig;
use super::evaluation::{MeanLoss, More, Scorer};
use super::saving::Resume;
use crate::checkpoint::Fingerprints;
use crate::cluster::{Alone, Exchange};
use crate::cost::Cost;
use crate::loader::Samples;
use crate::observer::Observer;
use crate::renderer::NoRenderer;

/// Trains any Burn `LearnerModel` on any [`Samples`], with checkpoints and exact resume.
pub struct Trainer<M: LearnerModel, S: Samples> {
    pub(super) model: M,
    pub(super) train: Arc<S>,
    pub(super) valid: Arc<S>,
    pub(super) config: TrainerConfig,
    pub(super) device: Device,
    pub(super) parts: Fingerprints,
    pub(super) rates: Vec<f64>,
    pub(super) keeps_frozen: bool,
    pub(super) resume: Resume,
    pub(super) interrupter: Interrupter,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) renderer: Box<dyn MetricsRenderer>,
    pub(super) shown: bool,
    pub(super) profile: bool,
    pub(super) exchange: Box<dyn Exchange>,
    pub(super) scorer: Box<dyn Scorer<<M as InferenceStep>::Output>>,
    pub(super) more: Option<More<M>>,
    pub(super) learner: Box<dyn FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>>,
}

impl<M, S> Trainer<M, S>
where
    M: Trainable + TrainStep<Input = S::Batch> + InferenceStep<Input = S::Batch>,
    S: Samples,
{
    /// Trains `model` on `train` and evaluates it on `valid`, on `device`, as `config` says.
    pub fn new(model: M, train: S, valid: S, config: TrainerConfig, device: Device) -> Self {
        Self {
            model,
            train: Arc::new(train),
            valid: Arc::new(valid),
            config,
            device,
            parts: Fingerprints::new(),
            rates: Vec::new(),
            keeps_frozen: true,
            resume: Resume::default(),
            interrupter: Interrupter::new(),
            observers: Vec::new(),
            renderer: Box::new(NoRenderer),
            shown: false,
            profile: false,
            exchange: Box::new(Alone),
            scorer: Box::new(MeanLoss::default()),
            more: None,
            learner: Box::new(|training| training),
        }
    }

    /// Names a part of the run that must be the same on resume: its model, its data.
    #[must_use]
    pub fn part(mut self, name: &str, value: Value) -> Self {
        self.parts.insert(name.into(), value);
        self
    }

    /// How fast each float tensor of the model moves, in visiting order, relative to the learning
    /// rate; 0 freezes it. Default: all alike.
    #[must_use]
    pub fn rates(mut self, rates: Vec<f64>) -> Self {
        self.rates = rates;
        self
    }

    /// Leaves what is frozen out of the checkpoints: it is kept elsewhere, and whoever resumes has
    /// put it into the model. Name it as a [`part`](Self::part), so that it is the same.
    #[must_use]
    pub fn without_frozen(mut self) -> Self {
        self.keeps_frozen = false;
        self
    }

    /// Says what was changed on purpose since the run began. [`resume`](Self::resume) refuses every other
    /// difference from the checkpoint. After a change the run has other bits than one that was never
    /// interrupted.
    #[must_use]
    pub fn changed(mut self, changes: Vec<Change>) -> Self {
        self.resume.changes = changes;
        self
    }

    /// Goes back to the checkpoint of this step, and forgets those after it. Default: the newest whole one.
    #[must_use]
    pub fn back_to(mut self, step: Option<u64>) -> Self {
        self.resume.at = step;
        self
    }

    /// Says what the run had cost when it ended, if it has: whoever goes on from there adds to it. What it had cost
    /// by an earlier checkpoint is in its record.
    #[must_use]
    pub fn having_cost(mut self, cost: Option<Cost>) -> Self {
        self.resume.cost = cost;
        self
    }

    /// Who watches too. Default: nobody.
    #[must_use]
    pub fn observer(mut self, observer: Box<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// How the validation split is scored. Default: [`MeanLoss`].
    #[must_use]
    pub fn scorer(mut self, scorer: impl Scorer<<M as InferenceStep>::Output> + 'static) -> Self {
        self.scorer = Box::new(scorer);
        self
    }

    /// More metrics of each evaluation, which take the model itself rather than its outputs.
    #[must_use]
    pub fn also(mut self, more: Option<More<M>>) -> Self {
        self.more = more;
        self
    }

    /// The handle that stops the training: it finishes its update, saves, and ends as
    /// [`StopReason::Interrupted`](crate::StopReason::Interrupted).
    #[must_use]
    pub fn interrupter(mut self, interrupter: Interrupter) -> Self {
        self.interrupter = interrupter;
        self
    }

    /// Shows Burn's metrics, as `register` adds them, on one of its renderers, such as the dashboard.
    /// Default: none, and then no batch goes the way through Burn's event processor.
    #[must_use]
    pub fn show(
        mut self,
        renderer: Box<dyn MetricsRenderer>,
        register: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M> + 'static,
    ) -> Self {
        self.renderer = renderer;
        self.learner = Box::new(register);
        self.shown = true;
        self
    }

    /// How this process talks to those that train with it; then [`TrainerConfig::cluster`] is there, and the number
    /// of processes divides its parts. All of them begin alike, each with a folder of its own, of which that of the
    /// first is the run's. Default: it is [`Alone`].
    #[must_use]
    pub fn together(mut self, exchange: Box<dyn Exchange>) -> Self {
        self.exchange = exchange;
        self
    }

    /// Writes a trace of what each step spent its time on, `trace.json` in the run's folder, which
    /// Perfetto opens. Default: none.
    #[must_use]
    pub fn profile(mut self, profile: bool) -> Self {
        self.profile = profile;
        self
    }
}
