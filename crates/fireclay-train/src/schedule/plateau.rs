//! Lower the learning rate when a metric stops improving.

use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Schedule;
use super::warmup::{warmup, with_warmup};

with_warmup! {
    /// Multiplies the learning rate by `factor` when the monitored metric has not improved for more
    /// than `patience` evaluations (torch's `ReduceLROnPlateau`, without its `eps`).
    #[serde(default)]
    pub struct PlateauConfig {
        /// The metric to watch.
        pub monitor: String,
        /// Whether lower or higher is better; known from the metric if left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mode: Option<PlateauMode>,
        /// Factor of each reduction.
        pub factor: f64,
        /// Evaluations without improvement that are put up with.
        pub patience: u64,
        /// How much better than the best a value must be to count as an improvement.
        pub threshold: f64,
        /// Whether the threshold is a part of the best value or a difference from it.
        pub threshold_mode: ThresholdMode,
        /// Evaluations after a reduction in which nothing counts as bad.
        pub cooldown: u64,
        /// The learning rate is never reduced below this.
        pub min_learning_rate: f64,
    }
}

/// Which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlateauMode {
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

/// How a threshold is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// As a part of the best value so far.
    #[default]
    Rel,
    /// As a difference from the best value so far.
    Abs,
}

/// What [`PlateauConfig`] remembers of the metrics reported so far; part of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlateauState {
    /// The best value so far.
    pub best: Option<f64>,
    /// Evaluations without improvement since the last one or since the last reduction.
    pub bad: u64,
    /// Evaluations left in which nothing counts as bad.
    pub cooldown: u64,
    /// Reductions so far.
    pub reductions: u64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        Self {
            monitor: "valid/loss".to_owned(),
            mode: None,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_learning_rate: 0.0,
            warmup_steps: 0,
            warmup_ratio: None,
            warmup_from_zero: false,
        }
    }
}

impl Schedule for PlateauConfig {
    fn learning_rate(&self, base: f64, step: u64, total_steps: u64, state: &PlateauState) -> f64 {
        let reduced = base * self.factor.powf(state.reductions as f64);
        // A base below the floor is left alone rather than raised to it.
        let peak = reduced.max(self.min_learning_rate.min(base));
        warmup!(self).at(peak, step, total_steps).unwrap_or(peak)
    }

    fn validate(&self, total_steps: Option<u64>) -> Invalid {
        let is_named = !self.monitor.is_empty();
        let factor = self.factor > 0.0 && self.factor < 1.0;
        Problems::default()
            .check("monitor", is_named, "the name of a metric", "empty")
            .check("factor", factor, "above 0 and below 1", self.factor)
            .not_negative("threshold", self.threshold)
            .not_negative("min_learning_rate", self.min_learning_rate)
            .extend(warmup!(self).validate(total_steps))
            .found()
    }

    fn plateau(&self) -> Option<&PlateauConfig> {
        Some(self)
    }
}

impl PlateauConfig {
    /// Takes note of the metric of one evaluation; what is not finite is no improvement.
    pub(super) fn report(&self, state: &mut PlateauState, metric: f64, higher_is_better: bool) {
        let higher = match self.mode {
            Some(mode) => mode == PlateauMode::Max,
            None => higher_is_better,
        };
        if self.improves(metric, state.best, higher) {
            state.best = Some(metric);
            state.bad = 0;
        } else {
            state.bad += 1;
        }
        if state.cooldown > 0 {
            state.cooldown -= 1;
            state.bad = 0;
        }
        if state.bad > self.patience {
            state.reductions += 1;
            state.cooldown = self.cooldown;
            state.bad = 0;
        }
    }

    fn improves(&self, metric: f64, best: Option<f64>, higher: bool) -> bool {
        let Some(best) = best else {
            return metric.is_finite();
        };
        let margin = match self.threshold_mode {
            ThresholdMode::Rel => best * self.threshold,
            ThresholdMode::Abs => self.threshold,
        };
        match higher {
            true => metric > best + margin,
            false => metric < best - margin,
        }
    }
}
