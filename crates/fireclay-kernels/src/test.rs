//! What the operations' tests share: one body is held against the other, forward and backward.

use std::fmt::Debug;

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData, Tolerance};
use rayon::ThreadPoolBuilder;

/// Widths with and without a rest after whole vectors.
pub(crate) const WIDTHS: [usize; 7] = [1, 7, 16, 17, 33, 100, 1000];

/// Numbers without a pattern that vectors could hide, between -`size` and `size`.
pub(crate) fn wave<const D: usize>(shape: [usize; D], size: f32, seed: usize) -> TensorData {
    let count: usize = shape.iter().product();
    let number = |i: usize| size * ((i * i + 3 * i + 17 * seed) as f32 * 0.37).sin();
    TensorData::new((0..count).map(number).collect::<Vec<_>>(), shape)
}

/// Results and gradients of both bodies on flex, and of the operation elsewhere, are the same but for
/// `bound`, relative to the greatest of the compared numbers.
pub(crate) fn check<const N: usize>(
    inputs: [TensorData; N],
    operation: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    plain: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    bound: f64,
) {
    let expected = differentiate(&inputs, N, &plain, &Device::flex());
    for device in devices() {
        let found = differentiate(&inputs, N, &operation, &device);
        all_close(found, &expected, bound);
    }
    // Without gradients, too.
    let run = |body: &dyn Fn([Tensor<2>; N]) -> Tensor<2>| {
        body(inputs.clone().map(|data| read(data, &Device::flex()))).into_data()
    };
    close(run(&operation), &run(&plain), bound);
}

/// [`check`] of two bodies of the same type, each as `call` calls it.
pub(crate) fn check_both<B: Copy, const N: usize>(
    inputs: [TensorData; N],
    [operation, plain]: [B; 2],
    call: impl Fn(B, [Tensor<2>; N]) -> Tensor<2>,
    bound: f64,
) {
    check(
        inputs,
        |inputs| call(operation, inputs),
        |inputs| call(plain, inputs),
        bound,
    );
}

/// [`check`] of an operation that brings its own gradient, and the same with gradient checkpointing and
/// where the last of several inputs is a constant.
pub(crate) fn check_own<const N: usize>(
    inputs: [TensorData; N],
    operation: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    plain: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    bound: f64,
) {
    let expected = differentiate(&inputs, N, &plain, &Device::flex());
    for device in autodiff_devices() {
        for tracked in N.max(2) - 1..=N {
            let found = differentiate(&inputs, tracked, &operation, &device);
            all_close(found, &expected, bound);
        }
    }
    check(inputs, operation, plain, bound);
}

/// [`check_own`] of rows of [`WIDTHS`] up to `size`, and [`check_strided`] and [`others`].
pub(crate) fn check_rows(
    size: f32,
    operation: impl Fn(Tensor<2>) -> Tensor<2>,
    plain: impl Fn(Tensor<2>) -> Tensor<2>,
    bound: f64,
) {
    for width in WIDTHS {
        // Many rows, so that there are several pieces of work.
        let x = wave([40_000 / width + 3, width], size, 0);
        check_own([x], |[x]| operation(x), |[x]| plain(x), bound);
    }
    check_strided(&operation, &plain, bound);
    others(operation, plain);
}

/// [`devices`] with autodiff, without gradient checkpointing and with it.
pub(crate) fn autodiff_devices() -> impl Iterator<Item = Device> {
    let devices = devices().into_iter().map(Device::autodiff);
    devices.flat_map(|device| [device.clone(), device.gradient_checkpointing()])
}

/// The backends that are compiled in.
#[cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "Burn would rather have flex used; fireclay offers ndarray"
    )
)]
pub(crate) fn devices() -> Vec<Device> {
    vec![
        Device::flex(),
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
    ]
}

/// The same of an input that is a transposed slice.
pub(crate) fn check_strided(
    operation: impl Fn(Tensor<2>) -> Tensor<2>,
    plain: impl Fn(Tensor<2>) -> Tensor<2>,
    bound: f64,
) {
    let part = |x: Tensor<2>| x.transpose().slice([2..40, 1..18]);
    check(
        [wave([20, 45], 5.0, 3)],
        |[x]| operation(part(x)),
        |[x]| plain(part(x)),
        bound,
    );
}

