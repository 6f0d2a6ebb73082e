//! GELU in one pass forward and one backward.

use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::Form;
use crate::flex::{PIECE, normal, numbers, run, sigmoid, tensor};

/// 2 √(2/π), as the sigmoid of twice a number is (1 + tanh) / 2.
const TWICE_ROOT: f32 = 1.595_769;
const CUBE: f32 = 0.044_715;

pub(super) fn values<const D: usize>(x: Tensor<D>, form: Form) -> Tensor<D> {
    let x = numbers(x);
    let mut y = vec![0.0; x.storage::<f32>().len()];
    let pieces = x.storage().chunks(PIECE).zip(y.chunks_mut(PIECE));
    run(pieces.map(|(x, y)| Values { x, y, form }));
    Tensor::from_primitive::<Flex>(tensor(y, x.shape()))
}

pub(super) fn gradient<const D: usize>(x: Tensor<D>, gradient: Tensor<D>, form: Form) -> Tensor<D> {
    let (x, mut gradient) = (numbers(x), numbers(gradient));
    let pieces = x.storage().chunks(PIECE);
    let pieces = pieces.zip(gradient.storage_mut().chunks_mut(PIECE));
    run(pieces.map(|(x, gradient)| Gradient { x, gradient, form }));
    Tensor::from_primitive::<Flex>(gradient)
}

struct Values<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    form: Form,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match self.form {
            Form::Exact => update(self.y, self.x, |_, x| x * normal(x).0),
            Form::Tanh => update(self.y, self.x, |_, x| {
                x * sigmoid(TWICE_ROOT * (x + CUBE * x * x * x))
            }),
            Form::Logistic => update(self.y, self.x, |_, x| x * sigmoid(x)),
        }
    }
}

/// Multiplies a gradient by the derivative at x.
struct Gradient<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
    form: Form,
}

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match self.form {
            Form::Exact => update(self.gradient, self.x, |gradient, x| {
                let (below, density) = normal(x);
                gradient * (below + x * density)
            }),
            Form::Tanh => update(self.gradient, self.x, |gradient, x| {
                let share = sigmoid(TWICE_ROOT * (x + CUBE * x * x * x));
                let inner = TWICE_ROOT * (1.0 + 3.0 * CUBE * x * x);
                gradient * (share + x * inner * share * (1.0 - share))
            }),
            Form::Logistic => update(self.gradient, self.x, |gradient, x| {
                let share = sigmoid(x);
                gradient * (share + x * share * (1.0 - share))
            }),
        }
    }
}

/// Replaces each number of `y` by what `f` makes of it and of the number of x.
#[inline(always)]
fn update(y: &mut [f32], x: &[f32], f: impl Fn(f32, f32) -> f32) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = f(*y, *x);
    }
}
