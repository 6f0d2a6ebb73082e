//! Exponential decay.

use fireclay_config::{Invalid, Problems};

use super::warmup::{warmup, with_warmup};
use super::{PlateauState, Schedule};

with_warmup! {
    /// `base · gamma^t`, `t` counted from the end of the warm-up (torch's `ExponentialLR`).
    pub struct ExponentialConfig {
        /// Factor of every update.
        pub gamma: f64,
    }
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
