//! Channel by channel: what a channel has in all images stays in a core's first cache while it is read
//! three times forward, and two or three times backward.

pub(super) mod apart;
mod given;
mod gradients;
mod pieces;
mod values;

use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::{Tensor, TensorData};

use super::Then;
use crate::flex::extension::*;
use crate::operation::pass_on;
pub(super) use given::normalise;

pub(super) fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    then: Then,
) -> BatchNormTrainOutput<D> {
    let channels = x.dims()[1];
    assert_eq!(
        [[channels]; 2],
        [gamma.dims(), beta.dims()],
        "one scale a channel"
    );
    let parameters = [plain(&gamma), plain(&beta)];
    let normed = values::forward(plain(&x), parameters, epsilon as f32, then);
    let [mean, variance] = [|m: &Moments| m.mean, |m: &Moments| m.variance].map(|part| {
        let numbers: Vec<f32> = normed.moments.iter().map(part).collect();
        Tensor::from_data(TensorData::new(numbers, [channels]), &x.device())
    });
    let [gamma, beta] = [gamma, beta].map(Tensor::into_dispatch);
    let output = Dispatch::normalise(x.into_dispatch(), gamma, beta, normed);
    BatchNormTrainOutput {
        output: Tensor::from_dispatch(output),
        mean,
        variance,
    }
}

fn plain<const D: usize>(x: &Tensor<D>) -> FlexTensor {
    let plain = x.clone().without_autodiff().try_into_primitive::<Flex>();
    plain.expect("the device is flex")
}

/// The statistics of a channel.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f32,
    /// That of the population.
    variance: f32,
    /// 1 / sqrt(variance + epsilon).
    factor: f32,
}

/// What comes out, and the moments that it took.
#[derive(Clone, Debug)]
pub(super) struct Normed {
    y: FlexTensor,
    moments: Vec<Moments>,
    then: Then,
}

/// Ties the results of a batch norm to what they came from: they have been computed, together with
/// statistics that have no gradient.
#[backend_extension(Autodiff, Flex)]
pub(super) trait BatchNormOps: Backend {
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        normed: Normed,
    ) -> FloatTensor<Self>;
}

impl BatchNormOps for Flex {
    fn normalise(_: FlexTensor, _: FlexTensor, _: FlexTensor, normed: Normed) -> FlexTensor {
        normed.y
    }
}

impl<C: CheckpointStrategy> BatchNormOps for Autodiff<Flex, C> {
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        normed: Normed,
    ) -> FloatTensor<Self> {
        let Normed { y, moments, then } = normed;
        let parents = [x.node(), gamma.node(), beta.node()];
        match BatchNormBackward
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let state = State {
                    x: prepared.checkpoint(&x),
                    gamma: prepared.checkpoint(&gamma),
                    beta: prepared.checkpoint(&beta),
                    moments,
                    then,
                };
                prepared.finish(state, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct BatchNormBackward;

#[derive(Clone, Debug)]
struct State {
    x: NodeId,
    gamma: NodeId,
    beta: NodeId,
    moments: Vec<Moments>,
    then: Then,
}

impl Backward<Flex, 3> for BatchNormBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        pass_on::<Flex, _, 3>(ops, gradients, |state, gradient| {
            let [x, gamma, beta] = [state.x, state.gamma, state.beta]
                .map(|node| checkpointer.retrieve_node_output::<FlexTensor>(node));
            gradients::backward(x, gradient, [gamma, beta], &state.moments, state.then)
        });
    }
}
