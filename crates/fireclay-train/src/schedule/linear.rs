//! Linear decay.

use fireclay_config::Invalid;

use super::warmup::{decay, with_warmup};
use super::{PlateauState, Schedule};

with_warmup! {
    /// A straight line from the base learning rate at the end of the warm-up to the floor at
    /// `decay_steps` (torch's `LinearLR`; transformers' `get_linear_schedule_with_warmup` when
    /// `warmup_from_zero` is set).
    #[derive(Default)]
    #[serde(default)]
    pub struct LinearConfig {
        /// Where the decay ends and what stays afterwards.
        pub min_learning_rate: f64,
        /// The update, counted from 0 and warm-up included, at which the floor is reached; the end of
        /// the run if left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub decay_steps: Option<u64>,
    }
}

impl Schedule for LinearConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        decay!(self).at(base, step, total_steps, |above, after, span| {
            above * (span - after) / span
        })
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        decay!(self).validate(total_steps)
    }
}
