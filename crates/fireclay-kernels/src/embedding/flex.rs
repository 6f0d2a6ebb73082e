//! One thread copies rows, and adds their gradients up in one buffer, in the order of the indices.

use burn::backend::TensorMetadata;
use burn::tensor::{Int, Tensor};

use crate::flex::extension::*;
use crate::flex::{contiguous, is_index, tensor, width};

pub(super) fn embedding(table: Tensor<2>, indices: Tensor<2, Int>) -> Tensor<3> {
    let ([rows, _], shape) = (table.dims(), indices.dims());
    let indices = indices.into_data();
    let indices = indices.iter().map(|index| row(index, rows)).collect();
    Tensor::from_dispatch(Dispatch::embed(table.into_dispatch(), indices, shape))
}

fn row(index: i64, rows: usize) -> u32 {
    assert!(
        is_index(index, rows),
        "index {index} of a table of {rows} rows"
    );
    index as u32
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait EmbeddingOps: Backend {
    fn embed(table: FloatTensor<Self>, indices: Vec<u32>, shape: [usize; 2]) -> FloatTensor<Self>;
}

impl EmbeddingOps for Flex {
    fn embed(table: FlexTensor, indices: Vec<u32>, shape: [usize; 2]) -> FlexTensor {
        forward(table, &indices, shape)
    }
}

impl<C: CheckpointStrategy> EmbeddingOps for Autodiff<Flex, C> {
    fn embed(table: FloatTensor<Self>, indices: Vec<u32>, shape: [usize; 2]) -> FloatTensor<Self> {
        let prepared = EmbeddingBackward.prepare::<C>([table.node()]);
        let table = table.into_primitive();
        let rows = table.shape()[0];
        let found = forward(table, &indices, shape);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(State { indices, rows }, found),
            OpsKind::UnTracked(prepared) => prepared.finish(found),
        }
    }
}

#[derive(Debug)]
struct EmbeddingBackward;

#[derive(Clone, Debug)]
struct State {
    indices: Vec<u32>,
    /// Rows of the table.
    rows: usize,
}

impl Backward<Flex, 1> for EmbeddingBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { indices, rows } = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            backward(gradient, &indices, rows)
        });
    }
}

fn forward(table: FlexTensor, indices: &[u32], [batch, time]: [usize; 2]) -> FlexTensor {
    let table = contiguous(table);
    let width = width(&table);
    let numbers: &[f32] = table.storage();
    let mut found = Vec::with_capacity(indices.len() * width);
    for index in indices {
        found.extend_from_slice(&numbers[*index as usize * width..][..width]);
    }
    tensor(found, [batch, time, width])
}

fn backward(gradient: FlexTensor, indices: &[u32], rows: usize) -> FlexTensor {
    let gradient = contiguous(gradient);
    let width = width(&gradient);
    let mut table = vec![0.0; rows * width];
    let gradients: &[f32] = gradient.storage();
    for (index, gradient) in indices.iter().zip(gradients.chunks_exact(width.max(1))) {
        let row = &mut table[*index as usize * width..][..width];
        for (sum, gradient) in row.iter_mut().zip(gradient) {
            *sum += gradient;
        }
    }
    tensor(table, [rows, width])
}
