//! How much a metric would vary over other splits of the same size.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rayon::prelude::*;

/// Number of resamples that [`bootstrap_interval`] is usually asked for.
pub const DEFAULT_RESAMPLES: usize = 1000;

/// Coverage of the interval of [`bootstrap_interval`].
pub const INTERVAL_LEVEL: f64 = 0.95;

/// 95 % percentile bootstrap interval of a statistic (Efron 1979; Efron and Tibshirani 1993,
/// section 13.3).
///
/// `statistic` is given the row numbers of a resample: `n` of `0..n`, drawn with replacement. It
/// answers `None` where the resample leaves it undefined, and that resample does not count. The
/// bounds are the 2.5 % and 97.5 % quantiles, linearly interpolated, of what remains; `None` if
/// nothing does. Each resample is a pure function of (`seed`, its number).
pub fn bootstrap_interval(
    n: usize,
    seed: u64,
    resamples: usize,
    statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let values = (0..resamples as u64).into_par_iter().map_init(
        || vec![0; n],
        |rows, resample| {
            draw(rows, seed, resample);
            statistic(rows)
        },
    );
    let mut values: Vec<f64> = values.flatten().collect();
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - INTERVAL_LEVEL) / 2.0;
    Some((quantile(&values, tail)?, quantile(&values, 1.0 - tail)?))
}

fn draw(rows: &mut [usize], seed: u64, resample: u64) {
    let mut rng = stream(seed, resample);
    let n = rows.len();
    rows.fill_with(|| rng.random_range(0..n));
}

/// The random numbers of one resample.
pub(crate) fn stream(seed: u64, resample: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(key(seed));
    rng.set_stream(resample);
    rng
}

/// The purpose is part of the key, so that no other use of the same seed draws the same numbers.
fn key(seed: u64) -> [u8; 32] {
    let mut key = *b"--------bootstrap of the metrics";
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key
}

pub(crate) fn quantile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let position = fraction * sorted.len().checked_sub(1)? as f64;
    let lower = sorted[position.floor() as usize];
    let upper = sorted[position.ceil() as usize];
    Some(lower + (upper - lower) * position.fract())
}
