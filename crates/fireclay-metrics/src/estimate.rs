//! A mean with its standard error.

use serde::{Deserialize, Serialize};

/// A number that was estimated from a sample, and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error; none of fewer than two values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
}

impl Estimate {
    /// The mean of some values, of which there is at least one. Its error is the deviation of the sample, with n - 1, by
    /// the root of n.
    pub fn mean(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - value).powi(2)).sum();
        let error = (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        (!values.is_empty()).then_some(Self { value, error })
    }

    /// The exponential of what is estimated, with the error that the slope there gives (the delta method).
    #[must_use]
    pub fn exp(self) -> Self {
        let value = self.value.exp();
        Self {
            value,
            error: self.error.map(|error| error * value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_a_sample() {
        let found = Estimate::mean(&[1.0, 0.0, 1.0, 1.0]).expect("values");
        assert_eq!(found.value, 0.75);
        assert!((found.error.expect("four") - 0.25).abs() < 1e-15);
        assert_eq!(Estimate::mean(&[2.0]).expect("one").error, None);
        assert_eq!(Estimate::mean(&[]), None);
        let power = found.exp();
        assert_eq!(power.error.map(|error| error / power.value), found.error);
    }
}
