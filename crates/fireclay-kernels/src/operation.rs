//! Operations that bring their own gradient, on whichever backends are compiled in.
//!
//! Burn records an operation of many steps step by step, and keeps what the gradient of each step
//! needs: of a norm or a softmax several tensors as large as its input, in single precision even where
//! the input is in half. An [`Operation`] is recorded as one step instead. It says what it keeps for
//! its gradient, and makes the rest again. Both directions are plain operations of Burn.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::retro_forward::RetroForward;
use burn::backend::autodiff::checkpoint::state::BackwardStates;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend, DispatchKindConversion, DispatchTensor};
use burn::tensor::{GradientCheckpointingStrategy, Tensor};

/// A function of `N` tensors of rank `D`, and its gradient, for which the first `K` inputs are kept.
/// Other tensors that it depends on are part of it, without autodiff.
///
/// Its bodies say by [`one_pass`](crate::pass::one_pass) which of their steps flex has a loop for: a
/// plan reads what they cost there.
pub(crate) trait Operation<const D: usize, const N: usize, const K: usize>:
    Clone + Debug + Send + 'static
{
    /// Whether the result is cheap to make: then gradient checkpointing makes it again, too.
    const CHEAP: bool;

    /// What is kept beside these inputs. A loop in place of `forward` keeps it only if it is the result.
    type Kept: Clone + Debug + Send + 'static;

    /// The result and what is kept.
    ///
    /// Inputs may have autodiff on a backend that this crate has no feature for. Burn then records each
    /// step. So primitives may be taken only if the inputs were seen to be on their backend.
    fn forward(&self, inputs: [Tensor<D>; N]) -> (Tensor<D>, Self::Kept);

    /// The gradient of each input, with its shape and kind, from that of the result.
    fn backward(
        &self,
        inputs: [Tensor<D>; K],
        kept: Self::Kept,
        gradient: Tensor<D>,
    ) -> [Tensor<D>; N];

    /// The gradients of the inputs that want one. Unless an operation says otherwise, others are made, too.
    fn backward_of(
        &self,
        inputs: [Tensor<D>; K],
        kept: Self::Kept,
        gradient: Tensor<D>,
        _wanted: [bool; N],
    ) -> [Option<Tensor<D>>; N] {
        self.backward(inputs, kept, gradient).map(Some)
    }
}

/// The result of `operation`. Its gradient is [`Operation::backward`] on the backends that this crate
/// has a feature for, and that of the plain operations elsewhere. As with Burn's operations, an input
/// without autodiff is a constant beside one with it.
pub(crate) fn apply<O, const D: usize, const N: usize, const K: usize>(
    operation: O,
    inputs: [Tensor<D>; N],
) -> Tensor<D>
where
    O: Operation<D, N, K>,
{
    apply_keeping(operation, inputs).result
}

/// The result of an operation with what it keeps.
pub(crate) struct Applied<T, const D: usize> {
    pub result: Tensor<D>,
    pub kept: T,
    /// Makes a tensor of `kept` a constant on the device of the result.
    pub beside: fn(Tensor<1>) -> Tensor<1>,
}

/// [`apply`] for those who read what is kept.
pub(crate) fn apply_keeping<O, const D: usize, const N: usize, const K: usize>(
    operation: O,
    inputs: [Tensor<D>; N],
) -> Applied<O::Kept, D>
where
    O: Operation<D, N, K>,
{
    let strategy = inputs
        .iter()
        .find_map(Tensor::gradient_checkpointing_strategy);
    let found = strategy.and_then(|strategy| recorded(&operation, &inputs, strategy));
    found.unwrap_or_else(|| {
        let (result, kept) = operation.forward(inputs);
        let beside = |x| x;
        Applied {
            result,
            kept,
            beside,
        }
    })
}

/// The same numbers without autodiff. Burn's `without_autodiff` panics on floats of a plan.
pub(crate) fn constant<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "capture")]
    if let Some(inner) =
        inner::<NoCheckpointing, D>(&x).or_else(|| inner::<BalancedCheckpointing, D>(&x))
    {
        return inner;
    }
    x.without_autodiff()
}

