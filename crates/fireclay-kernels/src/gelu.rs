//! Gaussian error linear units (Hendrycks & Gimpel 2016,
//! [arXiv:1606.08415](https://arxiv.org/abs/1606.08415)).

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;

use crate::{is_half, stand_in, widely};

/// How x Φ(x) is computed.
#[cfg(feature = "flex")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Exact,
    Tanh,
}

/// x Φ(x), with Φ the standard normal distribution function, and its exact gradient, which Burn's
/// own is not on every backend.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if is_half(x.dtype()) {
        return widely(x, gelu);
    }
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x) {
        return flex::gelu(x, Form::Exact);
    }
    if stand_in::is_wanted() {
        return stand_in::keeps_input(x);
    }
    plain(x)
}

/// x Φ(x) by its approximation x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, section 2.
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if is_half(x.dtype()) {
        return widely(x, gelu_tanh);
    }
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x) {
        return flex::gelu(x, Form::Tanh);
    }
    if stand_in::is_wanted() {
        return stand_in::keeps_input(x);
    }
    plain_tanh(x)
}

fn plain<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let error = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf();
    x * 0.5 * (error + 1.0)
}

/// The cube is a product, whose gradient is exact at zero and below it, unlike that of a power.
fn plain_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cube = x.clone() * x.clone() * x.clone();
    let inner = (cube * 0.044715 + x.clone()) * (2.0 / std::f64::consts::PI).sqrt();
    x * 0.5 * (inner.tanh() + 1.0)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{TensorData, Tolerance};

    use super::*;
    use crate::test::{WIDTHS, check, check_strided, devices, others, wave};

    #[test]
    fn both_bodies_agree() {
        for width in WIDTHS {
            let x = wave([3, width], 6.0, 0);
            check([x.clone()], |[x]| gelu(x), |[x]| plain(x), 2e-6);
            check([x], |[x]| gelu_tanh(x), |[x]| plain_tanh(x), 2e-6);
        }
    }

    #[test]
    fn any_layout_is_read_and_any_kind_of_number() {
        check_strided(gelu, plain, 2e-6);
        check_strided(gelu_tanh, plain_tanh, 2e-6);
        others(gelu, plain);
        others(gelu_tanh, plain_tanh);
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
