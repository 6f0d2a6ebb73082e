//! Linear layers.

#[cfg(feature = "flex")]
mod alone;
#[cfg(feature = "flex")]
mod flex;

use std::cell::Cell;

use burn::tensor::{Tensor, module};

thread_local! {
    /// Whether [`each_row_alone`] does something on this thread.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, in which each row of a product that [`linear`] makes on the CPU has the bits that it would have if
/// there were no other. A product of many rows rounds otherwise for other numbers of rows. What has autodiff is
/// computed as ever, and so is what is on another device: there the bits of a row are the same for the same number
/// of rows.
pub fn each_row_alone<T>(work: impl FnOnce() -> T) -> T {
    alone(true, work)
}

/// Does `work` where [`each_row_alone`] holds, or where it does not.
pub(crate) fn alone<T>(is_alone: bool, work: impl FnOnce() -> T) -> T {
    /// Sets it back, though `work` may panic.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(is_alone));
    work()
}

/// Whether it holds on this thread.
#[cfg(feature = "flex")]
pub(crate) fn is_alone() -> bool {
    ALONE.get()
}

/// The products of rows with a matrix, plus a bias: x W + b. The weight's gradient is one product
/// over all rows, whatever axes `x` has before its last.
///
/// The loops for the CPU write products straight to memory that nothing has cleared.
///
/// # Shapes
///
/// - `x`: `[.., inputs]`
/// - `weight`: `[inputs, outputs]`; one that is a transposed view is read as it lies
/// - `bias`: `[outputs]`; none if absent
/// - result: `[.., outputs]`
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x)
        && crate::flex::takes(&weight)
        && bias.as_ref().is_none_or(crate::flex::takes)
    {
        let is_plain = !x.is_autodiff() && !weight.is_autodiff();
        return match is_alone() && is_plain {
            true => alone::linear(x, weight, bias),
            false => flex::linear(x, weight, bias),
        };
    }
    module::linear(x, weight, bias)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::test::{check_both, close, others, same_on_any_threads, wave};

    /// Rows, inputs, outputs.
    const SIZES: [[usize; 3]; 7] = [
        [1, 1, 1],
        [8, 7, 2],
        [33, 30, 64],
        [24, 100, 17],
        [700, 5, 10],
        [50, 600, 40],
        [200, 300, 200],
    ];

    type Body = fn(Tensor<2>, Tensor<2>, Option<Tensor<1>>) -> Tensor<2>;
    const BODIES: [Body; 2] = [linear, module::linear];

    #[test]
    fn both_bodies_agree() {
        for [rows, inputs, outputs] in SIZES {
            let x = wave([rows, inputs], 1.0, 0);
            let weight = wave([inputs, outputs], 1.0, 1);
            let bias = wave([1, outputs], 1.0, 2);
            let plain = |linear: Body, [x, weight]: [_; 2]| linear(x, weight, None);
            check_both([x.clone(), weight.clone()], BODIES, plain, 1e-5);
            let affine = |linear: Body, [x, weight, bias]: [Tensor<2>; 3]| {
                linear(x, weight, Some(bias.flatten(0, 1)))
            };
            check_both([x, weight, bias], BODIES, affine, 1e-5);
        }
    }

    #[test]
    fn a_transposed_weight_and_any_other_layout_are_read() {
        for [rows, inputs, outputs] in SIZES {
            let data = [
                wave([rows, inputs], 1.0, 0),
                wave([outputs, inputs], 1.0, 1),
            ];
            let transposed =
                |linear: Body, [x, weight]: [Tensor<2>; 2]| linear(x, weight.transpose(), None);
            check_both(data, BODIES, transposed, 1e-5);
        }
        let part = |weight: Tensor<2>| weight.transpose().slice([3..33, 1..20]);
        let flipped = |weight: Tensor<2>| weight.transpose().slice([3..33, 1..20]).flip([0]);
        for of in [part, flipped] {
            let data = [wave([30, 12], 1.0, 0), wave([21, 40], 1.0, 1)];
            let call =
                |linear: Body, [x, weight]: [Tensor<2>; 2]| linear(x.transpose(), of(weight), None);
            check_both(data, BODIES, call, 1e-5);
        }
    }

    /// Burn's ndarray divides by zero there.
    #[test]
    fn nothing_is_multiplied_too() {
        let device = Device::flex().autodiff();
        for [rows, inputs, outputs] in [[3, 0, 5], [0, 5, 300], [2, 4, 0]] {
            let [x, weight] = [[rows, inputs], [inputs, outputs]]
                .map(|shape| Tensor::<2>::ones(shape, &device).require_grad());
            let bias = Tensor::<1>::ones([outputs], &device).require_grad();
            let y = linear(x.clone(), weight.clone(), Some(bias.clone()));
            let gradients = y.clone().sum().backward();
            assert_eq!(
                y.into_data(),
                Tensor::<2>::ones([rows, outputs], &device).into_data()
            );
            assert_eq!(x.grad(&gradients).unwrap().dims(), [rows, inputs]);
            assert_eq!(weight.grad(&gradients).unwrap().dims(), [inputs, outputs]);
            let of_bias: Vec<f32> = bias.grad(&gradients).unwrap().into_data().iter().collect();
            assert_eq!(of_bias, vec![rows as f32; outputs]);
        }
    }

    /// As of a layer below one that learns, or of one that is frozen.
    #[test]
    fn either_side_may_have_no_gradient() {
        let device = Device::flex().autodiff();
        let constant = |shape, seed| Tensor::<2>::from_data(wave(shape, 1.0, seed), &device);
        let gradients = BODIES.map(|linear| {
            let (x, weight) = (constant([6, 5], 0), constant([5, 4], 1));
            let [of_x, of_weight] = [true, false].map(|of_x| {
                let side = if of_x { &x } else { &weight };
                let side = side.clone().require_grad();
                let y = match of_x {
                    true => linear(side.clone(), weight.clone(), None),
                    false => linear(x.clone(), side.clone(), None),
                };
                side.grad(&y.square().sum().backward()).unwrap()
            });
            [of_x, of_weight].map(Tensor::into_data)
        });
        let [found, expected] = gradients;
        for (found, expected) in found.into_iter().zip(&expected) {
            close(found, expected, 1e-5);
        }
    }

    #[test]
    fn any_axes_are_rows() {
        type Body = fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>) -> Tensor<3>;
        let call = |linear: Body, [x, weight]: [Tensor<2>; 2]| {
            let x = x.reshape([4, 6, 10]).swap_dims(0, 1);
            linear(x, weight, None).flatten(1, 2)
        };
        let data = [wave([24, 10], 1.0, 0), wave([10, 12], 1.0, 1)];
        check_both(data, [linear as Body, module::linear], call, 1e-5);
    }

    #[test]
    fn other_kinds_of_numbers_are_left_to_burn() {
        let apply = |linear: Body| move |x: Tensor<2>| linear(x.clone(), x.transpose(), None);
        others(apply(linear), apply(module::linear));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let gradients = || {
            let device = Device::flex().autodiff();
            let [x, weight] = [[300, 700], [700, 300]].map(|shape| {
                Tensor::<2>::from_data(wave(shape, 1.0, shape[0]), &device).require_grad()
            });
            let bias = Tensor::<1>::from_data(wave([300], 1.0, 2), &device).require_grad();
            let y = linear(x.clone(), weight.clone(), Some(bias.clone()));
            let gradients = y.clone().square().sum().backward();
            let [x, weight] = [x, weight].map(|tensor| tensor.grad(&gradients).unwrap());
            let bias = bias.grad(&gradients).unwrap();
            [y, x, weight, bias.unsqueeze()].map(Tensor::into_data)
        };
        same_on_any_threads(gradients);
    }

    /// The rows of a product in which each is as if alone.
    fn rows(x: &Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Vec<Vec<f32>> {
        let y = each_row_alone(|| linear(x.clone(), weight.clone(), bias.cloned()));
        let width = y.dims()[1].max(1);
        let numbers: Vec<f32> = y.into_data().iter().collect();
        numbers.chunks(width).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn a_row_alone_has_the_bits_that_it_has_in_company() {
        let device = Device::flex();
        for [many, inputs, outputs] in SIZES {
            let x = Tensor::<2>::from_data(wave([many, inputs], 1.0, 0), &device);
            let bias = Tensor::<1>::from_data(wave([outputs], 1.0, 2), &device);
            let across = Tensor::<2>::from_data(wave([outputs, inputs], 1.0, 1), &device);
            let down = Tensor::<2>::from_data(across.clone().transpose().into_data(), &device);
            for weight in [down, across.transpose()] {
                for bias in [None, Some(&bias)] {
                    let plain = module::linear(x.clone(), weight.clone(), bias.cloned());
                    let found = each_row_alone(|| linear(x.clone(), weight.clone(), bias.cloned()));
                    close(found.into_data(), &plain.into_data(), 1e-5);
                    let together = rows(&x, &weight, bias);
                    for count in [1, 2, 3, 5, 8].into_iter().filter(|count| *count < many) {
                        let first = many - count;
                        let some = rows(&x.clone().narrow(0, first, count), &weight, bias);
                        assert_eq!(some, together[first..], "{count} rows");
                    }
                }
            }
        }
        assert!(!ALONE.get());
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits_alone() {
        let y = || {
            let [x, weight] = [[5, 300], [300, 1700]]
                .map(|shape| Tensor::<2>::from_data(wave(shape, 1.0, shape[0]), &Device::flex()));
            let across = weight.clone().transpose().into_data();
            let across = Tensor::<2>::from_data(across, &Device::flex()).transpose();
            let of = |weight: Tensor<2>| each_row_alone(|| linear(x.clone(), weight, None));
            [of(weight), of(across)].map(Tensor::into_data)
        };
        same_on_any_threads(y);
    }
}
