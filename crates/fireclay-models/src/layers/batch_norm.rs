//! Batch normalisation with PyTorch's running statistics.

use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::{Device, Tensor};
use fireclay_kernels::{
    NormOfAll, Part, batch_norm, batch_norm_relu, normalise, normalise_relu, widely, widen,
};

use crate::init::{Init, Values};

/// Normalises each channel over the batch and over all positions in it.
///
/// Ioffe & Szegedy 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167). In training the
/// statistics are the batch's, with the population variance; afterwards they are running averages
/// in which, as in PyTorch and in the paper's algorithm 2, the variance is the sample variance,
/// n / (n - 1) times the population variance of n numbers. Burn's own layer averages the
/// population variance, so the two part after a step on a small batch.
///
/// Training means: on an autodiff device and not frozen. Where the batch is computed in parts that know of each
/// other ([`Part`]), the statistics are those of the whole batch. [`Init::batch_norm`](crate::Init) builds it.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// The scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// The shift of each channel.
    pub beta: Param<Tensor<1>>,
    /// Cleared where the layer is frozen.
    pub training: Param<Flag>,
    /// The running average of the batches' means.
    pub running_mean: RunningState<Tensor<1>>,
    /// The running average of the batches' sample variances.
    pub running_var: RunningState<Tensor<1>>,
    /// The share of the newest batch in the running averages.
    pub momentum: f64,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl BatchNorm {
    /// Normalises `input` and, in training, updates the running statistics; both in single precision
    /// where `input` is in half.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels, ...]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.with(input, batch_norm, Part::batch_norm, normalise)
    }

    /// max(0, [`forward`](Self::forward)) at once.
    pub fn relu<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.with(
            input,
            batch_norm_relu,
            Part::batch_norm_relu,
            normalise_relu,
        )
    }

    fn with<const D: usize>(
        &self,
        input: Tensor<D>,
        train: impl FnOnce(Tensor<D>, Tensor<1>, Tensor<1>, f64) -> BatchNormTrainOutput<D>,
        train_part: impl FnOnce(&Part, Tensor<D>, Tensor<1>, Tensor<1>, f64) -> NormOfAll<D>,
        infer: impl FnOnce(Tensor<D>, [Tensor<1>; 2], [Tensor<1>; 2], f64) -> Tensor<D>,
    ) -> Tensor<D> {
        let [gamma, beta] = [&self.gamma, &self.beta].map(|parameter| widen(parameter.val()));
        widely(input, |input| {
            let trains = input.device().is_autodiff() && self.training.is_enabled();
            if let (true, Some(part)) = (trains, Part::of_layer()) {
                let of_all = train_part(&part, input, gamma, beta, self.epsilon);
                if part.leads() {
                    self.observe(of_all.mean, of_all.variance, of_all.count);
                }
                return of_all.output;
            }
            if trains {
                let numbers: usize = input.dims().iter().product();
                let result = train(input, gamma, beta, self.epsilon);
                let count = numbers / result.mean.dims()[0].max(1);
                self.observe(result.mean, result.variance, count);
                return result.output;
            }
            let statistics = [&self.running_mean, &self.running_var]
                .map(|running| on(&input.device(), running.value()));
            infer(input, [gamma, beta], statistics, self.epsilon)
        })
    }

    /// Takes the mean and the population variance of a batch of so many numbers in each channel.
    fn observe(&self, mean: Tensor<1>, variance: Tensor<1>, count: usize) {
        // One number has no sample variance; PyTorch refuses it, and zero over zero is no help.
        let unbiased = count as f64 / count.saturating_sub(1).max(1) as f64;
        self.update(&self.running_mean, mean);
        self.update(&self.running_var, variance.mul_scalar(unbiased));
    }

    fn update(&self, running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
        let batch = batch.detach();
        let old = on(&batch.device(), running.value_sync());
        let new = old.mul_scalar(1.0 - self.momentum) + batch.mul_scalar(self.momentum);
        running.update(new.detach());
    }
}

impl Init {
    /// Batch normalisation over `features` columns or channels: scale one, shift zero, running
    /// mean zero, running variance one, momentum 0.1, epsilon 1e-5 (`torch.nn.BatchNorm2d`).
    pub fn batch_norm(&mut self, features: usize) -> BatchNorm {
        self.batch_norm_from(features, Values::ONES)
    }

