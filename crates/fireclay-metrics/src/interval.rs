//! How sure a metric of a split is: its 95 % interval.

use serde::{Deserialize, Serialize};

use crate::{DEFAULT_RESAMPLES, INTERVAL_LEVEL, bootstrap_interval};

/// A 95 % interval of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Name of the metric.
    pub metric: String,
    /// Coverage, 0.95.
    pub level: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// How it was computed.
    #[serde(default)]
    pub method: IntervalMethod,
}

/// How an interval is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// See [`bootstrap_interval`].
    #[default]
    Bootstrap,
    /// See [`wilson_interval`].
    Wilson,
}

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// 95 % score interval of a share of `hits` among `n` (Wilson 1927); `None` without any. It has a
/// width where all or none are hits, and every resample of a bootstrap would be the same.
///
/// # Panics
///
/// If there are more hits than `n`.
pub fn wilson_interval(hits: usize, n: usize) -> Option<(f64, f64)> {
    assert!(hits <= n, "{hits} hits among {n}");
    if n == 0 {
        return None;
    }
    let (share, rows) = (hits as f64 / n as f64, n as f64);
    let scale = 1.0 + Z * Z / rows;
    let middle = (share + Z * Z / (2.0 * rows)) / scale;
    let half = Z / scale * (share * (1.0 - share) / rows + (Z / (2.0 * rows)).powi(2)).sqrt();
    // Exact at the edges, where rounding would leave a little.
    let low = if hits == 0 { 0.0 } else { middle - half };
    let high = if hits == n { 1.0 } else { middle + half };
    Some((low, high))
}

/// Interval of a share: `hits` has 1 for each row that is right, and 0 for the others.
pub(crate) fn of_share(metric: &str, seed: u64, hits: &[f64]) -> Option<Interval> {
    let right = hits.iter().filter(|hit| **hit > 0.0).count();
    if right > 0 && right < hits.len() {
        return of_mean(metric, seed, hits, |mean| mean);
    }
    let (low, high) = wilson_interval(right, hits.len())?;
    Some(Interval {
        metric: metric.to_owned(),
        level: INTERVAL_LEVEL,
        low,
        high,
        method: IntervalMethod::Wilson,
    })
}

/// Bootstrap interval of a function of the mean over rows: a resample costs no more than summing it.
/// `None` where the rows do not vary, so that no resample does.
pub(crate) fn of_mean(
    metric: &str,
    seed: u64,
    values: &[f64],
    of_mean: impl Fn(f64) -> f64 + Sync,
) -> Option<Interval> {
    if values.iter().all(|value| *value == values[0]) {
        return None;
    }
    let n = values.len();
    let statistic = |rows: &[usize]| {
        let sum: f64 = rows.iter().map(|&row| values[row]).sum();
        Some(of_mean(sum / n as f64))
    };
    let (low, high) = bootstrap_interval(n, seed, DEFAULT_RESAMPLES, statistic)?;
    // Squares of huge errors overflow; JSON has no infinity.
    (low.is_finite() && high.is_finite()).then(|| Interval {
        metric: metric.to_owned(),
        level: INTERVAL_LEVEL,
        low,
        high,
        method: IntervalMethod::Bootstrap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_is_the_published_one() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29, to four digits.
        let published = [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ];
        for (hits, n, low, high) in published {
            let found = wilson_interval(hits, n).expect("rows");
            assert!((found.0 - low).abs() < 5e-5, "{found:?}");
            assert!((found.1 - high).abs() < 5e-5, "{found:?}");
        }
        assert_eq!(wilson_interval(0, 0), None);
    }

    #[test]
    fn all_right_is_no_certainty() {
        let interval = of_share("accuracy", 1, &[1.0; 51]).expect("rows");
        // n / (n + z²)
        assert!((interval.low - 51.0 / (51.0 + Z * Z)).abs() < 1e-12);
        assert_eq!(
            (interval.high, interval.method),
            (1.0, IntervalMethod::Wilson)
        );
        let none = of_share("accuracy", 1, &[0.0; 51]).expect("rows");
        assert!((none.high - (1.0 - interval.low)).abs() < 1e-12);
        assert_eq!(none.low, 0.0);
        assert!(of_share("accuracy", 1, &[]).is_none());
    }

    #[test]
    fn errors_that_are_all_alike_have_no_interval() {
        assert!(of_mean("rmse", 1, &[4.0; 9], f64::sqrt).is_none());
        assert!(of_mean("rmse", 1, &[4.0], f64::sqrt).is_none());
        assert!(of_mean("rmse", 1, &[], f64::sqrt).is_none());
        assert!(of_mean("rmse", 1, &[4.0, 1.0], f64::sqrt).is_some());
    }
}
