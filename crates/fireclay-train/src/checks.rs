//! The checks that the configurations of optimizers and schedules share.

use std::fmt::Display;

/// The impossible values found in one table.
#[derive(Default)]
pub(crate) struct Problems(Vec<(String, String)>);

impl Problems {
    /// Reports `key` unless `ok`; `wanted` continues "must be".
    pub fn check(mut self, key: &str, ok: bool, wanted: &str, value: impl Display) -> Self {
        if !ok {
            let message = format!("must be {wanted}, but is {value}");
            self.0.push((key.to_owned(), message));
        }
        self
    }

    /// The value must be a finite number above zero.
    pub fn positive(self, key: &str, value: f64) -> Self {
        let ok = value.is_finite() && value > 0.0;
        self.check(key, ok, "a number above 0", value)
    }

    /// The value must be a finite number that is zero or above.
    pub fn not_negative(self, key: &str, value: f64) -> Self {
        let ok = value.is_finite() && value >= 0.0;
        self.check(key, ok, "0 or a number above it", value)
    }

    /// The value must be in `[0, 1)`, as the weight of the past in an average is.
    pub fn below_one(self, key: &str, value: f64) -> Self {
        let ok = (0.0..1.0).contains(&value);
        self.check(key, ok, "at least 0 and below 1", value)
    }

    /// Both members of a pair must be in `[0, 1)`.
    pub fn betas(self, key: &str, (first, second): (f64, f64)) -> Self {
        let ok = [first, second].iter().all(|beta| (0.0..1.0).contains(beta));
        let value = format!("[{first}, {second}]");
        self.check(key, ok, "two numbers, each at least 0 and below 1", value)
    }

    /// A factor that lowers the learning rate.
    pub fn factor(self, key: &str, value: f64) -> Self {
        let ok = value > 0.0 && value <= 1.0;
        self.check(key, ok, "above 0 and at most 1", value)
    }

    /// A decay must end after the warm-up.
    pub fn decay_steps(self, decay_steps: Option<u64>, warmup: u64) -> Self {
        let Some(steps) = decay_steps else {
            return self;
        };
        let wanted = format!("above the {warmup} warm-up steps, which it includes");
        self.check("decay_steps", steps > warmup, &wanted, steps)
    }

    pub fn extend(mut self, problems: Vec<(String, String)>) -> Self {
        self.0.extend(problems);
        self
    }

    pub fn found(self) -> Vec<(String, String)> {
        self.0
    }
}
