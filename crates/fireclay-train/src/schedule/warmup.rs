//! The linear warm-up that most schedules can begin with, and the decay to a floor after it.

use fireclay_config::{Invalid, Problems};

/// The three warm-up keys of a schedule's table.
#[derive(Clone, Copy)]
pub(super) struct Warmup {
    pub steps: u64,
    pub ratio: Option<f64>,
    pub from_zero: bool,
}

impl Warmup {
    /// The number of warm-up updates in a run of `total_steps`.
    fn length(self, total_steps: u64) -> u64 {
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

    pub fn validate(self, total_steps: Option<u64>) -> Invalid {
        let mut problems = Problems::default();
        if let Some(ratio) = self.ratio {
            let (ok, alone) = (
                (0.0..=1.0).contains(&ratio),
                "left out when warmup_ratio is given",
            );
            problems.check("warmup_ratio", ok, "between 0 and 1", ratio);
            problems.check("warmup_steps", self.steps == 0, alone, self.steps);
        } else if let Some(total) = total_steps {
            fits(&mut problems, self.steps, total);
        }
        problems.found()
    }
}

/// Reports a warm-up that is longer than the run.
pub(super) fn fits(problems: &mut Problems, warmup_steps: u64, total: u64) {
    let wanted = format!("at most the {total} steps of the run");
    problems.check("warmup_steps", warmup_steps <= total, &wanted, warmup_steps);
}

/// The keys of a schedule that decays to a floor.
pub(super) struct Decay {
    pub warmup: Warmup,
    pub floor: f64,
    pub steps: Option<u64>,
}

impl Decay {
    /// The learning rate of update `step`. Between the warm-up and the floor, `form` gives how far it
    /// is above the floor, from how far the base is, how many updates ago the warm-up ended and how
    /// many the decay takes.
    pub fn at(
        &self,
        base: f64,
        step: u64,
        total_steps: u64,
        form: impl Fn(f64, f64, f64) -> f64,
    ) -> f64 {
        let after = match self.warmup.at(base, step, total_steps) {
            Ok(rate) => return rate,
            Err(after) => after as f64,
        };
        let end = self.steps.unwrap_or(total_steps);
        if step >= end {
            return self.floor;
        }
        let span = (end - self.warmup.length(total_steps)) as f64;
        self.floor + form(base - self.floor, after, span)
    }

    pub fn validate(&self, total_steps: Option<u64>) -> Invalid {
        let mut problems = Problems::default();
        problems.not_negative("min_learning_rate", self.floor);
        let warmup = self.warmup.length(total_steps.unwrap_or(0));
        ends_after(&mut problems, self.steps, warmup);
        problems.extend(self.warmup.validate(total_steps)).found()
    }
}

/// Reports a decay that does not end after the warm-up.
pub(super) fn ends_after(problems: &mut Problems, decay_steps: Option<u64>, warmup: u64) {
    let wanted = format!("above the {warmup} warm-up steps, which it includes");
    if let Some(steps) = decay_steps {
        problems.check("decay_steps", steps > warmup, &wanted, steps);
    }
}

/// Defines the table of a schedule, its warm-up keys after the keys of its own.
macro_rules! with_warmup {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$key_meta:meta])* pub $key:ident: $type:ty,)*
    }) => {
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$key_meta])* pub $key: $type,)*
            /// Updates over which the learning rate rises to its full value.
            #[serde(default)]
            pub warmup_steps: u64,
            /// The same as a part of all updates of the run; instead of `warmup_steps`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub warmup_ratio: Option<f64>,
            /// Give the first update a learning rate of 0, as Hugging Face's schedules do.
            #[serde(default)]
            pub warmup_from_zero: bool,
        }
    };
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

/// Gathers the warm-up and decay keys of a configuration that has them.
macro_rules! decay {
    ($config:expr) => {
        $crate::schedule::warmup::Decay {
            warmup: $crate::schedule::warmup::warmup!($config),
            floor: $config.min_learning_rate,
            steps: $config.decay_steps,
        }
    };
}

pub(super) use {decay, warmup, with_warmup};
