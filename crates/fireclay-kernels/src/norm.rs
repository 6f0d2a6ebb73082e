//! Norms of the last axis with a scale for each of its positions.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module;

use crate::half::{widely, widen};
use crate::operation::{Operation, apply};
use crate::pass::one_pass;

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
    let norm = Norm {
        centre: Centre::Mean,
        epsilon,
    };
    let gamma = gamma.unsqueeze();
    by_row(x, |x| match beta {
        Some(beta) => apply(norm, [x, gamma, beta.unsqueeze()]),
        None => apply(norm, [x, gamma]),
    })
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
    let norm = Norm {
        centre: Centre::Zero,
        epsilon,
    };
    by_row(x, |x| apply(norm, [x, gamma.unsqueeze()]))
}

fn by_row<const D: usize>(x: Tensor<D>, norm: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<D> {
    let dims = x.dims();
    let rows = dims[..D - 1].iter().product();
    norm(x.reshape([rows, dims[D - 1]])).reshape(dims)
}

/// Takes rows and the scale of each position, `[1, width]`; perhaps a shift of the same kind, too.
#[derive(Clone, Copy, Debug)]
struct Norm {
    centre: Centre,
    epsilon: f64,
}

/// What the deviation of a row is measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Centre {
    Mean,
    Zero,
}

impl Operation<2, 2, 2> for Norm {
    const CHEAP: bool = true;

    type Kept = ();

    fn forward(&self, [x, gamma]: [Tensor<2>; 2]) -> (Tensor<2>, ()) {
        (self.values(x, gamma, None), ())
    }

    fn backward(&self, [x, gamma]: [Tensor<2>; 2], _: (), gradient: Tensor<2>) -> [Tensor<2>; 2] {
        let [to_x, to_gamma, _] = self.gradients(x, gamma, gradient);
        [to_x, to_gamma]
    }
}

impl Operation<2, 3, 2> for Norm {
    const CHEAP: bool = true;

    type Kept = ();

    fn forward(&self, [x, gamma, beta]: [Tensor<2>; 3]) -> (Tensor<2>, ()) {
        (self.values(x, gamma, Some(beta)), ())
    }

    fn backward(&self, [x, gamma]: [Tensor<2>; 2], _: (), gradient: Tensor<2>) -> [Tensor<2>; 3] {
        self.gradients(x, gamma, gradient)
    }
}

impl Norm {
    fn values(self, x: Tensor<2>, gamma: Tensor<2>, beta: Option<Tensor<2>>) -> Tensor<2> {
        let (gamma, beta) = (widen(gamma), beta.map(widen));
        widely(x, |x| {
            #[cfg(feature = "flex")]
            if [&x, &gamma]
                .into_iter()
                .chain(&beta)
                .all(crate::flex::takes)
            {
                return flex::values(x, gamma, beta, self);
            }
            let (gamma, beta) = (gamma.flatten(0, 1), beta.map(|beta| beta.flatten(0, 1)));
            one_pass(x, |x| match self.centre {
                Centre::Mean => module::layer_norm(x, gamma, beta, self.epsilon),
                Centre::Zero => plain_rms_norm(x, gamma, self.epsilon),
            })
        })
    }

    /// The gradients of x, of the scale and of the shift.
    fn gradients(self, x: Tensor<2>, gamma: Tensor<2>, gradient: Tensor<2>) -> [Tensor<2>; 3] {
        let kinds = [x.dtype(), gamma.dtype()];
        let [to_x, to_gamma, to_beta] = self.wide_gradients([x, gamma, gradient].map(widen));
        let [to_gamma, to_beta] = [to_gamma, to_beta].map(|to_scale| to_scale.cast(kinds[1]));
        [to_x.cast(kinds[0]), to_gamma, to_beta]
    }

    fn wide_gradients(self, [x, gamma, gradient]: [Tensor<2>; 3]) -> [Tensor<2>; 3] {
        #[cfg(feature = "flex")]
        if [&x, &gamma].into_iter().all(crate::flex::takes) {
            return flex::gradients([x, gamma, gradient], self);
        }
        one_pass(x, |x| self.plain_gradients(x, gamma, gradient))
    }

