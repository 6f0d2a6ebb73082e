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
            Form::Exact => {
                for (y, &x) in self.y.iter_mut().zip(self.x) {
                    *y = x * normal(x).0;
                }
            }
            Form::Tanh => {
                for (y, &x) in self.y.iter_mut().zip(self.x) {
                    *y = x * sigmoid(TWICE_ROOT * (x + CUBE * x * x * x));
                }
            }
            Form::Logistic => {
                for (y, &x) in self.y.iter_mut().zip(self.x) {
                    *y = x * sigmoid(x);
                }
            }
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
            Form::Exact => {
                for (gradient, &x) in self.gradient.iter_mut().zip(self.x) {
                    let (below, density) = normal(x);
                    *gradient *= below + x * density;
                }
            }
            Form::Tanh => {
                for (gradient, &x) in self.gradient.iter_mut().zip(self.x) {
                    let share = sigmoid(TWICE_ROOT * (x + CUBE * x * x * x));
                    let inner = TWICE_ROOT * (1.0 + 3.0 * CUBE * x * x);
                    *gradient *= share + x * inner * share * (1.0 - share);
                }
            }
            Form::Logistic => {
                for (gradient, &x) in self.gradient.iter_mut().zip(self.x) {
                    let share = sigmoid(x);
                    *gradient *= share + x * share * (1.0 - share);
                }
            }
        }
    }
}
