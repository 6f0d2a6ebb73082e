//! Norms of the last axis with a scale for each of its places.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module;

use crate::{is_half, stand_in, widely, widen};

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and the population variance
/// of the last axis (Ba et al. 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)).
///
/// # Shapes
///
/// - `x`: `[..., width]`
/// - `gamma`, `beta`: `[width]`; no shift if absent
/// - result: `[..., width]`
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    if is_half(x.dtype()) {
        let (gamma, beta) = (widen(gamma), beta.map(widen));
        return widely(x, |x| layer_norm(x, gamma, beta, epsilon));
    }
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x) && crate::flex::takes(&gamma) {
        return flex::layer_norm(x, gamma, beta, epsilon);
    }
    if stand_in::is_wanted() {
        let y = stand_in::keeps_input(x) + gamma.unsqueeze();
        return beta.into_iter().fold(y, |y, beta| y + beta.unsqueeze());
    }
    plain_layer_norm(x, gamma, beta, epsilon)
}

/// x / sqrt(mean(x²) + epsilon) * gamma, with the mean over the last axis (Zhang & Sennrich 2019,
/// [arXiv:1910.07467](https://arxiv.org/abs/1910.07467)).
///
/// # Shapes
///
/// - `x`: `[..., width]`
/// - `gamma`: `[width]`
/// - result: `[..., width]`
pub fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    if is_half(x.dtype()) {
        let gamma = widen(gamma);
        return widely(x, |x| rms_norm(x, gamma, epsilon));
    }
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x) && crate::flex::takes(&gamma) {
        return flex::rms_norm(x, gamma, epsilon);
    }
    if stand_in::is_wanted() {
        return stand_in::keeps_input(x) + gamma.unsqueeze();
    }
    plain_rms_norm(x, gamma, epsilon)
}

fn plain_layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    module::layer_norm(x, gamma, beta, epsilon)
}

fn plain_rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let root = (x.clone().square().mean_dim(D - 1) + epsilon).sqrt();
    x / root * gamma.unsqueeze()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::test::{WIDTHS, check, check_strided, others, wave};

    const EPSILON: f64 = 1e-5;

    #[test]
    fn both_bodies_agree() {
        for width in WIDTHS {
            // Many rows, so that gradients of the scale are sums over several pieces.
            let rows = 40_000 / width + 3;
            let x = wave([rows, width], 3.0, 0);
            let [gamma, beta] = [1, 2].map(|seed| wave([width], 1.0, seed));
            check(
                [x.clone(), gamma.clone(), beta],
                |[x, gamma, beta]| layer_norm(x, row(gamma), Some(row(beta)), EPSILON),
                |[x, gamma, beta]| plain_layer_norm(x, row(gamma), Some(row(beta)), EPSILON),
                2e-5,
            );
            check(
                [x.clone(), gamma.clone()],
                |[x, gamma]| layer_norm(x, row(gamma), None, EPSILON),
                |[x, gamma]| plain_layer_norm(x, row(gamma), None, EPSILON),
                2e-5,
            );
            check(
                [x, gamma],
                |[x, gamma]| rms_norm(x, row(gamma), EPSILON),
                |[x, gamma]| plain_rms_norm(x, row(gamma), EPSILON),
                1e-5,
            );
        }
    }

    #[test]
    fn any_layout_is_read_and_any_kind_of_number() {
        let layer = |x: Tensor<2>| layer_norm(x.clone(), ones(&x), None, EPSILON);
        let plain_layer = |x: Tensor<2>| plain_layer_norm(x.clone(), ones(&x), None, EPSILON);
        check_strided(layer, plain_layer, 1e-5);
        others(layer, plain_layer);
        let rms = |x: Tensor<2>| rms_norm(x.clone(), ones(&x), EPSILON);
        let plain_rms = |x: Tensor<2>| plain_rms_norm(x.clone(), ones(&x), EPSILON);
        check_strided(rms, plain_rms, 1e-5);
        others(rms, plain_rms);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let gradient = || {
            let device = burn::tensor::Device::flex().autodiff();
            let x = Tensor::<2>::from_data(wave([2000, 48], 3.0, 0), &device);
            let gamma = ones(&x).require_grad();
            let y = layer_norm(x, gamma.clone(), None, EPSILON);
            let gradients = (y.clone() * y).sum().backward();
            gamma.grad(&gradients).unwrap().into_data()
        };
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(gradient)
        });
        assert_eq!(one, three);
    }

    fn row(tensor: Tensor<2>) -> Tensor<1> {
        tensor.flatten(0, 1)
    }

    fn ones(x: &Tensor<2>) -> Tensor<1> {
        Tensor::ones([x.dims()[1]], (&x.device(), x.dtype()))
    }
}
