//! Whether two models differ on the same rows.

use crate::{DEFAULT_RESAMPLES, bootstrap_interval};

/// The difference of two means over the same rows, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The second minus the first.
    pub difference: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Paired {
    /// Whether the interval leaves 0 out: the difference is more than these rows happen to give.
    pub fn is_real(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// Paired bootstrap (Efron and Tibshirani 1993, section 8; Koehn 2004): each resample draws rows, and
/// takes both models' values of them. `first` and `second` are `[n]`, a value for each row; `metric`
/// makes a metric of their mean, such as the root for an RMSE. `None` without rows.
///
/// # Panics
///
/// If the lengths differ.
pub fn paired_bootstrap(
    first: &[f64],
    second: &[f64],
    seed: u64,
    metric: impl Fn(f64) -> f64 + Sync,
) -> Option<Paired> {
    assert_eq!(first.len(), second.len(), "the same rows");
    let n = first.len();
    let difference = |rows: &mut dyn Iterator<Item = usize>| {
        let mut sums = [0.0; 2];
        for row in rows {
            sums[0] += first[row];
            sums[1] += second[row];
        }
        metric(sums[1] / n as f64) - metric(sums[0] / n as f64)
    };
    let of_rows = |rows: &[usize]| Some(difference(&mut rows.iter().copied()));
    let (low, high) = bootstrap_interval(n, seed, DEFAULT_RESAMPLES, of_rows)?;
    Some(Paired {
        difference: difference(&mut (0..n)),
        low,
        high,
    })
}
