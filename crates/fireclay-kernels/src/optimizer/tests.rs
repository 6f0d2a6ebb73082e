//! One body is held against the other, to the bit.

use burn::tensor::{Device, FloatDType, TensorData};

use super::*;
use crate::test::{HALVES, close, same_on_any_threads, wave};

/// One number, less than a piece of work, and several pieces with a rest.
const LENGTHS: [usize; 3] = [1, 1000, 70_001];

const ADAMW: AdamStep = AdamStep {
    betas: (0.9, 0.999),
    shrink: 0.998,
    penalty: 0.0,
    epsilon: 1e-8,
    size: 1e-2,
};

const NESTEROV: MomentumStep = MomentumStep {
    momentum: 0.9,
    share: 0.8,
    nesterov: true,
    penalty: 0.01,
    size: 0.1,
};

fn tensors<const N: usize>(length: usize) -> [Tensor<1>; N] {
    std::array::from_fn(|seed| Tensor::from_data(wave([length], 1.0, seed), &Device::flex()))
}

/// A parameter, its averages, of which the second is never below 0, and its gradient.
fn adam_tensors(length: usize) -> (Tensor<1>, [Tensor<1>; 2], Tensor<1>) {
    let [parameter, first, second, gradient] = tensors(length);
    (parameter, [first, second.abs()], gradient)
}

fn adam_data((parameter, [first, second]): (Tensor<1>, [Tensor<1>; 2])) -> [TensorData; 3] {
    [parameter, first, second].map(Tensor::into_data)
}

#[test]
fn both_bodies_of_adam_agree() {
    let penalised = AdamStep {
        shrink: 1.0,
        penalty: 0.1,
        ..ADAMW
    };
    for length in LENGTHS {
        for step in [ADAMW, penalised] {
            let (parameter, averages, gradient) = adam_tensors(length);
            let plain = plain_adam(parameter.clone(), averages.clone(), gradient.clone(), step);
            let found = adam(parameter, averages, gradient, step);
            assert_eq!(adam_data(found), adam_data(plain), "{length}, {step:?}");
        }
    }
}

#[test]
fn both_bodies_of_momentum_agree() {
    let heavy_ball = MomentumStep {
        nesterov: false,
        penalty: 0.0,
        ..NESTEROV
    };
    for length in LENGTHS {
        for step in [NESTEROV, heavy_ball] {
            let [parameter, velocity, gradient] = tensors(length);
            let plain = plain_momentum(parameter.clone(), velocity.clone(), gradient.clone(), step);
            let found = momentum(parameter, velocity, gradient, step);
            let data = |(parameter, velocity): (Tensor<1>, Tensor<1>)| {
                [parameter, velocity].map(Tensor::into_data)
            };
            assert_eq!(data(found), data(plain), "{length}, {step:?}");
        }
    }
}

#[test]
fn both_bodies_of_descent_and_lerp_agree() {
    for length in LENGTHS {
        let [a, b] = tensors(length);
        for penalty in [0.0, 0.1] {
            let plain = plain_descent(a.clone(), b.clone(), penalty, 0.3).into_data();
            let found = descent(a.clone(), b.clone(), penalty, 0.3).into_data();
            assert_eq!(found, plain, "{length}, {penalty}");
        }
        let plain = plain_lerp(a.clone(), b.clone(), 0.01).into_data();
        assert_eq!(lerp(a, b, 0.01).into_data(), plain, "{length}");
    }
}

#[test]
fn a_sum_of_squares_is_near_its_value() {
    for length in LENGTHS {
        let data = wave([length], 3.0, 1);
        let expected: f64 = data.iter::<f64>().map(|x| x * x).sum();
        let x = Tensor::<1>::from_data(data, &Device::flex());
        let found = f64::from(sum_of_squares(x.clone()).into_scalar::<f32>());
        assert!((found / expected - 1.0).abs() < 1e-6, "{found}, {expected}");
        let half = sum_of_squares(x.cast(FloatDType::F16));
        let half = f64::from(half.into_scalar::<f32>());
        assert!((half / expected - 1.0).abs() < 1e-2, "{half}, {expected}");
    }
}

#[test]
fn steps_in_half_precision_are_near_those_in_single_precision() {
    for (dtype, bound) in HALVES {
        let [parameter, first, second, gradient] =
            [0, 1, 2, 3].map(|seed| Tensor::<1>::from_data(wave([50], 1.0, seed), &Device::flex()));
        let all = [parameter, first, second.abs() + 0.1, gradient].map(|tensor| tensor.cast(dtype));
        let steps = |[parameter, first, second, gradient]: [Tensor<1>; 4]| {
            let (adam, _) = adam(
                parameter.clone(),
                [first.clone(), second],
                gradient.clone(),
                ADAMW,
            );
            let (momentum, _) = momentum(parameter.clone(), first, gradient.clone(), NESTEROV);
            let descent = descent(parameter.clone(), gradient.clone(), 0.1, 0.3);
            let lerp = lerp(parameter, gradient, 0.01);
            [adam, momentum, descent, lerp].map(Tensor::into_data)
        };
        let expected = steps(all.clone().map(|tensor| tensor.cast(FloatDType::F32)));
        for (found, expected) in steps(all).into_iter().zip(expected) {
            assert_eq!(found.dtype(), dtype.into());
            close(found, &expected, bound);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    same_on_any_threads(|| {
        let (parameter, averages, gradient) = adam_tensors(70_001);
        let sum = sum_of_squares(gradient.clone()).into_data();
        (sum, adam_data(adam(parameter, averages, gradient, ADAMW)))
    });
}

#[test]
fn what_nothing_else_holds_is_overwritten_and_the_rest_left_alone() {
    let address = |data: &TensorData| data.as_bytes().as_ptr();
    let data = std::array::from_fn::<_, 3, _>(|seed| wave([1000], 1.0, seed));
    let addresses = data.each_ref().map(address);
    let [parameter, velocity, gradient] =
        data.map(|data| Tensor::<1>::from_data(data, &Device::flex()));
    let held = velocity.clone();
    let (parameter, velocity) = momentum(parameter, velocity, gradient, NESTEROV);
    let [parameter, velocity] = [parameter, velocity].map(Tensor::into_data);
    assert_eq!(address(&parameter), addresses[0]);
    assert_ne!(address(&velocity), addresses[1]);
    assert_eq!(held.into_data(), wave([1000], 1.0, 1));
}

#[test]
fn any_layout_is_read() {
    let grid: Tensor<2> = Tensor::from_data(wave([6, 4], 1.0, 0), &Device::flex());
    let turned = || grid.clone().transpose();
    let found = descent(turned(), turned(), 0.0, 0.5).into_data();
    assert_eq!(found, (turned() - turned().mul_scalar(0.5)).into_data());
    let part = || grid.clone().slice([1..3, 0..4]);
    let found = lerp(part(), part().neg(), 0.5).into_data();
    assert_eq!(found, part().zeros_like().into_data());
}

#[test]
#[should_panic(expected = "tensors of one shape")]
fn other_shapes_are_refused() {
    let [long] = tensors(5);
    let [short] = tensors(1);
    descent(long, short, 0.0, 0.1);
}
