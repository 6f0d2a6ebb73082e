//! The same learning rate throughout.

use fireclay_config::Invalid;

use super::warmup::{warmup, with_warmup};
use super::{PlateauState, Schedule};

with_warmup! {
    /// The base learning rate throughout, after a warm-up if asked.
    #[derive(Default)]
    #[serde(default)]
    pub struct ConstantConfig {
    }
}

impl Schedule for ConstantConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        warmup!(self).at(base, step, total_steps).unwrap_or(base)
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        warmup!(self).validate(total_steps)
    }
}
