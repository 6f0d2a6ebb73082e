//! Drops at regular or at given steps.

use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warmup::warmup;
use super::{PlateauState, Schedule};

/// `base · gamma^⌊t / step_size⌋`, `t` counted from the end of the warm-up (torch's `StepLR`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// Updates between two drops.
    pub step_size: u64,
    /// Factor of each drop.
    #[serde(default = "tenth")]
    pub gamma: f64,
    /// Updates over which the learning rate rises to its full value.
    #[serde(default)]
    pub warmup_steps: u64,
    /// The same as a part of all updates of the run; instead of `warmup_steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// Give the first update a learning rate of 0, as Hugging Face's schedules do.
    #[serde(default)]
    pub warmup_from_zero: bool,
}

/// `base · gamma^n`, where `n` milestones are not after the update (torch's `MultiStepLR`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiStepConfig {
    /// Updates of the run, counted from 0 and warm-up included, from which the learning rate is
    /// lower; in rising order.
    pub milestones: Vec<u64>,
    /// Factor of each drop.
    #[serde(default = "tenth")]
    pub gamma: f64,
    /// Updates over which the learning rate rises to its full value.
    #[serde(default)]
    pub warmup_steps: u64,
    /// The same as a part of all updates of the run; instead of `warmup_steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// Give the first update a learning rate of 0, as Hugging Face's schedules do.
    #[serde(default)]
    pub warmup_from_zero: bool,
}

impl Schedule for StepConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        match warmup!(self).at(base, step, total_steps) {
            Ok(rate) => rate,
            Err(after) => base * self.gamma.powf((after / self.step_size) as f64),
        }
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        Problems::default()
            .check("step_size", self.step_size > 0, "1 or more", self.step_size)
            .factor("gamma", self.gamma)
            .extend(warmup!(self).validate(total_steps))
            .found()
    }
}

impl Schedule for MultiStepConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        let passed = self.milestones.iter().filter(|&&at| at <= step).count();
        let peak = base * self.gamma.powf(passed as f64);
        warmup!(self).at(peak, step, total_steps).unwrap_or(peak)
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        let rising = self.milestones.is_sorted_by(|a, b| a < b) && !self.milestones.is_empty();
        Problems::default()
            .check(
                "milestones",
                rising,
                "one or more rising step numbers",
                format!("{:?}", self.milestones),
            )
            .factor("gamma", self.gamma)
            .extend(warmup!(self).validate(total_steps))
            .found()
    }
}

fn tenth() -> f64 {
    0.1
}
