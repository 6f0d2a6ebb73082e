//! Convolutions as products of matrices, image by image, in the layout that tensors have.
//!
//! A panel holds, for some positions of the result side by side, the numbers that each is a sum of; it
//! is small enough to stay in a core's cache. Forward, the weights times a panel are results. The
//! weights, read by columns, times a panel of gradients are what the positions send back to the numbers
//! under them. The numbers under the positions, read where they lie, times a panel of gradients that
//! lists outputs side by side are the weights' gradients.

mod input;
mod panel;
mod sizes;
mod values;
mod weight;

use burn::tensor::Tensor;

use crate::flex::extension::*;
pub(super) use sizes::Sizes;

pub(super) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    sizes: Sizes,
) -> Tensor<4> {
    let bias = bias.unwrap_or_else(|| {
        let options = (&x.device(), x.dtype());
        Tensor::zeros([sizes.outputs], options)
    });
    assert_eq!(bias.dims(), [sizes.outputs], "one bias an output");
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::conv(x.into_dispatch(), weight, bias, sizes))
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait ConvOps: Backend {
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn conv(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, sizes: Sizes) -> FlexTensor {
        values::forward(x, weight, bias, sizes)
    }
}

impl<C: CheckpointStrategy> ConvOps for Autodiff<Flex, C> {
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        match ConvBackward
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let [x_id, weight_id] = [&x, &weight].map(|tensor| prepared.checkpoint(tensor));
                let state = State {
                    x: x_id,
                    weight: weight_id,
                    sizes,
                };
                let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
                prepared.finish(state, values::forward(x, weight, bias, sizes))
            }
            OpsKind::UnTracked(prepared) => {
                let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
                prepared.finish(values::forward(x, weight, bias, sizes))
            }
        }
    }
}

#[derive(Debug)]
struct ConvBackward;

#[derive(Clone, Debug)]
struct State {
    x: NodeId,
    weight: NodeId,
    sizes: Sizes,
}

impl Backward<Flex, 3> for ConvBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let State { x, weight, sizes } = ops.state;
        let x: FlexTensor = checkpointer.retrieve_node_output(x);
        let weight: FlexTensor = checkpointer.retrieve_node_output(weight);
        let gradient = crate::flex::contiguous(gradients.consume::<Flex>(&ops.node));
        // The images themselves need no gradient, and that is a third of the first layer's work.
        let [of_x, of_weight, of_bias] = ops.parents;
        if let Some(parent) = of_x {
            let found = input::backward(weight, &gradient, sizes);
            gradients.register::<Flex>(parent.id, found);
        }
        if let Some(parent) = of_weight {
            let found = weight::backward(x, &gradient, sizes);
            gradients.register::<Flex>(parent.id, found);
        }
        if let Some(parent) = of_bias {
            let found = weight::bias(&gradient, sizes);
            gradients.register::<Flex>(parent.id, found);
        }
    }
}
