//! Stochastic depth: whole residual branches left out at random, sample by sample.

use burn::module::{Flag, Module, Param};
use burn::tensor::Tensor;

use super::draws::mask;
use crate::init::Init;

/// Leaves the branch out for each sample with probability `prob` in training, and scales it by
/// `1 / (1 - prob)` where it stays, so that nothing changes in evaluation.
///
/// Huang, Sun, Liu, Sedra & Weinberger 2016, *Deep networks with stochastic depth*,
/// [arXiv:1603.09382](https://arxiv.org/abs/1603.09382). The scaling is the usual one of today;
/// the paper scales in evaluation instead. [`Init::drop_path`](crate::Init) builds it.
#[derive(Module, Debug)]
pub struct DropPath {
    /// The probability of leaving the branch out, in [0, 1).
    pub prob: f64,
    /// Cleared where the layer is frozen.
    pub training: Param<Flag>,
}

impl DropPath {
    /// Applies the layer to the result of a branch, before the input is added to it.
    ///
    /// # Shapes
    ///
    /// - `branch`: `[batch, ...]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, branch: Tensor<D>) -> Tensor<D> {
        let device = branch.device();
        if self.prob == 0.0 || !device.is_autodiff() || !self.training.is_enabled() {
            return branch;
        }
        let mut shape = [1; D];
        shape[0] = branch.dims()[0];
        let mask = mask(shape, 1.0 - self.prob, (&device, branch.dtype()));
        branch * mask
    }
}

impl Init {
    /// Stochastic depth that leaves a branch out with probability `prob`, in [0, 1), which acts on
    /// devices with autodiff only.
    pub fn drop_path(&mut self, prob: f64) -> DropPath {
        DropPath {
            prob,
            training: self.flag(),
        }
    }
}

/// The usual rates of `count` blocks: rising evenly from 0 at the first to `rate` at the last.
pub fn rising(rate: f64, count: usize) -> impl Iterator<Item = f64> {
    let last = count.saturating_sub(1).max(1) as f64;
    (0..count).map(move |block| rate * block as f64 / last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::generator;
    use burn::tensor::Device;

    #[test]
    fn rates_rise_evenly() {
        assert_eq!(rising(0.4, 3).collect::<Vec<_>>(), [0.0, 0.2, 0.4]);
        assert_eq!(rising(0.4, 1).collect::<Vec<_>>(), [0.0]);
    }

    #[test]
    fn leaves_out_whole_samples_in_training_alone() {
        let _alone = generator();
        let device = Device::flex().autodiff();
        device.seed(3);
        let layer = Init::new(0, &device).drop_path(0.25);
        let kept = layer.forward(Tensor::<3>::ones([4000, 2, 1], &device));
        let values: Vec<f32> = kept.into_data().iter().collect();
        let (whole, scale) = (1.0 / 0.75f32, 1e-6);
        for pair in values.chunks(2) {
            assert_eq!(pair[0], pair[1]);
            assert!(pair[0] == 0.0 || (pair[0] - whole).abs() < scale);
        }
        let share = values.iter().filter(|&&v| v == 0.0).count() as f64 / 8000.0;
        // Four standard deviations of a share of 4000 draws with probability 0.25.
        assert!((share - 0.25).abs() < 0.0274, "{share}");

        let input = Tensor::<2>::ones([8, 2], &Device::flex());
        let valid = layer.valid().forward(input.clone());
        assert_eq!(valid.into_data(), input.into_data());
        let input = Tensor::<2>::ones([64, 2], &device);
        let frozen = layer.freeze().forward(input.clone());
        assert_eq!(frozen.into_data(), input.into_data());
    }
}
