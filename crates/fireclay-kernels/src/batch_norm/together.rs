//! Batch normalisation over all parts of a batch.

#[cfg(all(test, feature = "flex"))]
mod tests;

use burn::tensor::{Tensor, TensorData};

#[cfg(feature = "flex")]
use super::flex::apart;
use super::{Then, by_channel, flat, given};
use crate::add_relu::relu_gradient;
use crate::operation::{Operation, apply_keeping};
use crate::together::{Part, Pass};

/// What a part of a batch becomes, and the statistics of the whole batch.
#[derive(Clone, Debug)]
pub struct NormOfAll<const D: usize> {
    /// The part, normalised.
    pub output: Tensor<D>,
    /// The mean of each channel, without a gradient.
    pub mean: Tensor<1>,
    /// The population variance of each channel, without a gradient.
    pub variance: Tensor<1>,
    /// How many numbers each channel has in all parts.
    pub count: usize,
}

impl Part {
    /// [`batch_norm`](crate::batch_norm) of this part of a batch, with the mean and the variance over all parts. The
    /// gradient too is that of the whole batch: the losses of all parts add up to one.
    ///
    /// A part finds means and sums of squares about them, and pairs are put together by the rule of Chan, Golub and LeVeque
    /// (1979, *Updating formulae and a pairwise algorithm for computing sample variances*, eq. 2.1), in `f64`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[samples, channels, ..]`
    /// - `gamma`, `beta`: `[channels]`
    ///
    /// # Panics
    ///
    /// If another part has failed.
    pub fn batch_norm<const D: usize>(
        &self,
        x: Tensor<D>,
        gamma: Tensor<1>,
        beta: Tensor<1>,
        epsilon: f64,
    ) -> NormOfAll<D> {
        self.normalise(x, [gamma, beta], epsilon, Then::Nothing)
    }

    /// max(0, ..) of what [`batch_norm`](Self::batch_norm) gives.
    ///
    /// # Panics
    ///
    /// If another part has failed.
    pub fn batch_norm_relu<const D: usize>(
        &self,
        x: Tensor<D>,
        gamma: Tensor<1>,
        beta: Tensor<1>,
        epsilon: f64,
    ) -> NormOfAll<D> {
        self.normalise(x, [gamma, beta], epsilon, Then::Relu)
    }

    fn normalise<const D: usize>(
        &self,
        x: Tensor<D>,
        scales: [Tensor<1>; 2],
        epsilon: f64,
        then: Then,
    ) -> NormOfAll<D> {
        let operation = OverParts {
            part: self.clone(),
            epsilon,
            then,
        };
        let [gamma, beta] = scales.map(by_channel);
        let device = x.device();
        let applied = apply_keeping(operation, [x, gamma, beta]);
        let found = applied.kept.found;
        NormOfAll {
            output: applied.result,
            mean: vector(&found.means, &device),
            variance: vector(&found.variances, &device),
            count: found.count as usize,
        }
    }
}

/// Takes maps, gamma and beta of a part.
#[derive(Clone, Debug)]
struct OverParts {
    part: Part,
    epsilon: f64,
    then: Then,
}

#[derive(Clone, Debug)]
struct Kept<const D: usize> {
    found: Found,
    /// The result, if negative numbers were cut off.
    cut: Option<Tensor<D>>,
}

/// The statistics of the channels over all parts.
#[derive(Clone, Debug)]
struct Found {
    count: f64,
    means: Vec<f32>,
    variances: Vec<f32>,
    /// 1 / sqrt(variance + epsilon).
    factors: Vec<f32>,
}

impl Found {
    /// Of what the parts came to; see [`merge`].
    fn new(all: &[f64], epsilon: f64) -> Self {
        let (count, rest) = (all[0], &all[1..]);
        let (means, squares) = rest.split_at(rest.len() / 2);
        let variances = squares.iter().map(|squares| squares / count);
        let factors = variances
            .clone()
            .map(|variance| (1.0 / (variance + epsilon).sqrt()) as f32);
        Self {
            count,
            means: means.iter().map(|mean| *mean as f32).collect(),
            factors: factors.collect(),
            variances: variances.map(|variance| variance as f32).collect(),
        }
    }
}

impl<const D: usize> Operation<D, 3, 2> for OverParts {
    /// It cannot be made again: the others would have to be there again, too.
    const CHEAP: bool = false;

    type Kept = Kept<D>;

    fn forward(&self, [x, gamma, beta]: [Tensor<D>; 3]) -> (Tensor<D>, Kept<D>) {
        assert!(
            !x.is_autodiff(),
            "the parts of a batch meet outside of Burn, which then has no gradient for this backend"
        );
        let all = self.part.joined(Pass::Forward, moments(&x), merge);
        let found = Found::new(&all, self.epsilon);
        let statistics = [&found.means, &found.variances].map(|part| vector(part, &x.device()));
        let scales = [gamma, beta].map(flat);
        let y = given(x, scales, statistics, self.epsilon, self.then);
        let cut = (self.then == Then::Relu).then(|| y.clone());
        (y, Kept { found, cut })
    }

