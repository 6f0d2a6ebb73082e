//! Whether an explanation depends on what the model has learned.
//!
//! Adebayo et al. 2018, *Sanity Checks for Saliency Maps*,
//! [arXiv:1810.03292](https://arxiv.org/abs/1810.03292), section 3: the explanations of a model and of one with random
//! weights are compared by the rank correlation of their sizes. Where it is near one, the method shows the input
//! and the architecture, not the model.

use crate::function::mean;

/// Spearman's rank correlation of the sizes of two lists of attributions, ties at their mean rank; none where one of
/// the lists has no order.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        both += (a - mean_a) * (b - mean_b);
        of_a += (a - mean_a).powi(2);
        of_b += (b - mean_b).powi(2);
    }
    let scale = (of_a * of_b).sqrt();
    (scale > 0.0).then(|| both / scale)
}

/// The rank of the size of each value.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|a, b| values[*a].abs() == values[*b].abs()) {
        let first = order.partition_point(|at| values[*at].abs() < values[tied[0]].abs());
        let rank = first as f64 + (tied.len() as f64 - 1.0) / 2.0;
        tied.iter().for_each(|at| ranks[*at] = rank);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand; the last as scipy.stats.spearmanr([1, 2, 2, 4], [1, 3, 2, 4]) has it.
    #[test]
    fn ranks_are_compared() {
        assert_eq!(
            rank_correlation(&[1.0, -2.0, 3.0], &[10.0, 20.0, -90.0]),
            Some(1.0)
        );
        assert_eq!(
            rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]),
            Some(-1.0)
        );
        assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
        let tied = rank_correlation(&[1.0, 2.0, 2.0, 4.0], &[1.0, 3.0, 2.0, 4.0]);
        assert!((tied.expect("an order") - 0.948_683_298_050_513_8).abs() < 1e-12);
    }
}
