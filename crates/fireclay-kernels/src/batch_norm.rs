//! Batch normalisation.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module::{BatchNormTrainOutput, batch_norm_train};

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
    let has_maps = x.dims().iter().skip(2).product::<usize>() > 1;
    #[cfg(feature = "flex")]
    if has_maps
        && x.dims()[0] > 0
        && crate::flex::takes(&x)
        && crate::flex::takes(&gamma)
        && crate::flex::takes(&beta)
    {
        return flex::batch_norm(x, gamma, beta, epsilon);
    }
    if has_maps && stand_in::is_wanted() {
        let [mean, variance] = [&gamma, &beta].map(|like| like.clone().detach());
        let [gamma, beta] = [gamma, beta].map(|scale| {
            let channels = scale.dims()[0];
            let mut shape = [1; D];
            shape[1] = channels;
            scale.reshape(shape)
        });
        return BatchNormTrainOutput {
            output: stand_in::keeps_input(x) + gamma + beta,
            mean,
            variance,
        };
    }
    batch_norm_train(x, gamma, beta, epsilon)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::test::{check, others, wave};
    use burn::tensor::{Device, Tolerance};

    const EPSILON: f64 = 1e-5;

    /// Images, channels, places.
    const SIZES: [[usize; 3]; 7] = [
        [2, 1, 1],
        [33, 7, 1],
        [5, 3, 4],
        [64, 20, 16],
        [3, 70, 49],
        [2, 5, 1000],
        [40, 300, 9],
    ];

    type Body = fn(Tensor<3>, Tensor<1>, Tensor<1>, f64) -> BatchNormTrainOutput<3>;

    fn apply(body: Body, size: [usize; 3]) -> impl Fn([Tensor<2>; 3]) -> Tensor<2> {
        move |[x, gamma, beta]| {
            let [gamma, beta] = [gamma, beta].map(|scale| scale.flatten(0, 1));
            body(x.reshape(size), gamma, beta, EPSILON)
                .output
                .flatten(1, 2)
        }
    }

    #[test]
    fn both_bodies_agree() {
        for size in SIZES {
            let [images, channels, places] = size;
            let inputs = [
                wave([images, channels * places], 3.0, 0),
                wave([1, channels], 1.0, 1),
                wave([1, channels], 1.0, 2),
            ];
            check(
                inputs,
                apply(batch_norm, size),
                apply(batch_norm_train, size),
                1e-5,
            );
        }
    }

    #[test]
    fn the_statistics_are_burns() {
        for size in SIZES {
            let [images, channels, places] = size;
            let device = Device::flex();
            let x = Tensor::<2>::from_data(wave([images, channels * places], 3.0, 0), &device);
            let ones = Tensor::<1>::ones([channels], &device);
            let [found, expected] = [batch_norm::<3> as Body, batch_norm_train].map(|body| {
                let x = x.clone().reshape(size);
                let found = body(x, ones.clone(), ones.clone(), EPSILON);
                [found.mean, found.variance].map(Tensor::into_data)
            });
            for (found, expected) in found.iter().zip(&expected) {
                found.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
            }
        }
    }

    #[test]
    fn any_layout_is_read_and_any_other_kind_of_number_is_left_to_burn() {
        let body = |body: Body| {
            move |[x]: [Tensor<2>; 1]| {
                let x = x.reshape([6, 9, 5]).swap_dims(0, 1).narrow(1, 1, 4);
                let ones = Tensor::ones([4], (&x.device(), x.dtype()));
                body(x, ones.clone(), ones, EPSILON).output.flatten(1, 2)
            }
        };
        let x = wave([54, 5], 3.0, 0);
        check([x], body(batch_norm), body(batch_norm_train), 1e-5);
        let body = |body: Body| {
            move |x: Tensor<2>| {
                let [rows, columns] = x.dims();
                let ones = Tensor::ones([columns / 3], (&x.device(), x.dtype()));
                let x = x.reshape([rows, columns / 3, 3]);
                body(x, ones.clone(), ones, EPSILON).output.flatten(1, 2)
            }
        };
        others(body(batch_norm), body(batch_norm_train));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let gradients = || {
            let device = Device::flex().autodiff();
            let x = Tensor::<2>::from_data(wave([40, 2700], 3.0, 0), &device).require_grad();
            let ones = Tensor::<1>::ones([300], &device).require_grad();
            let found = batch_norm(
                x.clone().reshape([40, 300, 9]),
                ones.clone(),
                ones.clone(),
                EPSILON,
            );
            let y = found.output;
            let gradients = (y.clone() * y.clone() * y.clone()).sum().backward();
            let x = x.grad(&gradients).unwrap().into_data();
            let ones = ones.grad(&gradients).unwrap().into_data();
            [
                y.into_data(),
                found.mean.into_data(),
                found.variance.into_data(),
                x,
                ones,
            ]
        };
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(gradients)
        });
        assert_eq!(one, two);
        assert_eq!(one, three);
    }
}
