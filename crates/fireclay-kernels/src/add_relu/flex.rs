//! Overwrites the first summand if nothing else holds it. Gradients go through where the result is
//! positive.

use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use crate::flex::extension::*;
use crate::flex::{PIECE, contiguous, relu, run};
use crate::operation::pass_on;

pub(super) fn add_relu<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    let [x, y] = [x, y].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::add_relu(x, y))
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait AddReluOps: Backend {
    fn add_relu(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl AddReluOps for Flex {
    fn add_relu(x: FlexTensor, y: FlexTensor) -> FlexTensor {
        forward(x, y)
    }
}

impl<C: CheckpointStrategy> AddReluOps for Autodiff<Flex, C> {
    fn add_relu(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = AddReluBackward.prepare::<C>([x.node(), y.node()]);
        let [x, y] = [x, y].map(|tensor| tensor.into_primitive());
        let sum = forward(x, y);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(sum.clone(), sum),
            OpsKind::UnTracked(prepared) => prepared.finish(sum),
        }
    }
}

#[derive(Debug)]
struct AddReluBackward;

impl Backward<Flex, 2> for AddReluBackward {
    /// The result.
    type State = FlexTensor;

    fn backward(
        self,
        ops: Ops<FlexTensor, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        pass_on::<Flex, _, 2>(ops, gradients, backward);
    }
}

fn forward(x: FlexTensor, y: FlexTensor) -> FlexTensor {
    let [mut sum, y] = [x, y].map(contiguous);
    let pieces = sum.storage_mut().chunks_mut(PIECE);
    let pieces = pieces.zip(y.storage().chunks(PIECE));
    run(pieces.map(|(sum, y)| Values { sum, y }));
    sum
}

/// The gradient of one summand, and of the other: whoever writes to one while both are held copies it.
fn backward(sum: FlexTensor, gradient: FlexTensor) -> [FlexTensor; 2] {
    let [sum, mut gradient] = [sum, gradient].map(contiguous);
    let pieces = gradient.storage_mut().chunks_mut(PIECE);
    let pieces = pieces.zip(sum.storage().chunks(PIECE));
    run(pieces.map(|(gradient, sum)| Gradient { gradient, sum }));
    [gradient.clone(), gradient]
}

struct Values<'a> {
    /// The first summand, which becomes the result.
    sum: &'a mut [f32],
    y: &'a [f32],
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (sum, y) in self.sum.iter_mut().zip(self.y) {
            *sum = relu(*sum + y);
        }
    }
}

struct Gradient<'a> {
    /// That of the result, which becomes that of the summands.
    gradient: &'a mut [f32],
    sum: &'a [f32],
}

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (gradient, sum) in self.gradient.iter_mut().zip(self.sum) {
            *gradient = if *sum <= 0.0 { 0.0 } else { *gradient };
        }
    }
}
