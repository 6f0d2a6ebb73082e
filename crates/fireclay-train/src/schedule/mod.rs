//! Learning rate schedules.
//!
//! A schedule is a pure function of the base learning rate, the number of the update (from 0) and
//! the number of updates in the run, so that a resumed run needs nothing but the step. The one
//! exception, [`PlateauConfig`], reads what the metrics did from a [`PlateauState`] that is saved
//! in the checkpoint. Steps are optimizer updates, not epochs or micro-batches.
//!
//! Where there is a warm-up, update `t` of the first `w` updates uses `(t + 1)/(w + 1)` of the
//! base learning rate, so that the first update already does something (nanoGPT's convention);
//! with `warmup_from_zero` it uses `t/w` and the first update changes nothing (the Hugging Face
//! one). Decays count from the end of the warm-up.

use fireclay_config::Invalid;

mod constant;
mod cosine;
mod exponential;
mod linear;
mod noam;
mod one_cycle;
mod plateau;
mod step;

mod warmup;

pub use one_cycle::Anneal;
pub use plateau::{PlateauMode, PlateauState, ThresholdMode};

use crate::registry::registry;

registry! {
    /// The learning rate schedule of a run: the table `[lr_scheduler]`, whose `type` names the
    /// variant.
    LrSchedulerConfig of Schedule {
        constant::Constant(ConstantConfig) = "constant", "the base learning rate throughout";
        step::Step(StepConfig) = "step", "multiplied by gamma every step_size updates";
        step::MultiStep(MultiStepConfig) = "multistep", "multiplied by gamma at each milestone";
        exponential::Exponential(ExponentialConfig) = "exponential", "multiplied by gamma at every update";
        linear::Linear(LinearConfig) = "linear", "a straight line down";
        cosine::Cosine(CosineConfig) = "cosine", "half a cosine wave down (Loshchilov and Hutter 2017)";
        one_cycle::OneCycle(OneCycleConfig) = "one_cycle", "up, then down to almost nothing (Smith 2018)";
        noam::Noam(NoamConfig) = "noam", "warm-up, then the inverse square root (Vaswani et al. 2017)";
        plateau::ReduceOnPlateau(PlateauConfig) = "reduce_on_plateau", "multiplied by factor when a metric stops improving";
    }
}

/// What a schedule's file says of its table.
trait Schedule {
    /// The learning rate of update number `step`, from 0.
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64;

    /// Values that cannot be used, as (key inside the table, message).
    fn validate(&self, total_steps: Option<u64>) -> Invalid;

    /// The schedule as one that watches a metric, if it does.
    fn plateau(&self) -> Option<&PlateauConfig> {
        None
    }
}

impl Default for LrSchedulerConfig {
    fn default() -> Self {
        Self::Constant(ConstantConfig::default())
    }
}

impl LrSchedulerConfig {
    /// The learning rate of update number `step`, the first being 0.
    ///
    /// `base` is the optimizer's learning rate and `total_steps` the number of updates in the run;
    /// `plateau` matters to `reduce_on_plateau` only.
    pub fn learning_rate(
        &self,
        base: f64,
        step: u64,
        total_steps: u64,
        plateau: &PlateauState,
    ) -> f64 {
        self.table().learning_rate(base, step, total_steps, plateau)
    }

    /// The metric that must be given to [`report`](Self::report) after each evaluation, if any.
    pub fn monitor(&self) -> Option<&str> {
        Some(&self.table().plateau()?.monitor)
    }

    /// Takes note of the monitored metric; schedules without [`monitor`](Self::monitor) ignore it.
    pub fn report(&self, state: &mut PlateauState, metric: f64, higher_is_better: bool) {
        if let Some(config) = self.table().plateau() {
            config.report(state, metric, higher_is_better);
        }
    }

    /// Values that cannot be used, as (key inside the table, message); empty when all is well.
    ///
    /// Without `total_steps`, what depends on the length of the run is not checked.
    pub fn validate(&self, total_steps: Option<u64>) -> Invalid {
        self.table().validate(total_steps)
    }
}
