//! Drops at regular or at given steps.

use fireclay_config::{Invalid, Problems};

use super::warmup::{warmup, with_warmup};
use super::{PlateauState, Schedule};

with_warmup! {
    /// `base · gamma^⌊t / step_size⌋`, `t` counted from the end of the warm-up (torch's `StepLR`).
    pub struct StepConfig {
        /// Updates between two drops.
        pub step_size: u64,
        /// Factor of each drop.
        #[serde(default = "tenth")]
        pub gamma: f64,
    }
}

with_warmup! {
    /// `base · gamma^n`, where `n` milestones are not after the update (torch's `MultiStepLR`).
    pub struct MultiStepConfig {
        /// Updates of the run, counted from 0 and warm-up included, from which the learning rate is
        /// lower; in rising order.
        pub milestones: Vec<u64>,
        /// Factor of each drop.
        #[serde(default = "tenth")]
        pub gamma: f64,
    }
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
