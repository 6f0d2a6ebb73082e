//! The checks of values that tables share.

use std::fmt::Display;
use std::mem;

/// Impossible values, as (dotted key inside the table, message).
pub type Invalid = Vec<(String, String)>;

/// Collects impossible values.
#[derive(Default)]
pub struct Problems(pub Invalid);

impl Problems {
    /// Reports `key`, whose name the message goes on from.
    pub fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.push((key.to_string(), message.into()));
    }

    /// Reports `key` unless `ok`; `wanted` continues "must be".
    pub fn check(&mut self, key: &str, ok: bool, wanted: &str, value: impl Display) -> &mut Self {
        if !ok {
            self.add(key, format!("must be {wanted}, but is {value}"));
        }
        self
    }

    /// The value must not be 0.
    pub fn at_least_one(&mut self, key: &str, value: Option<u64>) -> &mut Self {
        self.check(key, value != Some(0), "at least 1", 0)
    }

    /// The value must be a finite number above zero.
    pub fn positive(&mut self, key: &str, value: f64) -> &mut Self {
        let ok = value.is_finite() && value > 0.0;
        self.check(key, ok, "a number above 0", value)
    }

    /// The value must be a finite number that is zero or above.
    pub fn not_negative(&mut self, key: &str, value: f64) -> &mut Self {
        let ok = value.is_finite() && value >= 0.0;
        self.check(key, ok, "0 or a number above it", value)
    }

    /// The value must be in `[0, 1)`, as the weight of the past in an average is.
    pub fn below_one(&mut self, key: &str, value: f64) -> &mut Self {
        let ok = (0.0..1.0).contains(&value);
        self.check(key, ok, "at least 0 and below 1", value)
    }

    /// Both members of a pair must be in `[0, 1)`.
    pub fn betas(&mut self, key: &str, (first, second): (f64, f64)) -> &mut Self {
        let ok = [first, second].iter().all(|beta| (0.0..1.0).contains(beta));
        let value = format!("[{first}, {second}]");
        self.check(key, ok, "two numbers, each at least 0 and below 1", value)
    }

    /// The value must be a factor that lowers, in `(0, 1]`.
    pub fn factor(&mut self, key: &str, value: f64) -> &mut Self {
        let ok = value > 0.0 && value <= 1.0;
        self.check(key, ok, "above 0 and at most 1", value)
    }

    /// With the problems of a part of the table.
    pub fn extend(&mut self, problems: Invalid) -> &mut Self {
        self.0.extend(problems);
        self
    }

    /// What was collected.
    pub fn found(&mut self) -> Invalid {
        mem::take(&mut self.0)
    }
}
