//! Metrics of the probabilities themselves: log-loss, Brier score and calibration error.

use crate::Classification;

/// Number of equal-width bins of [`calibration_error`], as in Guo et al. 2017.
pub const CALIBRATION_BINS: usize = 15;

/// Mean negative natural logarithm of the probability of the true class, or `None` without rows.
///
/// Probabilities are kept one rounding error (2⁻⁵²) away from 0 and 1, as scikit-learn does, so
/// that one row of which the model was wrongly certain costs 36 and not infinity.
pub fn log_loss(split: &Classification) -> Option<f64> {
    let of_truth = |(row, &class): (usize, &u32)| {
        split.probabilities()[row * split.classes() + class as usize]
            .clamp(f64::EPSILON, 1.0 - f64::EPSILON)
    };
    let rows = split.truth().iter().enumerate().map(of_truth);
    mean(rows.map(|probability| -probability.ln()))
}

/// Mean squared distance of the positive class's probability from the truth (Brier 1950, halved
/// as is usual for two classes): mean of (p - y)². `None` without rows.
pub fn brier_binary(positive: &[bool], probabilities: &[f64]) -> Option<f64> {
    assert_eq!(positive.len(), probabilities.len(), "one probability a row");
    let rows = positive.iter().zip(probabilities);
    mean(rows.map(|(&positive, p)| (p - f64::from(u8::from(positive))).powi(2)))
}

/// Mean over rows of Σ_k (p_k - y_k)², y being one-hot and the sum not halved (Brier 1950,
/// equation 2); from 0 to 2. `None` without rows.
pub fn brier_multiclass(split: &Classification) -> Option<f64> {
    let rows = split.probabilities().chunks(split.classes().max(1));
    mean(rows.zip(split.truth()).map(|(row, &truth)| {
        row.iter()
            .enumerate()
            .map(|(class, p)| (p - f64::from(u8::from(class == truth as usize))).powi(2))
            .sum()
    }))
}

/// How far confidence is from correctness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationError {
    /// Expected calibration error: Σ_b n_b / n · |correctness_b - confidence_b|.
    pub expected: f64,
    /// Maximum calibration error: the largest gap of any bin.
    pub maximum: f64,
}

/// Calibration error over 15 equal-width bins of confidence (Guo et al. 2017, section 2).
///
/// A confidence c belongs to bin b where b/15 < c ≤ (b+1)/15, and 0 to the first. Empty bins do
/// not count. `confidence` and `correct` are `[n]`; `None` without rows.
pub fn calibration_error(confidence: &[f64], correct: &[bool]) -> Option<CalibrationError> {
    assert_eq!(confidence.len(), correct.len(), "one confidence a row");
    // For each bin the rows in it, and correctness minus confidence summed over them.
    let mut bins = [(0_u64, 0.0); CALIBRATION_BINS];
    for (&confidence, &correct) in confidence.iter().zip(correct) {
        let bin = &mut bins[bin_of(confidence)];
        bin.0 += 1;
        bin.1 += f64::from(u8::from(correct)) - confidence;
    }
    let filled = || bins.iter().filter(|bin| bin.0 > 0);
    (!confidence.is_empty()).then(|| CalibrationError {
        expected: filled().map(|bin| bin.1.abs()).sum::<f64>() / confidence.len() as f64,
        maximum: filled()
            .map(|bin| bin.1.abs() / bin.0 as f64)
            .fold(0.0, f64::max),
    })
}

/// The bin's number is the number of inner edges below the confidence. Comparing with the edges
/// themselves keeps a confidence on an edge in the lower bin, which rounding `c * 15` would not.
pub(crate) fn bin_of(confidence: f64) -> usize {
    (1..CALIBRATION_BINS)
        .take_while(|&edge| confidence > edge as f64 / CALIBRATION_BINS as f64)
        .count()
}

/// None without values.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}
