//! The same learning rate throughout.

use fireclay_config::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warmup::warmup;
use super::{PlateauState, Schedule};

/// The base learning rate throughout, after a warm-up if asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConstantConfig {
    /// Updates over which the learning rate rises to its full value.
    pub warmup_steps: u64,
    /// The same as a part of all updates of the run; instead of `warmup_steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// Give the first update a learning rate of 0, as Hugging Face's schedules do.
    pub warmup_from_zero: bool,
}

impl Schedule for ConstantConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        warmup!(self).at(base, step, total_steps).unwrap_or(base)
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        warmup!(self).validate(total_steps)
    }
}
