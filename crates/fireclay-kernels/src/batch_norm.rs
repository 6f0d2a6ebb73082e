//! Batch normalisation.

#[cfg(feature = "flex")]
mod flex;
#[cfg(all(test, feature = "flex"))]
mod tests;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{self, BatchNormTrainOutput, batch_norm_train};

use crate::operation::{Operation, apply};
use crate::stand_in;

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and the population variance of
/// each channel over the batch and over all places (Ioffe & Szegedy 2015,
/// [arXiv:1502.03167](https://arxiv.org/abs/1502.03167), algorithm 1); with it the mean and the
/// variance, which are not differentiated.
///
/// The loops take maps; where a channel is one number in each sample they lose to Burn's.
///
/// # Shapes
///
/// - `x`: `[batch, channels, ..]`
/// - `gamma`, `beta`: `[channels]`
/// - result: that of `x`, and two of `[channels]`
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<D> {
    #[cfg(feature = "flex")]
    if takes(&x, [&gamma, &beta]) {
        return flex::batch_norm(x, gamma, beta, epsilon, flex::Then::Nothing);
    }
    if has_maps(&x) && stand_in::is_wanted() {
        return keeps_input(x, gamma, beta);
    }
    batch_norm_train(x, gamma, beta, epsilon)
}

/// [`batch_norm`] and max(0, ..) of its result, for whose gradient nothing more is kept.
pub fn batch_norm_relu<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<D> {
    #[cfg(feature = "flex")]
    if takes(&x, [&gamma, &beta]) {
        return flex::batch_norm(x, gamma, beta, epsilon, flex::Then::Relu);
    }
    if has_maps(&x) && stand_in::is_wanted() {
        return keeps_input(x, gamma, beta);
    }
    let normed = batch_norm_train(x, gamma, beta, epsilon);
    BatchNormTrainOutput {
        output: relu(normed.output),
        ..normed
    }
}

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta, with a mean and a variance of each channel
/// that are given. The loop is for tensors without autodiff.
///
/// # Shapes
///
/// - `x`: `[batch, channels, ..]`
/// - all others: `[channels]`
/// - result: that of `x`
pub fn normalise<const D: usize>(
    x: Tensor<D>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if takes_plain(&x, [&gamma, &beta, &mean, &variance]) {
        let scales = [gamma, beta, mean, variance];
        return flex::normalise(x, scales, epsilon, flex::Then::Nothing);
    }
    module::batch_norm(x, gamma, beta, mean, variance, epsilon)
}

/// [`normalise`] and max(0, ..) of its result.
pub fn normalise_relu<const D: usize>(
    x: Tensor<D>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if takes_plain(&x, [&gamma, &beta, &mean, &variance]) {
        let scales = [gamma, beta, mean, variance];
        return flex::normalise(x, scales, epsilon, flex::Then::Relu);
    }
    relu(module::batch_norm(x, gamma, beta, mean, variance, epsilon))
}

#[cfg(feature = "flex")]
fn takes<const D: usize, const N: usize>(x: &Tensor<D>, scales: [&Tensor<1>; N]) -> bool {
    use crate::flex::takes;
    has_maps(x) && x.dims()[0] > 0 && takes(x) && scales.into_iter().all(takes)
}

/// What has no gradient is taken alone: one tensor with autodiff makes Burn look for a body with it.
#[cfg(feature = "flex")]
fn takes_plain<const D: usize, const N: usize>(x: &Tensor<D>, scales: [&Tensor<1>; N]) -> bool {
    let is_plain = !x.is_autodiff() && !scales.iter().any(|scale| scale.is_autodiff());
    is_plain && takes(x, scales)
}

fn has_maps<const D: usize>(x: &Tensor<D>) -> bool {
    x.dims().iter().skip(2).product::<usize>() > 1
}

/// Keeps its input and, as the loop does, its result even with gradient checkpointing.
#[derive(Clone, Debug)]
struct StandIn;

impl<const D: usize> Operation<D, 1> for StandIn {
    const CHEAP: bool = false;

    type Kept = ();

    fn forward(&self, [x]: [Tensor<D>; 1]) -> (Tensor<D>, ()) {
        (stand_in::values(x), ())
    }

    fn backward(&self, [x]: [Tensor<D>; 1], _: (), gradient: Tensor<D>) -> [Tensor<D>; 1] {
        [stand_in::slopes(x, gradient)]
    }
}

/// The stand-in: whether it is cut off at zero can be seen from what is kept of x.
fn keeps_input<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
) -> BatchNormTrainOutput<D> {
    let [mean, variance] = [&gamma, &beta].map(|like| like.clone().detach());
    let [gamma, beta] = [gamma, beta].map(|scale| {
        let channels = scale.dims()[0];
        let mut shape = [1; D];
        shape[1] = channels;
        scale.reshape(shape)
    });
    BatchNormTrainOutput {
        output: apply(StandIn, [x]) + gamma + beta,
        mean,
        variance,
    }
}
