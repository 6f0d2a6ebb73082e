//! Max pooling of maps.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::MaxPoolOptions;

/// The greatest number of each window of a map; of equal ones the first gets the gradient. Windows
/// reach beyond the map by `padding`, where there is nothing.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - result: `[batch, channels, rows, columns]`, with
///   rows = (height + 2 · padding - kernel height) / stride + 1, rounded down, and columns alike
pub fn max_pool2d(x: Tensor<4>, options: MaxPoolOptions<2>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x)
        && let Some(windows) = flex::Windows::of(x.dims(), &options)
    {
        return flex::max_pool2d(x, windows);
    }
    module::max_pool2d(x, options)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::test::{check_both, wave};
    use burn::tensor::{Device, FloatDType};

    fn options(kernel: usize, stride: usize, padding: usize) -> MaxPoolOptions<2> {
        let mut options = MaxPoolOptions::new([kernel; 2]);
        options.stride = [stride; 2];
        options.padding = [(padding, padding); 2];
        options
    }

    fn cases() -> Vec<([usize; 4], MaxPoolOptions<2>)> {
        let mut uneven = MaxPoolOptions::new([3, 2]);
        uneven.stride = [1, 3];
        uneven.padding = [(1, 0), (0, 1)];
        let mut others = [uneven.clone(), uneven.clone()];
        others[0].dilation = [2, 1];
        others[1].ceil_mode = true;
        let [dilated, up] = others;
        vec![
            ([1, 1, 2, 2], options(2, 2, 0)),
            ([64, 32, 8, 8], options(2, 2, 0)),
            ([3, 5, 9, 7], options(2, 2, 0)),
            ([2, 3, 32, 32], options(3, 2, 1)),
            ([2, 3, 7, 9], options(1, 2, 0)),
            ([1, 2, 5, 5], options(3, 1, 1)),
            ([2, 2, 6, 7], uneven),
            ([2, 2, 6, 7], dilated),
            ([2, 2, 6, 7], up),
        ]
    }

    type Body = fn(Tensor<4>, MaxPoolOptions<2>) -> Tensor<4>;

    const BODIES: [Body; 2] = [max_pool2d, module::max_pool2d];

    #[test]
    fn both_bodies_agree() {
        for (shape, options) in cases() {
            let x = wave([shape[0], shape[1..].iter().product()], 1.0, 0);
            let call = |pool: Body, [x]: [Tensor<2>; 1]| {
                pool(x.reshape(shape), options.clone()).flatten(1, 3)
            };
            check_both([x], BODIES, call, 0.0);
        }
    }

    #[test]
    fn any_layout_is_read_and_any_other_kind_of_number_is_left_to_burn() {
        let call = |pool: Body, [x]: [Tensor<2>; 1]| {
            let x = x.reshape([6, 8, 3, 4]).permute([2, 3, 0, 1]);
            pool(x.narrow(0, 1, 2), options(2, 2, 0)).flatten(1, 3)
        };
        check_both([wave([48, 12], 1.0, 0)], BODIES, call, 0.0);
        for dtype in [FloatDType::F64, FloatDType::F16] {
            let x = Tensor::<4>::from_data(wave([2, 3, 6, 6], 1.0, 0), &Device::flex()).cast(dtype);
            let [found, expected] =
                BODIES.map(|pool| pool(x.clone(), options(2, 2, 0)).into_data());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_no_number_comes_through() {
        let x = Tensor::<4>::from_data([[[[1.0, f32::NAN], [3.0, 2.0]]]], &Device::flex());
        let y: Vec<f32> = max_pool2d(x, options(2, 2, 0)).into_data().iter().collect();
        assert!(y[0].is_nan());
    }
}
