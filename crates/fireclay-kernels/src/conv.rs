//! Convolutions of maps.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;
use burn::tensor::module;
use burn::tensor::ops::ConvOptions;

/// Slides a kernel over maps: every number of the result is the sum of the products of the weights
/// of an output with the numbers under them, in all channels, plus the output's bias.
///
/// The loops take convolutions of one group without dilation whose padding is the same on both
/// sides; all others are Burn's.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - `weight`: `[outputs, channels / groups, kernel height, kernel width]`
/// - `bias`: `[outputs]`; none if absent
/// - result: `[batch, outputs, rows, columns]`, with
///   rows = (height + 2 · padding - kernel height) / stride + 1, rounded down, and columns alike
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x)
        && crate::flex::takes(&weight)
        && bias.as_ref().is_none_or(crate::flex::takes)
        && let Some(sizes) = flex::Sizes::of(x.dims(), weight.dims(), &options)
    {
        return flex::conv2d(x, weight, bias, sizes);
    }
    module::conv2d(x, weight, bias, options)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::test::{check_both, same_on_any_threads, wave};
    use burn::tensor::{Device, FloatDType};

    /// Shapes of the input and of the weights, stride and padding.
    type Case = ([usize; 4], [usize; 4], [usize; 2], [usize; 2]);

    const CASES: [Case; 13] = [
        ([1, 1, 3, 3], [1, 1, 3, 3], [1, 1], [0, 0]),
        ([1, 1, 8, 8], [32, 1, 3, 3], [1, 1], [1, 1]),
        ([33, 7, 8, 8], [13, 7, 3, 3], [1, 1], [1, 1]),
        ([3, 5, 9, 12], [33, 5, 3, 3], [2, 2], [1, 1]),
        ([2, 3, 17, 15], [7, 3, 7, 7], [2, 2], [3, 3]),
        ([5, 24, 7, 7], [18, 24, 1, 1], [1, 1], [0, 0]),
        ([5, 24, 8, 8], [18, 24, 1, 1], [2, 2], [0, 0]),
        ([33, 40, 2, 2], [64, 40, 3, 3], [1, 1], [1, 1]),
        ([33, 6, 1, 1], [9, 6, 1, 1], [1, 1], [0, 0]),
        ([2, 3, 16, 16], [10, 3, 8, 8], [8, 8], [0, 0]),
        ([2, 4, 11, 13], [5, 4, 5, 2], [3, 2], [2, 0]),
        // The last rows and columns are under no kernel, and one row of padding meets no number.
        ([2, 3, 6, 10], [4, 3, 1, 3], [4, 4], [1, 0]),
        // Several blocks of panels and of positions, and panels that lack columns.
        ([1, 60, 37, 36], [20, 60, 3, 3], [1, 1], [1, 1]),
    ];

    #[test]
    fn both_bodies_agree() {
        for case in CASES {
            let (x, weight, ..) = case;
            let images: usize = x[1..].iter().product();
            let kernels: usize = weight[1..].iter().product();
            let inputs = [
                wave([x[0], images], 1.0, 0),
                wave([weight[0], kernels], 1.0, 1),
                wave([weight[0], 1], 1.0, 2),
            ];
            let with_bias =
                |body, [x, weight, bias]: [_; 3]| apply(body, case, x, weight, Some(bias));
            check_both(inputs.clone(), BODIES, with_bias, 1e-5);
            let [x, weight, _] = inputs;
            let without = |body, [x, weight]: [_; 2]| apply(body, case, x, weight, None);
            check_both([x, weight], BODIES, without, 1e-5);
        }
    }

    #[test]
    fn any_layout_is_read() {
        let call = |convolve: Body, [x, weight]: [Tensor<2>; 2]| {
            let x = x.reshape([6, 8, 3, 4]).permute([2, 3, 0, 1]);
            let weight = weight.reshape([4, 3, 3, 5]).swap_dims(0, 3);
            flat(convolve(
                x.narrow(0, 1, 2),
                weight.swap_dims(1, 3),
                None,
                same(),
            ))
        };
        let inputs = [wave([48, 12], 1.0, 0), wave([12, 15], 1.0, 1)];
        check_both(inputs, BODIES, call, 1e-5);
    }

    #[test]
    fn what_the_loops_do_not_take_is_burns() {
        let x = |shape| Tensor::<4>::from_data(wave(shape, 1.0, 0), &Device::flex());
        let agree = |x: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>| {
            let found = conv2d(x.clone(), weight.clone(), None, options.clone());
            let expected = module::conv2d(x, weight, None, options);
            assert_eq!(found.into_data(), expected.into_data());
        };
        let (maps, kernels) = (x([2, 4, 6, 7]), x([8, 4, 3, 3]));
        let options = |dilation, groups| ConvOptions::new([1; 2], [1; 2], [dilation; 2], groups);
        agree(maps.clone(), x([8, 2, 3, 3]), options(1, 2));
        agree(maps.clone(), kernels.clone(), options(2, 1));
        let uneven = ConvOptions::new_with_padding([1; 2], [(0, 1), (1, 0)], [1; 2], 1);
        agree(maps.clone(), kernels.clone(), uneven);
        for dtype in [FloatDType::F64, FloatDType::F16, FloatDType::BF16] {
            agree(
                maps.clone().cast(dtype),
                kernels.clone().cast(dtype),
                same(),
            );
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let gradients = || {
            let device = Device::flex().autodiff();
            let tensor = |shape, seed| {
                Tensor::<4>::from_data(wave(shape, 1.0, seed), &device).require_grad()
            };
            let (x, weight) = (tensor([33, 7, 8, 8], 0), tensor([70, 7, 3, 3], 1));
            let y = conv2d(x.clone(), weight.clone(), None, same());
            let gradients = (y.clone() * y.clone()).sum().backward();
            let [x, weight] = [x, weight].map(|tensor| tensor.grad(&gradients).unwrap());
            [y.into_data(), x.into_data(), weight.into_data()]
        };
        same_on_any_threads(gradients);
    }

    type Body = fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, ConvOptions<2>) -> Tensor<4>;
    const BODIES: [Body; 2] = [conv2d, module::conv2d];

    fn apply(
        body: Body,
        (shape, kernels, stride, padding): Case,
        x: Tensor<2>,
        weight: Tensor<2>,
        bias: Option<Tensor<2>>,
    ) -> Tensor<2> {
        let options = ConvOptions::new(stride, padding, [1; 2], 1);
        let bias = bias.map(|bias| bias.flatten(0, 1));
        let (x, weight) = (x.reshape(shape), weight.reshape(kernels));
        flat(body(x, weight, bias, options))
    }

    fn flat(maps: Tensor<4>) -> Tensor<2> {
        maps.flatten(1, 3)
    }

    /// Three by three, and the result is as large as the input.
    fn same() -> ConvOptions<2> {
        ConvOptions::new([1; 2], [1; 2], [1; 2], 1)
    }
}
