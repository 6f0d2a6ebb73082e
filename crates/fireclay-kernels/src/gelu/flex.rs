//! GELU in one pass forward and one backward.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::Form;
use crate::flex::{PIECE, contiguous, normal, run, sigmoid, tensor};

/// 2 √(2/π), as the sigmoid of twice a number is (1 + tanh) / 2.
const TWICE_ROOT: f32 = 1.595_769;
const CUBE: f32 = 0.044_715;

pub(super) fn gelu<const D: usize>(x: Tensor<D>, form: Form) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::gelu(x.into_dispatch(), form))
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait GeluOps: Backend {
    fn gelu(x: FloatTensor<Self>, form: Form) -> FloatTensor<Self>;
}

impl GeluOps for Flex {
    fn gelu(x: FlexTensor, form: Form) -> FlexTensor {
        let x = contiguous(x);
        let numbers: &[f32] = x.storage();
        let mut y = vec![0.0; numbers.len()];
        let pieces = numbers.chunks(PIECE).zip(y.chunks_mut(PIECE));
        run(pieces.map(|(x, y)| Values { x, y, form }));
        tensor(y, x.shape())
    }
}

impl<C: CheckpointStrategy> GeluOps for Autodiff<Flex, C> {
    fn gelu(x: FloatTensor<Self>, form: Form) -> FloatTensor<Self> {
        let prepared = GeluBackward.prepare::<C>([x.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let state = (prepared.checkpoint(&x), form);
                prepared.finish(state, Flex::gelu(x.into_primitive(), form))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(Flex::gelu(x.into_primitive(), form)),
        }
    }
}

#[derive(Debug)]
struct GeluBackward;

impl Backward<Flex, 1> for GeluBackward {
    type State = (NodeId, Form);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (x, form) = ops.state;
        let x: FlexTensor = checkpointer.retrieve_node_output(x);
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            backward(x, gradient, form)
        });
    }
}

fn backward(x: FlexTensor, gradient: FlexTensor, form: Form) -> FlexTensor {
    let (x, mut gradient) = (contiguous(x), contiguous(gradient));
    let pieces = x.storage().chunks(PIECE);
    let pieces = pieces.zip(gradient.storage_mut().chunks_mut(PIECE));
    run(pieces.map(|(x, gradient)| Slopes { x, gradient, form }));
    gradient
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
        }
    }
}

/// Multiplies a gradient by the slope at x.
struct Slopes<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
    form: Form,
}

impl NullaryFnOnce for Slopes<'_> {
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
        }
    }
}
