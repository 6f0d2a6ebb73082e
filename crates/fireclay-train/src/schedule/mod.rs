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

use fireclay_config::{Variant, variant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod constant;
mod cosine;
mod exponential;
mod linear;
mod noam;
mod one_cycle;
mod plateau;
mod step;

mod warmup;

pub use constant::ConstantConfig;
pub use cosine::CosineConfig;
pub use exponential::ExponentialConfig;
pub use linear::LinearConfig;
pub use noam::NoamConfig;
pub use one_cycle::{Anneal, OneCycleConfig};
pub use plateau::{PlateauConfig, PlateauMode, PlateauState, ThresholdMode};
pub use step::{MultiStepConfig, StepConfig};

/// The learning rate schedule of a run: the table `[lr_scheduler]`, whose `type` names the
/// variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LrSchedulerConfig {
    /// The base learning rate throughout.
    Constant(ConstantConfig),
    /// Multiplied by a factor every so many updates.
    Step(StepConfig),
    /// Multiplied by a factor at given updates.
    #[serde(rename = "multistep")]
    MultiStep(MultiStepConfig),
    /// Multiplied by a factor at every update.
    Exponential(ExponentialConfig),
    /// A straight line down.
    Linear(LinearConfig),
    /// Half a cosine wave down.
    Cosine(CosineConfig),
    /// Up to the base learning rate, then down to almost nothing.
    OneCycle(OneCycleConfig),
    /// Up in a line, then down by the inverse square root of the step.
    Noam(NoamConfig),
    /// Multiplied by a factor whenever a metric stops improving.
    ReduceOnPlateau(PlateauConfig),
}

impl Default for LrSchedulerConfig {
    fn default() -> Self {
        Self::Constant(ConstantConfig::default())
    }
}

impl LrSchedulerConfig {
    /// How each `type` is read.
    pub fn variants() -> Vec<Variant<Self>> {
        vec![
            variant("constant", Self::Constant),
            variant("step", Self::Step),
            variant("multistep", Self::MultiStep),
            variant("exponential", Self::Exponential),
            variant("linear", Self::Linear),
            variant("cosine", Self::Cosine),
            variant("one_cycle", Self::OneCycle),
            variant("noam", Self::Noam),
            variant("reduce_on_plateau", Self::ReduceOnPlateau),
        ]
    }

    /// Every `type` and what it is, in the order in which they are listed to the user.
    pub const TYPES: &[(&str, &str)] = &[
        ("constant", "the base learning rate throughout"),
        ("step", "multiplied by gamma every step_size updates"),
        ("multistep", "multiplied by gamma at each milestone"),
        ("exponential", "multiplied by gamma at every update"),
        ("linear", "a straight line down"),
        (
            "cosine",
            "half a cosine wave down (Loshchilov and Hutter 2017)",
        ),
        ("one_cycle", "up, then down to almost nothing (Smith 2018)"),
        (
            "noam",
            "warm-up, then the inverse square root (Vaswani et al. 2017)",
        ),
        (
            "reduce_on_plateau",
            "multiplied by factor when a metric stops improving",
        ),
    ];

    /// The `type` that names this schedule in a configuration file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "constant",
            Self::Step(_) => "step",
            Self::MultiStep(_) => "multistep",
            Self::Exponential(_) => "exponential",
            Self::Linear(_) => "linear",
            Self::Cosine(_) => "cosine",
            Self::OneCycle(_) => "one_cycle",
            Self::Noam(_) => "noam",
            Self::ReduceOnPlateau(_) => "reduce_on_plateau",
        }
    }

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
        match self {
            Self::Constant(config) => config.learning_rate(base, step, total_steps),
            Self::Step(config) => config.learning_rate(base, step, total_steps),
            Self::MultiStep(config) => config.learning_rate(base, step, total_steps),
            Self::Exponential(config) => config.learning_rate(base, step, total_steps),
            Self::Linear(config) => config.learning_rate(base, step, total_steps),
            Self::Cosine(config) => config.learning_rate(base, step, total_steps),
            Self::OneCycle(config) => config.learning_rate(base, step, total_steps),
            Self::Noam(config) => config.learning_rate(base, step),
            Self::ReduceOnPlateau(config) => config.learning_rate(base, step, total_steps, plateau),
        }
    }

    /// The metric that must be given to [`report`](Self::report) after each evaluation, if any.
    pub fn monitor(&self) -> Option<&str> {
        match self {
            Self::ReduceOnPlateau(config) => Some(&config.monitor),
            _ => None,
        }
    }

    /// Takes note of the monitored metric; schedules without [`monitor`](Self::monitor) ignore it.
    pub fn report(&self, state: &mut PlateauState, metric: f64, higher_is_better: bool) {
        if let Self::ReduceOnPlateau(config) = self {
            config.report(state, metric, higher_is_better);
        }
    }

    /// Values that cannot be used, as (key inside the table, message); empty when all is well.
    ///
    /// Without `total_steps`, what depends on the length of the run is not checked.
    pub fn validate(&self, total_steps: Option<u64>) -> Vec<(String, String)> {
        match self {
            Self::Constant(config) => config.validate(total_steps),
            Self::Step(config) => config.validate(total_steps),
            Self::MultiStep(config) => config.validate(total_steps),
            Self::Exponential(config) => config.validate(total_steps),
            Self::Linear(config) => config.validate(total_steps),
            Self::Cosine(config) => config.validate(total_steps),
            Self::OneCycle(config) => config.validate(total_steps),
            Self::Noam(config) => config.validate(total_steps),
            Self::ReduceOnPlateau(config) => config.validate(total_steps),
        }
    }
}
