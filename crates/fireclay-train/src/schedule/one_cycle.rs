//! The one-cycle policy.

use std::f64::consts::PI;

use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warmup::ends_after;
use super::{PlateauState, Schedule};

/// Up to the base learning rate, then down to almost nothing, in one run (torch's `OneCycleLR` in
/// two phases).
///
/// The optimizer's learning rate is the peak. The momentum stays as it is: the policy's cycling of
/// it is not part of this schedule. [Smith 2018](https://arxiv.org/abs/1803.09820).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycleConfig {
    /// Part of the cycle in which the learning rate rises.
    pub rise: f64,
    /// The peak divided by the first learning rate.
    pub div_factor: f64,
    /// The first learning rate divided by the last.
    pub final_div_factor: f64,
    /// The form of both slopes.
    pub anneal: Anneal,
    /// Updates in the cycle; those of the run if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<u64>,
}

/// The form of a slope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// Half a cosine wave.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

impl Default for OneCycleConfig {
    fn default() -> Self {
        Self {
            rise: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            anneal: Anneal::Cosine,
            decay_steps: None,
        }
    }
}

impl Schedule for OneCycleConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, _: &PlateauState) -> f64 {
        let first = base / self.div_factor;
        let last = first / self.final_div_factor;
        let total = self.decay_steps.unwrap_or(total_steps) as f64;
        let (peak_at, end_at) = ((self.rise * total - 1.0).max(0.0), total - 1.0);
        let step = step as f64;
        if step >= end_at {
            last
        } else if step < peak_at {
            self.anneal.between(first, base, step / peak_at)
        } else {
            let down = (step - peak_at) / (end_at - peak_at);
            self.anneal.between(base, last, down)
        }
    }

    fn validate(&self, _: Option<u64>) -> Invalid {
        let mut problems = Problems::default();
        let rises = (0.0..=1.0).contains(&self.rise);
        problems.check("rise", rises, "between 0 and 1", self.rise);
        for (key, factor) in [
            ("div_factor", self.div_factor),
            ("final_div_factor", self.final_div_factor),
        ] {
            problems.check(
                key,
                factor >= 1.0 && factor.is_finite(),
                "1 or more",
                factor,
            );
        }
        ends_after(&mut problems, self.decay_steps, 0);
        problems.found()
    }
}

impl Anneal {
    fn between(self, start: f64, end: f64, part: f64) -> f64 {
        match self {
            Self::Cosine => end + (start - end) / 2.0 * (1.0 + (PI * part).cos()),
            Self::Linear => start + part * (end - start),
        }
    }
}
