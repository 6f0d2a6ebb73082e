//! Gaussian error linear units, and those of the logistic function (Hendrycks & Gimpel 2016,
//! [arXiv:1606.08415](https://arxiv.org/abs/1606.08415)).

#[cfg(feature = "flex")]
mod flex;

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, PI};

use burn::tensor::{Tensor, activation};

use crate::half::{widely, widen};
use crate::operation::{Operation, apply};
use crate::pass::one_pass;

/// What x is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Exact,
    Tanh,
    Logistic,
}

/// x Φ(x), with Φ the standard normal distribution function, and its exact gradient, which Burn's
/// own is not on every backend.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Form::Exact, [x])
}

/// x Φ(x) by its approximation x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, section 2.
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Form::Tanh, [x])
}

/// x σ(x), with σ the logistic function, section 4.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Form::Logistic, [x])
}

impl<const D: usize> Operation<D, 1, 1> for Form {
    const CHEAP: bool = true;

    type Kept = ();

    fn forward(&self, [x]: [Tensor<D>; 1]) -> (Tensor<D>, ()) {
        (widely(x, |x| self.values(x)), ())
    }

    fn backward(&self, [x]: [Tensor<D>; 1], _: (), gradient: Tensor<D>) -> [Tensor<D>; 1] {
        [widely(x, |x| self.gradient(x, widen(gradient)))]
    }
}

impl Form {
    fn values<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&x) {
            return flex::values(x, self);
        }
        one_pass(x, |x| match self {
            Self::Exact => plain(x),
            Self::Tanh => plain_tanh(x),
            Self::Logistic => activation::silu(x),
        })
    }

    /// The gradient multiplied by the derivative at x.
    fn gradient<const D: usize>(self, x: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&x) {
            return flex::gradient(x, gradient, self);
        }
        one_pass(x, |x| match self {
            Self::Exact => derivative(x) * gradient,
            Self::Tanh => derivative_tanh(x) * gradient,
            Self::Logistic => derivative_logistic(x) * gradient,
        })
    }
}

fn plain<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    below(x.clone()) * x
}

/// Φ(x) + x φ(x).
fn derivative<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let density = (x.clone() * x.clone() * -0.5).exp() * (2.0 * PI).sqrt().recip();
    below(x.clone()) + x * density
}

/// Φ(x).
fn below<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5
}

/// The cube is a product, whose gradient is exact at zero and below it, unlike that of a power.
fn plain_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    (tanh(x.clone()) + 1.0) * 0.5 * x
}

fn derivative_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let tanh = tanh(x.clone());
    let inner = (x.clone() * x.clone() * (3.0 * CUBE) + 1.0) * FRAC_2_PI.sqrt();
    let rest = (tanh.clone() * tanh.clone()).neg() + 1.0;
    (tanh + 1.0 + x * inner * rest) * 0.5
}

fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cube = x.clone() * x.clone() * x.clone();
    ((cube * CUBE + x) * FRAC_2_PI.sqrt()).tanh()
}

fn derivative_logistic<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let share = activation::sigmoid(x.clone());
    let rest = share.clone().neg() + 1.0;
    (x * rest + 1.0) * share
}

const CUBE: f64 = 0.044715;

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{TensorData, Tolerance};

    use super::*;
    use crate::test::{check_rows, devices};

    #[test]
    fn both_bodies_agree_on_any_layout_and_kind_of_number() {
        check_rows(6.0, gelu, plain, 2e-6);
        check_rows(6.0, gelu_tanh, plain_tanh, 2e-6);
        check_rows(6.0, silu, activation::silu, 2e-6);
    }

    /// Burn's own gradient of the exact form is an approximation on ndarray.
    #[test]
    fn the_plain_gradient_is_exact() {
        for device in devices() {
            let device = device.autodiff();
            let x = Tensor::<1>::from_data([-3.0, -0.7, 0.0, 0.4, 2.0], &device).require_grad();
            let gradient = x.grad(&plain(x.clone()).sum().backward()).unwrap();
            // Φ(x) + x φ(x) in double precision.
            let expected = TensorData::from([-0.011945647, 0.0233859, 0.5, 0.8027298, 1.0852318]);
            let bound = Tolerance::absolute(1e-6);
            gradient
                .into_data()
                .assert_approx_eq::<f32>(&expected, bound);
        }
    }
}