#[cfg(feature = "capture")]
fn inner<C, const D: usize>(x: &Tensor<D>) -> Option<Tensor<D>>
where
    C: CheckpointStrategy,
    DispatchTensor: DispatchKindConversion<Autodiff<burn::backend::Capture, C>>,
{
    use burn::backend::Capture;
    let x = x.clone().try_into_primitive::<Autodiff<Capture, C>>();
    Some(Tensor::from_primitive::<Capture>(x.ok()?.into_primitive()))
}

/// Records an operation, if the inputs are on its backend.
type Recorder<O, T, const D: usize, const N: usize> =
    fn(&O, &[Tensor<D>; N], GradientCheckpointingStrategy) -> Option<Applied<T, D>>;

/// The result of an operation whose inputs have autodiff with this strategy, or none.
#[cfg_attr(
    feature = "ndarray",
    expect(
        deprecated,
        reason = "Burn would rather have flex used; fireclay offers ndarray"
    )
)]
fn recorded<O, const D: usize, const N: usize, const K: usize>(
    operation: &O,
    inputs: &[Tensor<D>; N],
    strategy: GradientCheckpointingStrategy,
) -> Option<Applied<O::Kept, D>>
where
    O: Operation<D, N, K>,
{
    let backends: &[Recorder<O, O::Kept, D, N>] = &[
        #[cfg(feature = "flex")]
        record_on::<burn::backend::Flex, O, D, N, K>,
        #[cfg(feature = "ndarray")]
        record_on::<burn::backend::NdArray, O, D, N, K>,
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        record_on::<burn::backend::Cube, O, D, N, K>,
        #[cfg(feature = "capture")]
        record_on::<burn::backend::Capture, O, D, N, K>,
    ];
    let mut backends = backends.iter();
    backends.find_map(|record| record(operation, inputs, strategy))
}

fn record_on<B, O, const D: usize, const N: usize, const K: usize>(
    operation: &O,
    inputs: &[Tensor<D>; N],
    strategy: GradientCheckpointingStrategy,
) -> Option<Applied<O::Kept, D>>
where
    B: Backend,
    O: Operation<D, N, K>,
    DispatchTensor: DispatchKindConversion<B>
        + DispatchKindConversion<Autodiff<B, NoCheckpointing>>
        + DispatchKindConversion<Autodiff<B, BalancedCheckpointing>>,
{
    match strategy {
        GradientCheckpointingStrategy::Disabled => {
            record::<B, NoCheckpointing, O, D, N, K>(operation, inputs)
        }
        GradientCheckpointingStrategy::Balanced => {
            record::<B, BalancedCheckpointing, O, D, N, K>(operation, inputs)
        }
    }
}

fn record<B, C, O, const D: usize, const N: usize, const K: usize>(
    operation: &O,
    inputs: &[Tensor<D>; N],
) -> Option<Applied<O::Kept, D>>
where
    B: Backend,
    C: CheckpointStrategy,
    O: Operation<D, N, K>,
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B, C>>,
{
    let inputs: Option<Vec<_>> = inputs.iter().map(lift::<B, C, D>).collect();
    let inputs: [FloatTensor<Autodiff<B, C>>; N] = inputs?.try_into().ok()?;
    let primitives = inputs.each_ref().map(|input| input.primitive().clone());
    let (result, kept) = forward::<B, O, D, N, K>(operation, primitives);
    let result = tracked::<B, C, O, D, N, K>(operation, &inputs, (result, kept.clone()));
    Some(Applied {
        result: Tensor::from_primitive::<Autodiff<B, C>>(result),
        kept,
        beside: |x| match lift::<B, C, 1>(&x) {
            Some(x) => Tensor::from_primitive::<Autodiff<B, C>>(x),
            None => x,
        },
    })
}

