//! Metrics of predicted numbers. In the formulas y is the truth and e = y - prediction.
//!
//! `truth` and `prediction` are `[n]`, in the unit of the target; a function panics if their
//! lengths differ, and answers `None` without rows.

use crate::calibration::mean;

/// Mean absolute error: mean of |e|, in the unit of the target.
pub fn mae(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    mean(absolute(truth, prediction))
}

/// Mean squared error: mean of e², in the squared unit of the target.
pub fn mse(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    mean(errors(truth, prediction).map(|e| e * e))
}

/// Root of the mean squared error, in the unit of the target.
pub fn rmse(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    mse(truth, prediction).map(f64::sqrt)
}

/// Coefficient of determination: 1 - Σ e² / Σ (y - mean y)² (Wright 1921). 1 is perfect, 0 is
/// what the mean of the truth would get, and there is no lower bound. Also `None` where every
/// truth is the same number: there is nothing to explain.
pub fn r2(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    Some(1.0 - mse(truth, prediction)? / variance_of_truth(truth)?)
}

/// Explained variance: 1 - Var(e) / Var(y), which unlike [`r2`] forgives a constant offset. Also
/// `None` where every truth is the same number.
pub fn explained_variance(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    let errors: Vec<f64> = errors(truth, prediction).collect();
    Some(1.0 - variance(&errors)? / variance_of_truth(truth)?)
}

/// Mean absolute percentage error as a fraction (0.1 is 10 %): mean of |e| / |y|. Also `None`
/// where a truth is 0, of which no error is a percentage.
pub fn mape(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    let fractions = absolute(truth, prediction)
        .zip(truth)
        .map(|(e, y)| e / y.abs());
    let defined = truth.iter().all(|&y| y != 0.0);
    defined.then(|| mean(fractions)).flatten()
}

/// Median of |e|, the mean of the two middle ones for an even number of rows.
pub fn median_absolute_error(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = absolute(truth, prediction).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(lower + (upper - lower) / 2.0)
}

/// Largest |e|.
pub fn max_error(truth: &[f64], prediction: &[f64]) -> Option<f64> {
    absolute(truth, prediction).max_by(f64::total_cmp)
}

fn errors<'a>(
    truth: &'a [f64],
    prediction: &'a [f64],
) -> impl ExactSizeIterator<Item = f64> + use<'a> {
    assert_eq!(truth.len(), prediction.len(), "one prediction for each row");
    truth.iter().zip(prediction).map(|(y, p)| y - p)
}

fn absolute<'a>(
    truth: &'a [f64],
    prediction: &'a [f64],
) -> impl ExactSizeIterator<Item = f64> + use<'a> {
    errors(truth, prediction).map(f64::abs)
}

/// Compares before it subtracts: the mean of equal numbers may differ from them by a rounding
/// error, and dividing by such a variance would turn noise into a verdict.
fn variance_of_truth(truth: &[f64]) -> Option<f64> {
    let constant = truth.windows(2).all(|pair| pair[0] == pair[1]);
    (!constant).then(|| variance(truth)).flatten()
}

fn variance(values: &[f64]) -> Option<f64> {
    let center = mean(values.iter().copied())?;
    mean(values.iter().map(|value| (value - center).powi(2)))
}
