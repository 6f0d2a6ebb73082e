//! The linear warm-up that most schedules can begin with.

use crate::checks::Problems;

/// The three warm-up keys of a schedule's table.
#[derive(Clone, Copy)]
pub(super) struct Warmup {
    pub steps: u64,
    pub ratio: Option<f64>,
    pub from_zero: bool,
}

impl Warmup {
    /// The number of warm-up updates in a run of `total_steps`.
    pub fn length(self, total_steps: u64) -> u64 {
        match self.ratio {
            Some(ratio) => (ratio * total_steps as f64).ceil() as u64,
            None => self.steps,
        }
    }

    /// The learning rate of update `step` while warming up towards `peak`, or else how many
    /// updates ago the warm-up ended.
    pub fn at(self, peak: f64, step: u64, total_steps: u64) -> Result<f64, u64> {
        let length = self.length(total_steps);
        if step >= length {
            return Err(step - length);
        }
        Ok(match self.from_zero {
            true => peak * step as f64 / length as f64,
            false => peak * (step + 1) as f64 / (length + 1) as f64,
        })
    }

    pub fn validate(self, total_steps: Option<u64>) -> Vec<(String, String)> {
        let problems = Problems::default();
        let problems = match (self.ratio, total_steps) {
            (Some(ratio), _) => problems
                .check(
                    "warmup_ratio",
                    (0.0..=1.0).contains(&ratio),
                    "between 0 and 1",
                    ratio,
                )
                .check(
                    "warmup_steps",
                    self.steps == 0,
                    "left out when warmup_ratio is given",
                    self.steps,
                ),
            (None, Some(total)) => problems.check(
                "warmup_steps",
                self.steps <= total,
                &format!("at most the {total} steps of the run"),
                self.steps,
            ),
            (None, None) => problems,
        };
        problems.found()
    }
}

/// Gathers the warm-up keys of a configuration that has them.
macro_rules! warmup {
    ($config:expr) => {
        $crate::schedule::warmup::Warmup {
            steps: $config.warmup_steps,
            ratio: $config.warmup_ratio,
            from_zero: $config.warmup_from_zero,
        }
    };
}
pub(super) use warmup;
