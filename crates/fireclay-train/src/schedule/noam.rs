//! The schedule of the Transformer paper.

use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warmup::fits;
use super::{PlateauState, Schedule};

/// Up in a line for `warmup_steps` updates, then down by the inverse square root of the step.
///
/// By default the optimizer's learning rate is the peak. With `d_model` it is the factor of the
/// paper's formula, `factor · d_model^-½ · min(s^-½, s · warmup_steps^-3⁄2)` with `s = t + 1`.
/// [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), section 5.3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoamConfig {
    /// Updates over which the learning rate rises.
    pub warmup_steps: u64,
    /// Width of the model, to read the learning rate as the paper's factor (usually 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_model: Option<u64>,
}

impl Default for NoamConfig {
    fn default() -> Self {
        Self {
            warmup_steps: 4000,
            d_model: None,
        }
    }
}

impl Schedule for NoamConfig {
    fn learning_rate(&self, base: f64, step: u64, _: u64, _: &PlateauState) -> f64 {
        let (s, warmup) = ((step + 1) as f64, self.warmup_steps as f64);
        let peak = match self.d_model {
            Some(width) => base * (width as f64 * warmup).powf(-0.5),
            None => base,
        };
        peak * (s / warmup).min((warmup / s).sqrt())
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        let mut problems = Problems::default();
        let warms_up = self.warmup_steps > 0;
        problems.check("warmup_steps", warms_up, "1 or more", self.warmup_steps);
        if let Some(total) = total_steps {
            fits(&mut problems, self.warmup_steps, total);
        }
        if let Some(width) = self.d_model {
            problems.check("d_model", width > 0, "1 or more", width);
        }
        problems.found()
    }
}