    /// Batch normalisation whose scale starts at zero, so that the residual branch which it ends
    /// adds nothing at first (Goyal et al. 2017,
    /// [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), section 5.1).
    pub fn batch_norm_zero(&mut self, features: usize) -> BatchNorm {
        self.batch_norm_from(features, Values::ZEROS)
    }

    fn batch_norm_from(&mut self, features: usize, scale: Values) -> BatchNorm {
        let mean = Tensor::zeros([features], &self.device);
        let var = Tensor::ones([features], &self.device);
        BatchNorm {
            gamma: self.param([features], scale),
            beta: self.param([features], Values::ZEROS),
            running_mean: RunningState::with_id(self.next_id(), mean),
            running_var: RunningState::with_id(self.next_id(), var),
            training: self.flag(),
            momentum: 0.1,
            epsilon: 1e-5,
        }
    }
}

/// A capture device takes no tensor of a training, not even one that is there already.
fn on(device: &Device, tensor: Tensor<1>) -> Tensor<1> {
    match tensor.device() == *device {
        true => tensor,
        false => tensor.to_device(device),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().iter().collect()
    }

    #[test]
    fn averages_the_sample_variance_and_normalises_by_the_population_variance() {
        let device = Device::flex().autodiff();
        let norm = Init::new(0, &device).batch_norm(1);
        let output = norm.forward(Tensor::<2>::from_data([[1.0], [3.0]], &device));
        // Mean 2, population variance 1, sample variance 2.
        let output: Vec<f32> = output.into_data().iter().collect();
        let expected = 1.0 / (1.0f32 + 1e-5).sqrt();
        assert!((output[0] + expected).abs() < 1e-6 && (output[1] - expected).abs() < 1e-6);
        let mean = numbers(norm.running_mean.value_sync());
        let var = numbers(norm.running_var.value_sync());
        assert!((mean[0] - 0.2).abs() < 1e-6, "{mean:?}");
        assert!((var[0] - (0.9 + 0.2)).abs() < 1e-6, "{var:?}");
    }

    #[test]
    fn every_position_of_a_map_counts() {
        let device = Device::flex().autodiff();
        let norm = Init::new(0, &device).batch_norm(2);
        let input = [[[[0.0, 2.0]], [[5.0, 5.0]]], [[[4.0, 6.0]], [[5.0, 5.0]]]];
        norm.forward(Tensor::<4>::from_data(input, &device));
        // The first channel holds 0, 2, 4 and 6: squares sum to 20 about the mean.
        let var = numbers(norm.running_var.value_sync());
        assert!((var[0] - (0.9 + 0.1 * 20.0 / 3.0)).abs() < 1e-6, "{var:?}");
        assert!((var[1] - 0.9).abs() < 1e-6, "{var:?}");
    }

    #[test]
    fn a_frozen_layer_keeps_and_uses_its_statistics() {
        let device = Device::flex().autodiff();
        let norm = Init::new(0, &device).batch_norm(1).freeze();
        let output = norm.forward(Tensor::<2>::from_data([[1.0], [3.0]], &device));
        let output: Vec<f32> = output.into_data().iter().collect();
        assert!((output[1] - 3.0).abs() < 1e-4, "{output:?}");
        assert_eq!(numbers(norm.running_mean.value_sync()), [0.0]);
    }

    #[test]
    fn relu_at_once_is_relu_afterwards() {
        let device = Device::flex().autodiff();
        let input = [[[[0.0, 2.0]], [[5.0, -5.0]]], [[[4.0, -6.0]], [[5.0, 3.0]]]];
        let input = Tensor::<4>::from_data(input, &device);
        let [one, other] = [0, 0].map(|seed| Init::new(seed, &device).batch_norm(2));
        let pairs = [
            (one.relu(input.clone()), other.forward(input.clone())),
            (
                one.valid().relu(input.clone().inner()),
                other.valid().forward(input.clone().inner()),
            ),
            (
                one.freeze().relu(input.clone()),
                other.freeze().forward(input),
            ),
        ];
        for (at_once, afterwards) in pairs {
            let difference = (at_once - afterwards.clamp_min(0.0)).abs().max();
            assert!(difference.into_scalar::<f32>() < 1e-6);
        }
    }

    #[test]
    fn a_single_number_gives_finite_statistics() {
        let device = Device::flex().autodiff();
        let norm = Init::new(0, &device).batch_norm(1);
        norm.forward(Tensor::<2>::from_data([[7.0]], &device));
        let var = numbers(norm.running_var.value_sync());
        assert!((var[0] - 0.9).abs() < 1e-6, "{var:?}");
    }
}