    fn plain_gradients(
        self,
        x: Tensor<2>,
        gamma: Tensor<2>,
        gradient: Tensor<2>,
    ) -> [Tensor<2>; 3] {
        let x = self.centre.centred(x);
        let square = (x.clone() * x.clone()).mean_dim(1);
        let factor = (square + self.epsilon).sqrt().recip(); // [rows, 1]
        let normed = x * factor.clone();
        let to_gamma = (gradient.clone() * normed.clone()).sum_dim(0);
        let to_beta = gradient.clone().sum_dim(0);
        let to_normed = gradient * gamma;
        let along = (to_normed.clone() * normed.clone()).mean_dim(1);
        let to_x = (self.centre.centred(to_normed) - normed * along) * factor;
        [to_x, to_gamma, to_beta]
    }
}

impl Centre {
    fn centred(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Mean => x.clone() - x.mean_dim(1),
            Self::Zero => x,
        }
    }
}

fn plain_rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let root = (x.clone().square().mean_dim(D - 1) + epsilon).sqrt();
    x / root * gamma.unsqueeze()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::test::{WIDTHS, check_own, check_strided, others, same_on_any_threads, wave};

    const EPSILON: f64 = 1e-5;

    #[test]
    fn both_bodies_agree() {
        for width in WIDTHS {
            // Many rows, so that gradients of the scale are sums over several pieces.
            let rows = 40_000 / width + 3;
            let x = wave([rows, width], 3.0, 0);
            let [gamma, beta] = [1, 2].map(|seed| wave([width], 1.0, seed));
            check_own(
                [x.clone(), gamma.clone(), beta],
                |[x, gamma, beta]| layer_norm(x, row(gamma), Some(row(beta)), EPSILON),
                |[x, gamma, beta]| module::layer_norm(x, row(gamma), Some(row(beta)), EPSILON),
                2e-5,
            );
            check_own(
                [x.clone(), gamma.clone()],
                |[x, gamma]| layer_norm(x, row(gamma), None, EPSILON),
                |[x, gamma]| module::layer_norm(x, row(gamma), None, EPSILON),
                2e-5,
            );
            check_own(
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
        let plain_layer = |x: Tensor<2>| module::layer_norm(x.clone(), ones(&x), None, EPSILON);
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
            let device = Device::flex().autodiff();
            let x = Tensor::<2>::from_data(wave([2000, 48], 3.0, 0), &device);
            let gamma = ones(&x).require_grad();
            let y = layer_norm(x, gamma.clone(), None, EPSILON);
            let gradients = (y.clone() * y).sum().backward();
            gamma.grad(&gradients).unwrap().into_data()
        };
        same_on_any_threads(gradient);
    }

    #[test]
    fn what_is_without_autodiff_is_a_constant() {
        let tensor = |shape: [usize; 2], device: &Device| {
            Tensor::<2>::from_data(wave(shape, 2.0, 1), &device.clone().without_autodiff())
        };
        let gamma = |x: &Tensor<2>| row(tensor([1, 7], &x.device()));
        check_own(
            [wave([5, 7], 3.0, 0)],
            |[x]| layer_norm(x.clone(), gamma(&x), Some(gamma(&x)), EPSILON),
            |[x]| module::layer_norm(x.clone(), gamma(&x), Some(gamma(&x)), EPSILON),
            2e-5,
        );
        let x = |gamma: &Tensor<2>| tensor([5, 7], &gamma.device());
        check_own(
            [wave([1, 7], 1.0, 0)],
            |[gamma]| layer_norm(x(&gamma), row(gamma), None, EPSILON),
            |[gamma]| module::layer_norm(x(&gamma), row(gamma), None, EPSILON),
            2e-5,
        );
    }

    fn row(tensor: Tensor<2>) -> Tensor<1> {
        tensor.flatten(0, 1)
    }

    fn ones(x: &Tensor<2>) -> Tensor<1> {
        Tensor::ones([x.dims()[1]], (&x.device(), x.dtype()))
    }
}
