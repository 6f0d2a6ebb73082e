//! Norms in one pass over each row forward and two backward.

use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::{Centre, Norm};
use crate::flex::{dot, numbers, rows_in_piece, run, sum, tensor};

pub(super) fn values(
    x: Tensor<2>,
    gamma: Tensor<2>,
    beta: Option<Tensor<2>>,
    norm: Norm,
) -> Tensor<2> {
    let beta = beta.unwrap_or_else(|| gamma.zeros_like());
    let [_, width] = x.dims();
    assert_eq!(
        [[1, width]; 2],
        [gamma.dims(), beta.dims()],
        "one scale a position"
    );
    let [x, gamma, beta] = [x, gamma, beta].map(numbers);
    let mut y = vec![0.0; x.storage::<f32>().len()];
    let piece = rows_in_piece(width) * width.max(1);
    let pieces = x.storage().chunks(piece).zip(y.chunks_mut(piece));
    run(pieces.map(|(x, y)| Values {
        x,
        y,
        gamma: gamma.storage(),
        beta: beta.storage(),
        norm,
    }));
    Tensor::from_primitive::<Flex>(tensor(y, x.shape()))
}

/// The gradients of x, gamma and beta.
pub(super) fn gradients(tensors: [Tensor<2>; 3], norm: Norm) -> [Tensor<2>; 3] {
    let [_, width] = tensors[0].dims();
    let [x, gamma, mut gradient] = tensors.map(numbers);
    let piece = rows_in_piece(width) * width.max(1);
    let pieces = x.storage().chunks(piece);
    let pieces = pieces.zip(gradient.storage_mut().chunks_mut(piece));
    let sums = run(pieces.map(|(x, gradient)| Gradients {
        x,
        gradient,
        gamma: gamma.storage(),
        norm,
    }));
    let mut total = Sums::new(width);
    for sums in sums {
        add(&mut total.gamma, &sums.gamma);
        add(&mut total.beta, &sums.beta);
    }
    [
        gradient,
        tensor(total.gamma, [1, width]),
        tensor(total.beta, [1, width]),
    ]
    .map(Tensor::from_primitive::<Flex>)
}

/// What is subtracted from a row, and what it is multiplied by.
#[inline(always)]
fn moments(x: &[f32], norm: Norm) -> (f32, f32) {
    let width = x.len() as f32;
    let centre = match norm.centre {
        Centre::Mean => sum(x, |x| x) / width,
        Centre::Zero => 0.0,
    };
    let square = sum(x, |x| (x - centre) * (x - centre)) / width;
    (centre, 1.0 / (square + norm.epsilon as f32).sqrt())
}

struct Values<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    norm: Norm,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.gamma.len();
        let rows = self.x.chunks_exact(width);
        for (x, y) in rows.zip(self.y.chunks_exact_mut(width)) {
            let (centre, factor) = moments(x, self.norm);
            let numbers = y.iter_mut().zip(x).zip(self.gamma).zip(self.beta);
            for (((y, x), gamma), beta) in numbers {
                *y = (x - centre) * factor * gamma + beta;
            }
        }
    }
}

/// Turns gradients of the results into those of x, row by row, and sums up those of the parameters.
struct Gradients<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
    gamma: &'a [f32],
    norm: Norm,
}

struct Sums {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Sums {
    fn new(width: usize) -> Self {
        Self {
            gamma: vec![0.0; width],
            beta: vec![0.0; width],
        }
    }
}

impl NullaryFnOnce for Gradients<'_> {
    type Output = Sums;

    #[inline(always)]
    fn call(self) -> Sums {
        let width = self.gamma.len();
        let mut sums = Sums::new(width);
        let mut normed = vec![0.0; width];
        let rows = self.x.chunks_exact(width);
        let rows = rows.zip(self.gradient.chunks_exact_mut(width));
        for (x, gradient) in rows {
            let (centre, factor) = moments(x, self.norm);
            for (normed, x) in normed.iter_mut().zip(x) {
                *normed = (x - centre) * factor;
            }
            add(&mut sums.beta, gradient);
            let numbers = sums.gamma.iter_mut().zip(&mut *gradient).zip(&normed);
            for (((sum, gradient), normed), gamma) in numbers.zip(self.gamma) {
                *sum += *gradient * normed;
                *gradient *= gamma;
            }
            let mean = match self.norm.centre {
                Centre::Mean => sum(gradient, |gradient| gradient) / width as f32,
                Centre::Zero => 0.0,
            };
            let along = dot(gradient, &normed) / width as f32;
            for (gradient, normed) in gradient.iter_mut().zip(&normed) {
                *gradient = factor * (*gradient - mean - normed * along);
            }
        }
        sums
    }
}

#[inline(always)]
fn add(sums: &mut [f32], row: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(row) {
        *sum += x;
    }
}
