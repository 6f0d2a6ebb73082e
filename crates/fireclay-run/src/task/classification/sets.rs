//! Sets of classes that hold the truth with a stated coverage (Angelopoulos and Bates 2021, section 2.1).

use fireclay_metrics::conformal_radius;

/// The classes of one set, each from its limit on.
pub(super) fn set(probabilities: &[f64], limits: &[f64]) -> Vec<u32> {
    let classes = (0u32..).zip(probabilities.iter().zip(limits));
    let classes = classes.filter(|(_, (probability, least))| probability >= least);
    classes.map(|(class, _)| class).collect()
}

/// The least probability in a set, given those of the truth; `None` if there are too few.
pub(super) fn limit(of_truth: impl Iterator<Item = f64>, coverage: f64) -> Option<f64> {
    // The probability of the truth is small where the score, 1 minus it, is large.
    let limit = conformal_radius(of_truth.map(|p| -p).collect(), coverage);
    limit.map(|limit| -limit)
}