/// A result that knows its gradient, if any input wants one.
fn tracked<B, C, O, const D: usize, const N: usize, const K: usize>(
    operation: &O,
    inputs: &[FloatTensor<Autodiff<B, C>>; N],
    (result, kept): (FloatTensor<B>, O::Kept),
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend,
    C: CheckpointStrategy,
    O: Operation<D, N, K>,
    DispatchTensor: DispatchKindConversion<B>,
{
    let prepared = Own::<O, D, K>(PhantomData).prepare::<C>(inputs.each_ref().map(|x| x.node()));
    let prepared = match O::CHEAP {
        true => {
            let again = Again::<B, O, D, N, K> {
                operation: operation.clone(),
                inputs: inputs.each_ref().map(|input| input.id()),
                backend: PhantomData,
            };
            prepared.memory_bound().retro_forward(again).parents(inputs)
        }
        false => prepared.compute_bound(),
    };
    match prepared.stateful() {
        OpsKind::Tracked(mut prepared) => {
            let ids: [NodeId; K] = std::array::from_fn(|index| prepared.checkpoint(&inputs[index]));
            prepared.finish((operation.clone(), ids, kept), result)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(result),
    }
}

/// The primitive of an input on this backend, as a constant if it has no autodiff. Burn's own
/// `Tensor::autodiff` has no strategy but one, and panics on floats of a plan.
fn lift<B, C, const D: usize>(x: &Tensor<D>) -> Option<FloatTensor<Autodiff<B, C>>>
where
    B: Backend,
    C: CheckpointStrategy,
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B, C>>,
{
    if x.is_autodiff() {
        return x.clone().try_into_primitive::<Autodiff<B, C>>().ok();
    }
    let x = x.clone().try_into_primitive::<B>().ok()?;
    Some(Autodiff::<B, C>::from_inner(x))
}

fn forward<B, O, const D: usize, const N: usize, const K: usize>(
    operation: &O,
    inputs: [FloatTensor<B>; N],
) -> (FloatTensor<B>, O::Kept)
where
    B: Backend,
    O: Operation<D, N, K>,
    DispatchTensor: DispatchKindConversion<B>,
{
    let (result, kept) = operation.forward(inputs.map(Tensor::from_primitive::<B>));
    (lower::<B, D>(result), kept)
}

fn lower<B, const D: usize>(tensor: Tensor<D>) -> FloatTensor<B>
where
    B: Backend,
    DispatchTensor: DispatchKindConversion<B>,
{
    let tensor = tensor.try_into_primitive::<B>();
    tensor.expect("an operation stays on the backend of its inputs, without autodiff")
}

/// The gradient of an operation, in Burn's form.
#[derive(Debug)]
struct Own<O, const D: usize, const K: usize>(PhantomData<O>);

impl<B, O, const D: usize, const N: usize, const K: usize> Backward<B, N> for Own<O, D, K>
where
    B: Backend,
    O: Operation<D, N, K>,
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = (O, [NodeId; K], O::Kept);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let gradient = Tensor::from_primitive::<B>(gradients.consume::<B>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let (operation, inputs, kept) = ops.state;
        let inputs = inputs.map(|input| checkpointer.retrieve_node_output(input));
        let inputs = inputs.map(Tensor::from_primitive::<B>);
        let found = operation.backward_of(inputs, kept, gradient, wanted);
        for (parent, found) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(found)) = (parent, found) {
                gradients.register::<B>(parent.id, lower::<B, D>(found));
            }
        }
    }
}

/// The forward pass of an operation whose result was not kept.
#[derive(Debug)]
struct Again<B, O, const D: usize, const N: usize, const K: usize> {
    operation: O,
    inputs: [NodeId; N],
    backend: PhantomData<B>,
}

impl<B, O, const D: usize, const N: usize, const K: usize> RetroForward for Again<B, O, D, N, K>
where
    B: Backend,
    O: Operation<D, N, K>,
    DispatchTensor: DispatchKindConversion<B>,
{
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let inputs = self.inputs.map(|input| states.get_state(&input));
        let (result, _) = forward::<B, O, D, N, K>(&self.operation, inputs);
        states.save(out_node, result);
    }
}

/// What Burn's `unary` does, for any number of inputs: takes the gradient of the result, and gives each
/// input that wants it what `work` makes of that.
pub(crate) fn pass_on<B: Backend, S, const N: usize>(
    ops: Ops<S, N>,
    gradients: &mut Gradients,
    work: impl FnOnce(S, FloatTensor<B>) -> [FloatTensor<B>; N],
) {
    let gradient = gradients.consume::<B>(&ops.node);
    let found = work(ops.state, gradient);
    for (parent, found) in ops.parents.into_iter().zip(found) {
        if let Some(parent) = parent {
            gradients.register::<B>(parent.id, found);
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
