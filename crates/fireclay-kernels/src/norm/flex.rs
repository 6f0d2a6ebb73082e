//! Norms in one pass over each row forward and two backward.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use crate::flex::{contiguous, dot, rows_in_piece, run, sum, tensor, width};

pub(super) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    let beta = beta.unwrap_or_else(|| gamma.zeros_like());
    norm(x, gamma, beta, Centre::Mean, epsilon)
}

pub(super) fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let beta = gamma.zeros_like();
    norm(x, gamma, beta, Centre::Zero, epsilon)
}

fn norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    centre: Centre,
    epsilon: f64,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert_eq!(
        [[width]; 2],
        [gamma.dims(), beta.dims()],
        "one scale a place"
    );
    let [gamma, beta] = [gamma, beta].map(Tensor::into_dispatch);
    let x = x.into_dispatch();
    Tensor::from_dispatch(Dispatch::norm(x, gamma, beta, centre, epsilon as f32))
}

/// What the deviation of a row is measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Centre {
    Mean,
    Zero,
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait NormOps: Backend {
    fn norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        centre: Centre,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

impl NormOps for Flex {
    fn norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        centre: Centre,
        epsilon: f32,
    ) -> FlexTensor {
        forward(x, gamma, beta, centre, epsilon).0
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<Flex, C> {
    fn norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        centre: Centre,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), gamma.node(), beta.node()];
        match NormBackward
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let [x_id, gamma_id] = [&x, &gamma].map(|tensor| prepared.checkpoint(tensor));
                let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.into_primitive());
                let (y, moments) = forward(x, gamma, beta, centre, epsilon);
                let state = State {
                    x: x_id,
                    gamma: gamma_id,
                    moments,
                    centre,
                };
                prepared.finish(state, y)
            }
            OpsKind::UnTracked(prepared) => {
                let [x, gamma, beta] = [x, gamma, beta].map(|tensor| tensor.into_primitive());
                prepared.finish(forward(x, gamma, beta, centre, epsilon).0)
            }
        }
    }
}

/// What was subtracted from a row, and what it was multiplied by.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    centre: f32,
    factor: f32,
}

fn forward(
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    centre: Centre,
    epsilon: f32,
) -> (FlexTensor, Vec<Moments>) {
    let [x, gamma, beta] = [x, gamma, beta].map(contiguous);
    let width = width(&x).max(1);
    let numbers: &[f32] = x.storage();
    let mut y = vec![0.0; numbers.len()];
    let mut moments = vec![Moments::default(); numbers.len() / width];
    let rows = rows_in_piece(width);
    let pieces = numbers.chunks(rows * width).zip(y.chunks_mut(rows * width));
    let pieces = pieces.zip(moments.chunks_mut(rows));
    run(pieces.map(|((x, y), moments)| Values {
        x,
        y,
        moments,
        gamma: gamma.storage(),
        beta: beta.storage(),
        centre,
        epsilon,
    }));
    (tensor(y, x.shape()), moments)
}

#[derive(Debug)]
struct NormBackward;

#[derive(Clone, Debug)]
struct State {
    x: NodeId,
    gamma: NodeId,
    moments: Vec<Moments>,
    centre: Centre,
}

impl Backward<Flex, 3> for NormBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let x = checkpointer.retrieve_node_output(state.x);
        let gamma = checkpointer.retrieve_node_output(state.gamma);
        let gradient = gradients.consume::<Flex>(&ops.node);
        let found = backward(x, gamma, gradient, &state.moments, state.centre);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// The gradients of x, gamma and beta.
fn backward(
    x: FlexTensor,
    gamma: FlexTensor,
    gradient: FlexTensor,
    moments: &[Moments],
    centre: Centre,
) -> [FlexTensor; 3] {
    let [x, gamma, mut gradient] = [x, gamma, gradient].map(contiguous);
    let width = width(&x);
    let rows = rows_in_piece(width);
    let piece = rows * width.max(1);
    let pieces = x.storage().chunks(piece);
    let pieces = pieces.zip(gradient.storage_mut().chunks_mut(piece));
    let sums = run(pieces
        .zip(moments.chunks(rows))
        .map(|((x, gradient), moments)| Slopes {
            x,
            gradient,
            moments,
            gamma: gamma.storage(),
            centre,
        }));
    let mut total = Sums::new(width);
    for sums in sums {
        add(&mut total.gamma, &sums.gamma);
        add(&mut total.beta, &sums.beta);
    }
    [
        gradient,
        tensor(total.gamma, [width]),
        tensor(total.beta, [width]),
    ]
}

struct Values<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    moments: &'a mut [Moments],
    gamma: &'a [f32],
    beta: &'a [f32],
    centre: Centre,
    epsilon: f32,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.gamma.len();
        let rows = self
            .x
            .chunks_exact(width)
            .zip(self.y.chunks_exact_mut(width));
        for ((x, y), moments) in rows.zip(self.moments) {
            let centre = match self.centre {
                Centre::Mean => sum(x, |x| x) / width as f32,
                Centre::Zero => 0.0,
            };
            let square = sum(x, |x| (x - centre) * (x - centre)) / width as f32;
            let factor = 1.0 / (square + self.epsilon).sqrt();
            let places = y.iter_mut().zip(x).zip(self.gamma).zip(self.beta);
            for (((y, x), gamma), beta) in places {
                *y = (x - centre) * factor * gamma + beta;
            }
            *moments = Moments { centre, factor };
        }
    }
}

/// Turns gradients of the results into those of x, row by row, and sums up those of the parameters.
struct Slopes<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
    moments: &'a [Moments],
    gamma: &'a [f32],
    centre: Centre,
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

impl NullaryFnOnce for Slopes<'_> {
    type Output = Sums;

    #[inline(always)]
    fn call(self) -> Sums {
        let width = self.gamma.len();
        let mut sums = Sums::new(width);
        let mut normed = vec![0.0; width];
        let rows = self.x.chunks_exact(width);
        let rows = rows.zip(self.gradient.chunks_exact_mut(width));
        for ((x, gradient), moments) in rows.zip(self.moments) {
            for (normed, x) in normed.iter_mut().zip(x) {
                *normed = (x - moments.centre) * moments.factor;
            }
            add(&mut sums.beta, gradient);
            let places = sums.gamma.iter_mut().zip(&mut *gradient).zip(&normed);
            for (((sum, gradient), normed), gamma) in places.zip(self.gamma) {
                *sum += *gradient * normed;
                *gradient *= gamma;
            }
            let mean = match self.centre {
                Centre::Mean => sum(gradient, |gradient| gradient) / width as f32,
                Centre::Zero => 0.0,
            };
            let slope = dot(gradient, &normed) / width as f32;
            for (gradient, normed) in gradient.iter_mut().zip(&normed) {
                *gradient = moments.factor * (*gradient - mean - normed * slope);
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
