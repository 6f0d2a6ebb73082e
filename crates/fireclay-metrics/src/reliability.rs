//! How probabilities compare with what happens: reliability curves, and what chance alone would show.

use rand::RngExt;
use rayon::prelude::*;

use crate::bootstrap::{quantile, stream};
use crate::calibration::{CALIBRATION_BINS, bin_of, calibration_error};

/// The rows whose confidence is in one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// The confidences of the bin are above this, but for 0 in the first.
    pub low: f64,
    /// The confidences of the bin are at most this.
    pub high: f64,
    /// How many rows there are.
    pub n: usize,
    /// How many of them are correct.
    pub correct: usize,
    /// Mean confidence.
    pub confidence: f64,
}

impl ReliabilityBin {
    /// The share of the rows that are correct.
    pub fn share(&self) -> f64 {
        self.correct as f64 / self.n as f64
    }
}

/// The points of a reliability diagram (DeGroot and Fienberg 1983): the bins of
/// [`calibration_error`] that have a row, lowest first.
///
/// `confidence` and `correct` are `[n]`: of a class, its probability and whether a row is of it.
///
/// # Panics
///
/// If the lengths differ.
pub fn reliability(confidence: &[f64], correct: &[bool]) -> Vec<ReliabilityBin> {
    assert_eq!(confidence.len(), correct.len(), "one confidence a row");
    let edge = |index: usize| index as f64 / CALIBRATION_BINS as f64;
    let bin = |index| ReliabilityBin {
        low: edge(index),
        high: edge(index + 1),
        n: 0,
        correct: 0,
        confidence: 0.0,
    };
    let mut bins: Vec<ReliabilityBin> = (0..CALIBRATION_BINS).map(bin).collect();
    for (&confidence, &correct) in confidence.iter().zip(correct) {
        let bin = &mut bins[bin_of(confidence)];
        bin.n += 1;
        bin.correct += usize::from(correct);
        bin.confidence += confidence;
    }
    bins.retain(|bin| bin.n > 0);
    for bin in &mut bins {
        bin.confidence /= bin.n as f64;
    }
    bins
}

/// The expected calibration error that a model stays below in 95 % of the cases if its confidences are
/// exactly right: with few rows chance alone makes one (consistency resampling, Bröcker and Smith 2007).
///
/// `confidence` is `[n]`. Each of 1000 resamples is a pure function of (`seed`, its number). `None`
/// without rows.
pub fn calibration_error_by_chance(confidence: &[f64], seed: u64) -> Option<f64> {
    let error = |resample: u64| {
        let mut random = stream(seed, resample);
        let happens = |confidence: &f64| random.random::<f64>() < *confidence;
        let correct: Vec<bool> = confidence.iter().map(happens).collect();
        calibration_error(confidence, &correct).map(|error| error.expected)
    };
    let resamples = crate::DEFAULT_RESAMPLES as u64;
    let mut errors: Vec<f64> = (0..resamples).into_par_iter().flat_map(error).collect();
    errors.sort_unstable_by(f64::total_cmp);
    quantile(&errors, crate::INTERVAL_LEVEL)
}
