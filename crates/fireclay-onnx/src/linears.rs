//! Linear layers as one operation. Burn records a layer on more than rows in one of two ways, whichever its size
//! makes faster: it folds the axes before the last into rows, or gives the weight more axes. Recordings of other
//! sizes would differ.

use std::collections::HashMap;

use burn_ir::{
    BaseOperationIr, FloatOperationIr, LinearOpIr, MatmulOpIr, ModuleOperationIr,
    NumericOperationIr, OperationIr, ShapeOpIr, TensorId, TensorIr,
};

/// The same operations, with one for each linear layer.
pub(crate) fn joined(operations: Vec<OperationIr>) -> Vec<OperationIr> {
    let mut reads: HashMap<TensorId, usize> = HashMap::new();
    for operation in &operations {
        operation
            .inputs()
            .for_each(|input| *reads.entry(input.id).or_default() += 1);
    }
    let once = |tensor: &TensorIr| reads.get(&tensor.id) == Some(&1);
    let mut found = Vec::new();
    let mut rest = &operations[..];
    while let Some((first, others)) = rest.split_first() {
        match folded(rest, &once).or_else(|| spread(rest, &once)) {
            Some((linear, count)) => {
                found.push(OperationIr::Module(ModuleOperationIr::Linear(linear)));
                rest = &rest[count..];
            }
            None => {
                found.push(first.clone());
                rest = others;
            }
        }
    }
    found
}

/// A layer, and how many operations it is made of.
type Found = Option<(LinearOpIr, usize)>;

/// Rows of all axes but the last, their product, and the axes again.
fn folded(operations: &[OperationIr], once: &impl Fn(&TensorIr) -> bool) -> Found {
    let rows = reshaped(operations.first()?)?;
    let product = product(operations.get(1)?)?;
    let is_folded = rows.input.shape.num_dims() > 2
        && rows.out.shape.num_dims() == 2
        && last(&rows.input) == last(&rows.out)
        && product.rhs.shape.num_dims() == 2
        && product.lhs.id == rows.out.id
        && once(&rows.out);
    let (bias, sum, count) = with_bias(&operations[2..], product, once);
    let back = reshaped(operations.get(2 + count)?)?;
    let dims = rows.input.shape.num_dims();
    let is_back = back.input.id == sum.id
        && back.out.shape.num_dims() == dims
        && back.out.shape[..dims - 1] == rows.input.shape[..dims - 1]
        && once(sum);
    let linear = LinearOpIr {
        x: rows.input.clone(),
        weight: product.rhs.clone(),
        bias: bias.cloned(),
        out: back.out.clone(),
    };
    (is_folded && is_back).then_some((linear, 3 + count))
}

/// A weight with axes of length one before its own, and the product with it.
fn spread(operations: &[OperationIr], once: &impl Fn(&TensorIr) -> bool) -> Found {
    let weight = reshaped(operations.first()?)?;
    let product = product(operations.get(1)?)?;
    let dims = weight.out.shape.num_dims();
    let is_spread = dims > 2
        && weight.input.shape.num_dims() == 2
        && weight.out.shape[dims - 2..] == weight.input.shape[..]
        && product.rhs.id == weight.out.id
        && product.lhs.shape.num_dims() == dims
        && once(&weight.out);
    let (bias, sum, count) = with_bias(&operations[2..], product, once);
    let linear = LinearOpIr {
        x: product.lhs.clone(),
        weight: weight.input.clone(),
        bias: bias.cloned(),
        out: sum.clone(),
    };
    is_spread.then_some((linear, 2 + count))
}

/// The bias that is added to a product next, the sum, and how many operations that takes; the product without
/// one.
fn with_bias<'a>(
    operations: &'a [OperationIr],
    product: &'a MatmulOpIr,
    once: &impl Fn(&TensorIr) -> bool,
) -> (Option<&'a TensorIr>, &'a TensorIr, usize) {
    if let [
        reshape,
        OperationIr::NumericFloat(_, NumericOperationIr::Add(sum)),
        ..,
    ] = operations
        && let Some(bias) = reshaped(reshape)
        && bias.input.shape.num_dims() == 1
        && last(&bias.input) == last(&bias.out)
        && (sum.lhs.id, sum.rhs.id) == (product.out.id, bias.out.id)
        && once(&product.out)
        && once(&bias.out)
    {
        return (Some(&bias.input), &sum.out, 2);
    }
    (None, &product.out, 0)
}

fn reshaped(operation: &OperationIr) -> Option<&ShapeOpIr> {
    match operation {
        OperationIr::BaseFloat(BaseOperationIr::Reshape(reshape)) => Some(reshape),
        _ => None,
    }
}

fn product(operation: &OperationIr) -> Option<&MatmulOpIr> {
    match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(product)) => Some(product),
        _ => None,
    }
}

fn last(tensor: &TensorIr) -> usize {
    tensor.shape[tensor.shape.num_dims() - 1]
}