    fn backward(
        &self,
        [x, gamma]: [Tensor<D>; 2],
        Kept { found, cut }: Kept<D>,
        gradient: Tensor<D>,
    ) -> [Tensor<D>; 3] {
        let gradient = match cut {
            Some(y) => relu_gradient(y, gradient),
            None => gradient,
        };
        let device = x.device();
        let own = sums(&x, &gradient, &found.means);
        let all = self.part.joined(Pass::Backward, own.clone(), add);
        let slopes = slopes(&found, &numbers(gamma), &all);
        let to_x = to_inputs(x, gradient, &slopes);
        let (to_beta, products) = own.split_at(own.len() / 2);
        let to_gamma = products.iter().zip(&found.factors);
        let to_gamma = to_gamma.map(|(product, factor)| (product * f64::from(*factor)) as f32);
        let to_beta = to_beta.iter().map(|sum| *sum as f32);
        let [to_gamma, to_beta] = [to_gamma.collect(), to_beta.collect()]
            .map(|scale: Vec<f32>| by_channel(vector(&scale, &device)));
        [to_x, to_gamma, to_beta]
    }
}

/// How the gradient of a channel's inputs comes from that of its results:
/// `scale * (gradient - shift - (x - mean) * along)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope {
    pub mean: f32,
    pub scale: f32,
    pub shift: f32,
    pub along: f32,
}

/// From what the sums of all parts came to; see [`sums`].
fn slopes(found: &Found, gamma: &[f32], all: &[f64]) -> Vec<Slope> {
    let (totals, products) = all.split_at(all.len() / 2);
    let slope = |channel: usize| {
        let factor = f64::from(found.factors[channel]);
        Slope {
            mean: found.means[channel],
            scale: found.factors[channel] * gamma[channel],
            shift: (totals[channel] / found.count) as f32,
            along: (factor * factor * products[channel] / found.count) as f32,
        }
    };
    (0..gamma.len()).map(slope).collect()
}

/// How many numbers the channels of a part have, their means, and their sums of squares about them.
fn moments<const D: usize>(x: &Tensor<D>) -> Vec<f64> {
    let count = x.dims().iter().product::<usize>() / x.dims()[1].max(1);
    #[cfg(feature = "flex")]
    if super::takes(x, []) {
        return apart::moments(x.clone(), count);
    }
    let means = over_channel(x.clone()).div_scalar(count as f64);
    let squares = over_channel((x.clone() - means.clone()).square());
    let channels = [means, squares].map(numbers);
    let channels = channels.iter().flatten().map(|number| f64::from(*number));
    [count as f64].into_iter().chain(channels).collect()
}

/// The moments of two parts as those of one.
fn merge(left: &mut [f64], right: &[f64]) {
    let channels = (left.len() - 1) / 2;
    let (here, there) = (left[0], right[0]);
    let count = here + there;
    for channel in 1..=channels {
        let apart = right[channel] - left[channel];
        left[channel] += apart * there / count;
        let squares = channel + channels;
        left[squares] += right[squares] + apart * apart * here * there / count;
    }
    left[0] = count;
}

/// Of each channel of a part the sum of the gradient, and then that of the gradient times the distance from the mean.
fn sums<const D: usize>(x: &Tensor<D>, gradient: &Tensor<D>, means: &[f32]) -> Vec<f64> {
    #[cfg(feature = "flex")]
    if super::takes(x, []) && crate::flex::takes(gradient) {
        return apart::sums(x.clone(), gradient.clone(), means);
    }
    let means = by_channel::<D>(vector(means, &x.device()));
    let products = (x.clone() - means) * gradient.clone();
    let sums = [gradient.clone(), products].map(|part| numbers(over_channel(part)));
    sums.iter().flatten().map(|sum| f64::from(*sum)).collect()
}

fn add(left: &mut [f64], right: &[f64]) {
    left.iter_mut().zip(right).for_each(|(a, b)| *a += b);
}

fn to_inputs<const D: usize>(x: Tensor<D>, gradient: Tensor<D>, slopes: &[Slope]) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if super::takes(&x, []) && crate::flex::takes(&gradient) {
        return apart::to_inputs(x, gradient, slopes);
    }
    let device = x.device();
    let each = |part: fn(&Slope) -> f32| {
        let numbers: Vec<f32> = slopes.iter().map(part).collect();
        by_channel::<D>(vector(&numbers, &device))
    };
    let along = (x - each(|slope| slope.mean)) * each(|slope| slope.along);
    (gradient - each(|slope| slope.shift) - along) * each(|slope| slope.scale)
}

/// The sum of each channel, `[1, channels, 1, ..]`.
fn over_channel<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let others = (0..D).filter(|dim| *dim != 1);
    others.fold(x, Tensor::sum_dim)
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

fn vector(numbers: &[f32], device: &burn::tensor::Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), [numbers.len()]), device)
}
