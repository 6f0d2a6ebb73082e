//! Cosine decay.

use std::f64::consts::PI;

use fireclay_config::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warmup::decay;
use super::{PlateauState, Schedule};

/// Half a cosine wave from the base learning rate at the end of the warm-up to the floor at
/// `decay_steps`, without restarts.
///
/// [Loshchilov and Hutter 2017](https://arxiv.org/abs/1608.03983); with a warm-up it is nanoGPT's
/// schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CosineConfig {
    /// Where the decay ends and what stays afterwards.
    pub min_learning_rate: f64,
    /// The update, counted from 0 and warm-up included, at which the floor is reached; the end of
    /// the run if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<u64>,
    /// Updates over which the learning rate rises to its full value.
    pub warmup_steps: u64,
    /// The same as a part of all updates of the run; instead of `warmup_steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// Give the first update a learning rate of 0, as Hugging Face's schedules do.
    pub warmup_from_zero: bool,
}

impl Schedule for CosineConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        decay!(self).at(base, step, total_steps, |above, after, span| {
            0.5 * (1.0 + (PI * after / span).cos()) * above
        })
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        decay!(self).validate(total_steps)
    }
}
