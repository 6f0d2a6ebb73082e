//! Exponential decay.

use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warmup::warmup;
use super::{PlateauState, Schedule};

/// `base · gamma^t`, `t` counted from the end of the warm-up (torch's `ExponentialLR`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExponentialConfig {
    /// Factor of every update.
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

impl Schedule for ExponentialConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        match warmup!(self).at(base, step, total_steps) {
            Ok(rate) => rate,
            Err(after) => base * self.gamma.powf(after as f64),
        }
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        Problems::default()
            .factor("gamma", self.gamma)
            .extend(warmup!(self).validate(total_steps))
            .found()
    }
}
