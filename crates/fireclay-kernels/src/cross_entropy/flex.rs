//! Cross-entropy without the logarithms of all shares.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor};
use pulp::NullaryFnOnce;

use crate::flex::{contiguous, exp, greatest, rows_in_piece, run, sum, tensor, width};

pub(super) fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let targets: Vec<u32> = targets.into_data().iter().collect();
    assert_eq!(targets.len(), rows, "one target a row");
    let losses = Dispatch::cross_entropy(logits.into_dispatch(), targets, smoothing as f32);
    Tensor::from_dispatch(losses)
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait CrossEntropyOps: Backend {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: Vec<u32>,
        smoothing: f32,
    ) -> FloatTensor<Self>;
}

impl CrossEntropyOps for Flex {
    fn cross_entropy(logits: FlexTensor, targets: Vec<u32>, smoothing: f32) -> FlexTensor {
        forward(&contiguous(logits), &targets, smoothing).0
    }
}

impl<C: CheckpointStrategy> CrossEntropyOps for Autodiff<Flex, C> {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: Vec<u32>,
        smoothing: f32,
    ) -> FloatTensor<Self> {
        let prepared = CrossEntropyBackward.prepare::<C>([logits.node()]);
        let logits = contiguous(logits.into_primitive());
        let (losses, moments) = forward(&logits, &targets, smoothing);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let state = State {
                    logits,
                    targets,
                    moments,
                    smoothing,
                };
                prepared.finish(state, losses)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(losses),
        }
    }
}

/// The greatest logit of a row, and the sum of the exponentials of all logits' distances from it.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    greatest: f32,
    sum: f32,
}

fn forward(logits: &FlexTensor, targets: &[u32], smoothing: f32) -> (FlexTensor, Vec<Moments>) {
    let classes = width(logits);
    let mut losses = vec![0.0; targets.len()];
    let mut moments = vec![Moments::default(); targets.len()];
    let rows = rows_in_piece(classes);
    let pieces = logits.storage().chunks(rows * classes.max(1));
    let pieces = pieces.zip(targets.chunks(rows));
    let results = losses.chunks_mut(rows).zip(moments.chunks_mut(rows));
    run(pieces
        .zip(results)
        .map(|((logits, targets), (losses, moments))| Values {
            logits,
            targets,
            losses,
            moments,
            classes,
            smoothing,
        }));
    (tensor(losses, [targets.len()]), moments)
}

#[derive(Debug)]
struct CrossEntropyBackward;

#[derive(Clone, Debug)]
struct State {
    logits: FlexTensor,
    targets: Vec<u32>,
    moments: Vec<Moments>,
    smoothing: f32,
}

impl Backward<Flex, 1> for CrossEntropyBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            backward(state, gradient)
        });
    }
}

/// The logits are overwritten with their gradients where nothing else holds them: in a large
/// vocabulary they are the largest tensor of all.
fn backward(state: State, gradient: FlexTensor) -> FlexTensor {
    let (mut logits, gradient) = (state.logits, contiguous(gradient));
    let classes = width(&logits);
    let rows = rows_in_piece(classes);
    let pieces = logits.storage_mut().chunks_mut(rows * classes.max(1));
    let facts = state.targets.chunks(rows).zip(state.moments.chunks(rows));
    let facts = facts.zip(gradient.storage().chunks(rows));
    run(pieces
        .zip(facts)
        .map(|(logits, ((targets, moments), gradient))| Slopes {
            logits,
            targets,
            moments,
            gradient,
            classes,
            smoothing: state.smoothing,
        }));
    logits
}

struct Values<'a> {
    logits: &'a [f32],
    targets: &'a [u32],
    losses: &'a mut [f32],
    moments: &'a mut [Moments],
    classes: usize,
    smoothing: f32,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.logits.chunks_exact(self.classes).zip(self.targets);
        let results = self.losses.iter_mut().zip(self.moments);
        for ((row, &target), (loss, moments)) in rows.zip(results) {
            let greatest = greatest(row);
            let exponentials = sum(row, |x| exp(x - greatest));
            let own = row[target as usize] - greatest;
            let spread = if self.smoothing == 0.0 {
                0.0
            } else {
                sum(row, |x| x - greatest) / self.classes as f32
            };
            let mean = own * (1.0 - self.smoothing) + spread * self.smoothing;
            *loss = exponentials.ln() - mean;
            *moments = Moments {
                greatest,
                sum: exponentials,
            };
        }
    }
}

/// Turns logits into their gradients, row by row.
struct Slopes<'a> {
    logits: &'a mut [f32],
    targets: &'a [u32],
    moments: &'a [Moments],
    gradient: &'a [f32],
    classes: usize,
    smoothing: f32,
}

impl NullaryFnOnce for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let spread = self.smoothing / self.classes as f32;
        let rows = self.logits.chunks_exact_mut(self.classes).zip(self.targets);
        let facts = self.moments.iter().zip(self.gradient);
        for ((row, &target), (moments, gradient)) in rows.zip(facts) {
            let factor = gradient / moments.sum;
            let shift = gradient * spread;
            for x in &mut *row {
                *x = exp(*x - moments.greatest) * factor - shift;
            }
            row[target as usize] -= gradient * (1.0 - self.smoothing);
        }
    }
}
