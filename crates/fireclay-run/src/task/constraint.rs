//! A penalty on how much the score of a classifier tells of the group of a row.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::labelled::{BatchLoss, Labelled, LabelledLoss};

/// The groups that the rows of a batch are in.
#[derive(Clone, Debug, PartialEq)]
pub struct Memberships {
    /// 1 where a row is in a group, else 0, minus the share of the group in the batch: `[rows, groups]`.
    pub centred: Vec<f32>,
    /// The number of groups.
    pub groups: usize,
}

impl Memberships {
    /// From the groups that each of `rows` rows is in, all below `groups`.
    pub fn new(rows: usize, of_row: impl Fn(usize) -> Vec<u32>, groups: usize) -> Self {
        let mut centred = vec![0.0; rows * groups];
        for row in 0..rows {
            for group in of_row(row) {
                centred[row * groups + group as usize] = 1.0;
            }
        }
        for group in 0..groups {
            let cells = || (0..rows).map(move |row| row * groups + group);
            let share = cells().map(|cell| centred[cell]).sum::<f32>() / rows.max(1) as f32;
            cells().for_each(|cell| centred[cell] -= share);
        }
        Self { centred, groups }
    }
}

/// The loss of a classifier of two classes plus `strength` · Σ_g cov(g, s)²: the covariances, in the batch, of
/// the membership in each group and the score s, the logit of one class minus that of the other (Zafar et
/// al. 2017, "Fairness Constraints: Mechanisms for Fair Classification", equation 2, as a penalty instead of a
/// bound). Batches that say nothing of groups have the loss alone.
#[derive(Debug)]
pub(crate) struct Constrained {
    pub loss: Arc<dyn LabelledLoss>,
    pub strength: f64,
}

impl LabelledLoss for Constrained {
    fn of_batch(&self, outputs: Tensor<2>, batch: &Labelled) -> BatchLoss {
        let plain = self.loss.of_batch(outputs.clone(), batch);
        let Some(groups) = &batch.groups else {
            return plain;
        };
        BatchLoss {
            loss: plain.loss + penalty(outputs, groups).mul_scalar(self.strength),
            ..plain
        }
    }
}

/// Σ_g cov(g, s)² of outputs `[rows, 2]`, `[1]`.
fn penalty(outputs: Tensor<2>, groups: &Memberships) -> Tensor<1> {
    let rows = outputs.dims()[0];
    let data = TensorData::new(groups.centred.clone(), [rows, groups.groups]);
    let centred = Tensor::<2>::from_data(data, &outputs.device());
    let score = outputs.clone().narrow(1, 1, 1) - outputs.narrow(1, 0, 1); // [rows, 1]
    let covariances = centred.transpose().matmul(score).div_scalar(rows as f64); // [groups, 1]
    (covariances.clone() * covariances).sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_penalty_is_the_sum_of_squared_covariances() {
        let groups = Memberships::new(4, |row| vec![(row / 2) as u32], 2);
        assert_eq!(groups.centred, [0.5, -0.5, 0.5, -0.5, -0.5, 0.5, -0.5, 0.5]);
        let of = |scores: [f32; 4]| {
            let rows = scores.map(|score| [1.0, 1.0 + score]);
            let outputs = Tensor::<2>::from_data(rows, &Device::flex());
            penalty(outputs, &groups).into_scalar::<f32>()
        };
        // Scores of 3 and 1: the covariance is (3 - 1) / 4, once for each group.
        assert!((of([3.0, 3.0, 1.0, 1.0]) - 0.5).abs() < 1e-6);
        assert!(of([3.0, 1.0, 3.0, 1.0]).abs() < 1e-6);
        assert!(of([7.0; 4]).abs() < 1e-6);
    }
}
