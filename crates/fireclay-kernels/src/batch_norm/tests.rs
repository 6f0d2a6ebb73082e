use super::*;
use crate::test::{check_both, others, same_on_any_threads, wave};
use burn::tensor::{Device, TensorData, Tolerance};

const EPSILON: f64 = 1e-5;

/// Images, channels, positions.
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

type Given = fn(Tensor<3>, [Tensor<1>; 2], [Tensor<1>; 2], f64) -> Tensor<3>;

fn plain_relu(
    x: Tensor<3>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<3> {
    let normed = batch_norm_train(x, gamma, beta, epsilon);
    BatchNormTrainOutput {
        output: relu(normed.output),
        ..normed
    }
}

fn plain_given(
    x: Tensor<3>,
    [gamma, beta]: [Tensor<1>; 2],
    [mean, variance]: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<3> {
    module::batch_norm(x, gamma, beta, mean, variance, epsilon)
}

fn plain_given_relu(
    x: Tensor<3>,
    scales: [Tensor<1>; 2],
    statistics: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<3> {
    relu(plain_given(x, scales, statistics, epsilon))
}

/// Maps, and as many vectors of a number for each channel as are missing.
fn inputs<const N: usize>([images, channels, positions]: [usize; 3]) -> [TensorData; N] {
    std::array::from_fn(|seed| match seed {
        0 => wave([images, channels * positions], 3.0, 0),
        _ => wave([1, channels], 1.0, seed),
    })
}

#[test]
fn both_bodies_agree_where_negative_results_are_cut_off_too() {
    for size in SIZES {
        let call = |body: Body, [x, gamma, beta]: [Tensor<2>; 3]| {
            let [gamma, beta] = [gamma, beta].map(|scale| scale.flatten(0, 1));
            let normed = body(x.reshape(size), gamma, beta, EPSILON);
            normed.output.flatten(1, 2)
        };
        check_both(
            inputs(size),
            [batch_norm as Body, batch_norm_train],
            call,
            1e-5,
        );
        check_both(
            inputs(size),
            [batch_norm_relu as Body, plain_relu],
            call,
            1e-5,
        );
    }
}

#[test]
fn both_bodies_agree_on_given_statistics() {
    for size in SIZES {
        let call = |body: Given, [x, scales @ ..]: [Tensor<2>; 5]| {
            let [gamma, beta, mean, deviation] = scales.map(|scale| scale.flatten(0, 1));
            let statistics = [mean, deviation.square()];
            body(x.reshape(size), [gamma, beta], statistics, 0.1).flatten(1, 2)
        };
        check_both(inputs(size), [normalise as Given, plain_given], call, 1e-5);
        check_both(
            inputs(size),
            [normalise_relu as Given, plain_given_relu],
            call,
            1e-5,
        );
    }
}

#[test]
fn given_statistics_leave_what_others_hold() {
    let device = Device::flex();
    let x = Tensor::<2>::from_data(wave([6, 60], 3.0, 0), &device).reshape([6, 12, 5]);
    let held = x.clone();
    let part = x.clone().swap_dims(0, 1).narrow(1, 2, 3);
    let ones = Tensor::<1>::ones([12], &device);
    let [found, expected] = [normalise_relu as Given, plain_given_relu].map(|body| {
        let ones = || [ones.clone(), ones.clone()];
        [x.clone(), part.clone().swap_dims(0, 1)]
            .map(|x| body(x, ones(), ones(), EPSILON).into_data())
    });
    for (found, expected) in found.iter().zip(&expected) {
        found.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
    }
    let before = Tensor::<2>::from_data(wave([6, 60], 3.0, 0), &device).into_data();
    assert_eq!(held.reshape([6, 60]).into_data(), before);
}

#[test]
fn given_statistics_are_taken_where_the_scales_alone_have_gradients() {
    let device = Device::flex();
    let x = Tensor::<3>::ones([2, 3, 4], &device);
    let ones = || Tensor::<1>::ones([3], &device);
    for body in [normalise as Given, normalise_relu] {
        let [gamma, beta] = [(); 2].map(|()| ones().autodiff().require_grad());
        let scales = [gamma.clone(), beta.clone()];
        let y = body(x.clone() * 3.0, scales, [ones(), ones()], 0.0);
        let gradients = y.sum().backward();
        // Each of 8 positions adds (3 - 1) / 1 to gamma, and 1 to beta.
        for (scale, expected) in [(gamma, 16.0_f32), (beta, 8.0)] {
            let found = scale.grad(&gradients).expect("a gradient").into_data();
            found.assert_approx_eq::<f32>(&[expected; 3].into(), Tolerance::absolute(1e-4));
        }
    }
}

#[test]
fn what_is_no_number_comes_through() {
    let device = Device::flex();
    let x = Tensor::<3>::from_data([[[1.0, f32::NAN]], [[2.0, 3.0]]], &device);
    let ones = || Tensor::<1>::ones([1], &device);
    let trained = batch_norm_relu(x.clone(), ones(), ones(), EPSILON).output;
    assert!(trained.into_data().iter::<f32>().all(f32::is_nan));
    let given = normalise_relu(x, [ones(), ones()], [ones(), ones()], EPSILON);
    let given: Vec<f32> = given.into_data().iter().collect();
    assert!(given[1].is_nan() && given[0] == 1.0);
}

#[test]
fn the_statistics_are_burns() {
    for size in SIZES {
        let [images, channels, positions] = size;
        let device = Device::flex();
        let x = Tensor::<2>::from_data(wave([images, channels * positions], 3.0, 0), &device);
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
    let call = |body: Body, [x]: [Tensor<2>; 1]| {
        let x = x.reshape([6, 9, 5]).swap_dims(0, 1).narrow(1, 1, 4);
        let ones = Tensor::ones([4], (&x.device(), x.dtype()));
        body(x, ones.clone(), ones, EPSILON).output.flatten(1, 2)
    };
    let x = wave([54, 5], 3.0, 0);
    check_both([x], [batch_norm as Body, batch_norm_train], call, 1e-5);
    let body = |body: Body| {
        move |x: Tensor<2>| {
            let [rows, columns] = x.dims();
            let ones = Tensor::ones([columns / 3], (&x.device(), x.dtype()));
            let x = x.reshape([rows, columns / 3, 3]);
            body(x, ones.clone(), ones, EPSILON).output.flatten(1, 2)
        }
    };
    others(body(batch_norm), body(batch_norm_train));
    others(body(batch_norm_relu), body(plain_relu));
    let body = |body: Given| {
        move |x: Tensor<2>| {
            let [rows, columns] = x.dims();
            let ones = || Tensor::ones([columns / 3], (&x.device(), x.dtype()));
            let (scales, statistics) = ([ones(), ones()], [ones(), ones()]);
            let x = x.clone().reshape([rows, columns / 3, 3]);
            body(x, scales, statistics, EPSILON).flatten(1, 2)
        }
    };
    others(body(normalise), body(plain_given));
    others(body(normalise_relu), body(plain_given_relu));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let gradients = || {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_data(wave([40, 2700], 3.0, 0), &device).require_grad();
        let ones = Tensor::<1>::ones([300], &device).require_grad();
        let maps = x.clone().reshape([40, 300, 9]);
        let found = batch_norm(maps, ones.clone(), ones.clone(), EPSILON);
        let y = found.output;
        let gradients = (y.clone() * y.clone() * y.clone()).sum().backward();
        let x = x.grad(&gradients).unwrap().into_data();
        let rest = [found.mean, found.variance, ones.grad(&gradients).unwrap()];
        (y.into_data(), x, rest.map(Tensor::into_data))
    };
    same_on_any_threads(gradients);
}
