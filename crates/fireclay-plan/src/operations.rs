//! What one recorded operation costs.

use burn::tensor::DType;
use burn_ir::{BaseOperationIr, FloatOperationIr, ModuleOperationIr, OperationIr, TensorIr};

/// Floating point operations, two for each multiplication with its addition.
///
/// Matrix products, convolutions and attention alone, attention over all pairs of positions, as
/// torch's `FlopCounterMode` and the papers count; norms, activations, softmax, embeddings and
/// optimizers are left out.
pub(crate) fn flops(operation: &OperationIr) -> f64 {
    let products = match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(op)) => numbers(&op.out) * side(&op.lhs, 1),
        OperationIr::Module(op) => products(op),
        _ => 0.0,
    };
    2.0 * products
}

fn products(operation: &ModuleOperationIr) -> f64 {
    use ModuleOperationIr as Op;
    match operation {
        Op::Linear(op) => numbers(&op.out) * side(&op.weight, 2),
        Op::LinearXBackward(op) => numbers(&op.out) * side(&op.weight, 1),
        Op::LinearWeightBackward(op) => numbers(&op.x) * side(&op.output_grad, 1),
        Op::Conv1d(op) => convolved(&op.out, &op.weight),
        Op::Conv2d(op) => convolved(&op.out, &op.weight),
        Op::Conv1dXBackward(op) => convolved(&op.output_grad, &op.weight),
        Op::Conv2dXBackward(op) => convolved(&op.output_grad, &op.weight),
        Op::Conv1dWeightBackward(op) => convolved(&op.output_grad, &op.weight),
        Op::Conv2dWeightBackward(op) => convolved(&op.output_grad, &op.weight),
        // Queries by keys, then weights by values.
        Op::Attention(op) => {
            let scores = numbers(&op.query) / side(&op.query, 1) * side(&op.key, 2);
            scores * (side(&op.query, 1) + side(&op.value, 1))
        }
        _ => 0.0,
    }
}

/// Every number of the output takes one product with each weight of its channel, forward and in both
/// directions backward.
fn convolved(out: &TensorIr, weight: &TensorIr) -> f64 {
    numbers(out) * numbers(weight) / weight.shape[0].max(1) as f64
}

/// The numbers in a tensor; those of large products are more than 64 bits count.
fn numbers(tensor: &TensorIr) -> f64 {
    tensor.shape.iter().map(|side| *side as f64).product()
}

fn side(tensor: &TensorIr, back: usize) -> f64 {
    last(tensor, back) as f64
}

/// The numbers in a tensor.
fn count(tensor: &TensorIr) -> u64 {
    tensor.shape.iter().map(|side| *side as u64).product()
}

/// The length of the `back`-th axis from the end, counted from 1.
fn last(tensor: &TensorIr, back: usize) -> u64 {
    let sides = &tensor.shape;
    sides[sides.num_dims() - back] as u64
}

/// The bytes of a tensor. The capture device makes whole numbers of 64 bits, the others of 32.
pub(crate) fn bytes(tensor: &TensorIr) -> u64 {
    let size = match tensor.dtype {
        DType::I64 => 4,
        dtype => dtype.size(),
    };
    count(tensor) * size as u64
}

/// Bytes that an operation reads and writes.
pub(crate) fn traffic(operation: &OperationIr) -> u64 {
    use BaseOperationIr as Op;
    let out = || operation.outputs().map(bytes).sum::<u64>();
    match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            match op {
                // Views move nothing.
                Op::Reshape(_)
                | Op::SwapDims(_)
                | Op::Permute(_)
                | Op::Expand(_)
                | Op::Slice(_) => 0,
                // What is looked up is read, not the table that it is in.
                Op::Gather(_) | Op::Select(_) => 2 * out(),
                _ => operation.inputs().map(bytes).sum::<u64>() + out(),
            }
        }
        OperationIr::Module(ModuleOperationIr::Embedding(_)) => 2 * out(),
        // A mark of a pass.
        OperationIr::Custom(_) => 0,
        _ => operation.inputs().map(bytes).sum::<u64>() + out(),
    }
}

/// Bytes that an operation takes on a CPU beside its operands and its result, and gives back.
///
/// The gradient of a convolution's weights reads a padded copy of the input.
pub(crate) fn scratch(operation: &OperationIr) -> u64 {
    use ModuleOperationIr as Op;
    match operation {
        OperationIr::Module(Op::Conv2dWeightBackward(op)) => bytes(&op.x),
        _ => 0,
    }
}
