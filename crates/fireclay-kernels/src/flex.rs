//! What the bodies for Burn's CPU backend share.

mod float;
mod mask;
mod product;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Shape, Tensor, TensorData};
use pulp::{Arch, WithSimd};
use rayon::prelude::*;

pub(crate) use float::{LANES, Sums, dot, exp, fused, greatest, normal, relu, sigmoid, sum};
pub(crate) use mask::Mask;
pub(crate) use product::{Matrix, add_product, product};

/// What a body that Burn knows as an operation of the backend, with a gradient, is written with.
pub(crate) mod extension {
    pub(crate) use burn::backend::autodiff::checkpoint::base::Checkpointer;
    pub(crate) use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    pub(crate) use burn::backend::autodiff::grads::Gradients;
    pub(crate) use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
    pub(crate) use burn::backend::autodiff::{Autodiff, NodeId};
    pub(crate) use burn::backend::flex::FlexTensor;
    pub(crate) use burn::backend::tensor::FloatTensor;
    pub(crate) use burn::backend::{Backend, Dispatch, Flex, backend_extension};
}

/// Whether the loops of this crate can work on `x`.
pub(crate) fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    crate::is_flex(&x.device()) && x.dtype() == DType::F32
}

/// How many numbers one piece of work has, about: enough to pay for handing it to a thread, few
/// enough to stay in that core's cache.
pub(crate) const PIECE: usize = 1 << 14;

/// How many rows of `width` numbers one piece of work has.
pub(crate) fn rows_in_piece(width: usize) -> usize {
    (PIECE / width.max(1)).max(1)
}

/// Does each piece of work with the widest vectors that the processor has, on the threads of the
/// current pool. What it does must be inlined, or it is compiled for any processor.
pub(crate) fn run<W>(pieces: impl Iterator<Item = W>) -> Vec<W::Output>
where
    W: WithSimd<Output: Send> + Send,
{
    let arch = Arch::new();
    let work = |piece| arch.dispatch(piece);
    let pieces: Vec<W> = pieces.collect();
    match pieces.len() {
        // Not worth a hand-over to the pool.
        1 => pieces.into_iter().map(work).collect(),
        _ => pieces.into_par_iter().map(work).collect(),
    }
}

/// A tensor of these numbers, row by row.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The numbers of a tensor that the loops take, row by row, without a copy where nothing else holds
/// them.
pub(crate) fn numbers<const D: usize>(x: Tensor<D>) -> FlexTensor {
    let x = x.try_into_primitive::<Flex>();
    contiguous(x.expect("the loops take what is on flex, and an operation is without autodiff"))
}

/// Whether `index` is below `count` and not negative.
pub(crate) fn is_index(index: i64, count: usize) -> bool {
    u32::try_from(index).is_ok_and(|index| (index as usize) < count)
}

/// The length of the last axis.
pub(crate) fn width(tensor: &FlexTensor) -> usize {
    tensor.layout().shape().last().copied().unwrap_or(1)
}

/// The same numbers row by row, without a copy where nothing else holds them.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}
