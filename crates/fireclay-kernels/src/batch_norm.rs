//! Batch normalisation.

#[cfg(feature = "flex")]
mod flex;
#[cfg(all(test, feature = "flex"))]
mod tests;
mod together;

use burn::backend::Dispatch;
use burn::backend::ops::ModuleOps;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{self, BatchNormTrainOutput, batch_norm_train};

use crate::add_relu::relu_gradient;
use crate::operation::{Applied, Operation, apply_keeping};
use crate::pass::{one_pass, one_pass_without};

pub use together::NormOfAll;

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and the population variance of
/// each channel over the batch and over all positions (Ioffe & Szegedy 2015,
/// [arXiv:1502.03167](https://arxiv.org/abs/1502.03167), algorithm 1). The mean and the variance are
/// given too; they have no gradient.
///
/// The loops take maps. Where a channel is one number in each sample, Burn's operations are faster.
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
    trained(x, [gamma, beta], epsilon, Then::Nothing)
}

/// max(0, ..) of what [`batch_norm`] gives. The gradient needs nothing more than the result.
pub fn batch_norm_relu<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<D> {
    trained(x, [gamma, beta], epsilon, Then::Relu)
}

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta with a given mean and variance of each
/// channel. The loop is for tensors without autodiff.
///
/// # Shapes
///
/// - `x`: `[batch, channels, ..]`
/// - `scales`, gamma and beta, and `statistics`, mean and variance: `[channels]`
/// - result: that of `x`
pub fn normalise<const D: usize>(
    x: Tensor<D>,
    scales: [Tensor<1>; 2],
    statistics: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    given(x, scales, statistics, epsilon, Then::Nothing)
}

/// max(0, ..) of what [`normalise`] gives.
pub fn normalise_relu<const D: usize>(
    x: Tensor<D>,
    scales: [Tensor<1>; 2],
    statistics: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    given(x, scales, statistics, epsilon, Then::Relu)
}

fn given<const D: usize>(
    x: Tensor<D>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
    then: Then,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if takes_plain(&x, [&gamma, &beta, &mean, &variance]) {
        return flex::normalise(x, [gamma, beta, mean, variance], epsilon, then);
    }
    one_pass(x, |x| {
        then.apply(module::batch_norm(x, gamma, beta, mean, variance, epsilon))
    })
}

#[cfg(feature = "flex")]
fn takes<const D: usize, const N: usize>(x: &Tensor<D>, scales: [&Tensor<1>; N]) -> bool {
    use crate::flex::takes;
    has_maps(x) && x.dims()[0] > 0 && takes(x) && scales.into_iter().all(takes)
}

/// None may have autodiff: a single one makes Burn look for a body with it.
#[cfg(feature = "flex")]
fn takes_plain<const D: usize, const N: usize>(x: &Tensor<D>, scales: [&Tensor<1>; N]) -> bool {
    let is_plain = !x.is_autodiff() && !scales.iter().any(|scale| scale.is_autodiff());
    is_plain && takes(x, scales)
}

fn has_maps<const D: usize>(x: &Tensor<D>) -> bool {
    x.dims().iter().skip(2).product::<usize>() > 1
}

/// What becomes of a result before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    /// It is zero where it would be negative.
    Relu,
}

impl Then {
    fn apply<const D: usize>(self, y: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Nothing => y,
            Self::Relu => relu(y),
        }
    }
}

fn trained<const D: usize>(
    x: Tensor<D>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f64,
    then: Then,
) -> BatchNormTrainOutput<D> {
    #[cfg(feature = "flex")]
    if takes(&x, [&gamma, &beta]) {
        return flex::batch_norm(x, gamma, beta, epsilon, then);
    }
    if !has_maps(&x) {
        let normed = batch_norm_train(x, gamma, beta, epsilon);
        return BatchNormTrainOutput {
            output: then.apply(normed.output),
            ..normed
        };
    }
    let [gamma, beta] = [gamma, beta].map(by_channel);
    let Applied {
        result,
        kept,
        beside,
    } = apply_keeping(BatchNorm { epsilon, then }, [x, gamma, beta]);
    let [mean, variance] = kept.statistics.map(beside);
    BatchNormTrainOutput {
        output: result,
        mean,
        variance,
    }
}

/// `[channels]` numbers with the rank of what they scale.
fn by_channel<const D: usize>(scale: Tensor<1>) -> Tensor<D> {
    let mut shape = [1; D];
    shape[1] = scale.dims()[0];
    scale.reshape(shape)
}

fn flat<const D: usize>(scale: Tensor<D>) -> Tensor<1> {
    let channels = scale.dims()[1];
    scale.reshape([channels])
}

/// Takes maps, gamma and beta.
#[derive(Clone, Debug)]
struct BatchNorm {
    epsilon: f64,
    then: Then,
}

#[derive(Clone, Debug)]
struct Kept<const D: usize> {
    /// Mean and variance of each channel.
    statistics: [Tensor<1>; 2],
    /// The result, if negative numbers were cut off.
    cut: Option<Tensor<D>>,
}

impl<const D: usize> Operation<D, 3, 2> for BatchNorm {
    const CHEAP: bool = false;

    type Kept = Kept<D>;

    fn forward(&self, [x, gamma, beta]: [Tensor<D>; 3]) -> (Tensor<D>, Kept<D>) {
        one_pass(x, |x| {
            let normed = batch_norm_train(x, flat(gamma), flat(beta), self.epsilon);
            let y = self.then.apply(normed.output);
            let kept = Kept {
                statistics: [normed.mean, normed.variance],
                cut: (self.then == Then::Relu).then(|| y.clone()),
            };
            (y, kept)
        })
    }

    fn backward(
        &self,
        [x, gamma]: [Tensor<D>; 2],
        kept: Kept<D>,
        gradient: Tensor<D>,
    ) -> [Tensor<D>; 3] {
        // Whether a number was cut off can be seen from x, too.
        let cut = kept.cut;
        one_pass_without(cut.clone(), x, |x| {
            let gradient = match cut {
                Some(y) => relu_gradient(y, gradient),
                None => gradient,
            };
            let [mean, variance] = kept.statistics.map(Tensor::into_dispatch);
            let found = Dispatch::batch_norm_train_backward(
                x.into_dispatch(),
                flat(gamma).into_dispatch(),
                mean,
                variance,
                self.epsilon,
                gradient.into_dispatch(),
            );
            let scales = [found.gamma_grad, found.beta_grad].map(Tensor::from_dispatch);
            let [to_gamma, to_beta] = scales.map(by_channel);
            [Tensor::from_dispatch(found.x_grad), to_gamma, to_beta]
        })
    }
}
