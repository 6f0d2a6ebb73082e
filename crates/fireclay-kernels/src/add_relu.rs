//! The end of a residual block.

#[cfg(feature = "flex")]
mod flex;

use burn::backend::Dispatch;
use burn::backend::ops::ActivationOps;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::operation::{Operation, apply};
use crate::pass::one_pass;

/// max(0, x + y). Only the result is kept for the gradient.
///
/// # Shapes
///
/// - `x`, `y`: the same
/// - result: the same
pub fn add_relu<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if x.dims() == y.dims() && crate::flex::takes(&x) && crate::flex::takes(&y) {
        return flex::add_relu(x, y);
    }
    apply(AddRelu, [x, y])
}

#[derive(Clone, Debug)]
struct AddRelu;

impl<const D: usize> Operation<D, 2, 0> for AddRelu {
    const CHEAP: bool = false;

    /// The result.
    type Kept = Tensor<D>;

    fn forward(&self, [x, y]: [Tensor<D>; 2]) -> (Tensor<D>, Tensor<D>) {
        let sum = one_pass(x, |x| relu(x + y));
        (sum.clone(), sum)
    }

    fn backward(&self, []: [Tensor<D>; 0], sum: Tensor<D>, gradient: Tensor<D>) -> [Tensor<D>; 2] {
        let gradient = one_pass(sum, |sum| relu_gradient(sum, gradient));
        [gradient.clone(), gradient]
    }
}

/// The gradient of x from that of `y` = max(0, x).
pub(crate) fn relu_gradient<const D: usize>(y: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
    let (y, gradient) = (y.into_dispatch(), gradient.into_dispatch());
    Tensor::from_dispatch(Dispatch::relu_backward(y, gradient))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::test::{WIDTHS, check, check_own, check_rows, wave};
    use burn::tensor::Device;

    fn plain<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
        relu(x + y)
    }

    #[test]
    fn both_bodies_agree() {
        for width in WIDTHS {
            let rows = 40_000 / width + 3;
            let inputs = [1, 2].map(|seed| wave([rows, width], 3.0, seed));
            check_own(inputs, |[x, y]| add_relu(x, y), |[x, y]| plain(x, y), 0.0);
        }
    }

    #[test]
    fn one_side_may_have_no_gradient_and_both_may_be_one() {
        let device = Device::flex().autodiff();
        let y = Tensor::<2>::from_data(wave([3, 5], 1.0, 2), &device);
        let x = wave([3, 5], 1.0, 1);
        let left = |body: Body| {
            let y = y.clone();
            move |[x]: [Tensor<2>; 1]| body(x.clone(), y.clone().to_device(&x.device()))
        };
        check([x.clone()], left(add_relu), left(plain), 0.0);
        let twice = |body: Body| move |[x]: [Tensor<2>; 1]| body(x.clone(), x);
        check_own([x], twice(add_relu), twice(plain), 0.0);
    }

    #[test]
    fn what_others_hold_stays_as_it_is() {
        let device = Device::flex();
        let [x, y] = [1, 2].map(|seed| Tensor::<2>::from_data(wave([3, 5], 1.0, seed), &device));
        add_relu(x.clone(), y.clone());
        assert_eq!(x.into_data(), wave([3, 5], 1.0, 1));
        assert_eq!(y.into_data(), wave([3, 5], 1.0, 2));
    }

    #[test]
    fn any_layout_is_read_and_any_kind_of_number() {
        let half = |body: Body| move |x: Tensor<2>| body(x.clone(), x * 0.5 - 0.1);
        check_rows(3.0, half(add_relu), half(plain), 0.0);
    }

    #[test]
    fn what_is_no_number_comes_through() {
        let x = Tensor::<1>::from_data([f32::NAN, 1.0], &Device::flex());
        let sum: Vec<f32> = add_relu(x.clone(), x).into_data().iter().collect();
        assert!(sum[0].is_nan() && sum[1] == 2.0);
    }

    type Body = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;
}