/// Numbers of 64 bits take the plain body, to the bit, and keep their kind; its own gradient is that of
/// its operations. Those of 16 bits have the
/// results and gradients of the same numbers in 32, but for their own rounding.
pub(crate) fn others(
    operation: impl Fn(Tensor<2>) -> Tensor<2>,
    plain: impl Fn(Tensor<2>) -> Tensor<2>,
) {
    let x = read(wave([5, 9], 2.0, 1), &Device::flex());
    let double = x.clone().cast(FloatDType::F64);
    let (found, expected) = (operation(double.clone()), plain(double));
    assert_eq!(found.dtype(), FloatDType::F64.into());
    assert_eq!(found.into_data(), expected.into_data());
    let doubles = [x.clone().cast(FloatDType::F64).into_data()];
    let [found, expected] = [&operation as &dyn Fn(Tensor<2>) -> Tensor<2>, &plain]
        .map(|body| differentiate(&doubles, 1, |[x]| body(x), &Device::flex()));
    all_close(found, &expected, 1e-6);
    for (dtype, bound) in HALVES {
        let halves = [x.clone().cast(dtype).into_data()];
        let single = |[x]: [Tensor<2>; 1]| plain(x.cast(FloatDType::F32));
        let expected = differentiate(&halves, 1, single, &Device::flex());
        let found = differentiate(&halves, 1, |[x]| operation(x), &Device::flex());
        all_close(found, &expected, bound);
    }
}

/// The kinds of 16 bits, and four times the error of rounding to them.
pub(crate) const HALVES: [(FloatDType, f64); 2] = [
    (FloatDType::F16, 4.0 / 2048.0),
    (FloatDType::BF16, 4.0 / 256.0),
];

/// The result, the same as a later operation reads it for its gradient, and the gradients of the first
/// `tracked` inputs, where the result is weighted by a wave.
fn differentiate<const N: usize>(
    inputs: &[TensorData; N],
    tracked: usize,
    body: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    device: &Device,
) -> Vec<TensorData> {
    let device = device.clone().autodiff();
    let input =
        |index: usize| read(inputs[index].clone(), &device).set_require_grad(index < tracked);
    let inputs: [Tensor<2>; N] = std::array::from_fn(input);
    let result = body(inputs.clone());
    let weights = read(wave(result.dims(), 1.0, 5), &device).cast(result.dtype());
    // Their gradient is the result, which checkpointing may make again.
    let weights = weights.require_grad();
    let gradients = (result.clone() * weights.clone()).sum().backward();
    let gradient = |x: &Tensor<2>| {
        x.grad(&gradients)
            .expect("a gradient of what is tracked")
            .into_data()
    };
    let mut found = vec![result.into_data(), gradient(&weights)];
    found.extend(inputs[..tracked].iter().map(gradient));
    found
}

fn read(data: TensorData, device: &Device) -> Tensor<2> {
    let dtype = data.dtype();
    match data.shape().len() {
        1 => Tensor::<1>::from_data(data, (device, dtype)).unsqueeze(),
        _ => Tensor::from_data(data, (device, dtype)),
    }
}

/// As far as there are found ones.
fn all_close(found: Vec<TensorData>, expected: &[TensorData], bound: f64) {
    for (found, expected) in found.into_iter().zip(expected) {
        close(found, expected, bound);
    }
}

pub(crate) fn close(found: TensorData, expected: &TensorData, bound: f64) {
    let [found, expected] = [found, expected.clone()].map(|data| data.convert_dtype(DType::F32));
    let greatest = expected.iter::<f64>().map(f64::abs).fold(1.0, f64::max);
    found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(bound * greatest));
}

/// The results are the same bits on any number of threads.
pub(crate) fn same_on_any_threads<T: PartialEq + Debug + Send>(results: impl Fn() -> T + Sync) {
    let [one, others @ ..] = [1, 2, 3, 5].map(|threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads").install(&results)
    });
    others.into_iter().for_each(|other| assert_eq!(other, one));
}
