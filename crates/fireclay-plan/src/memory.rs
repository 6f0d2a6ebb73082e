//! How much memory recorded operations hold at once.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use burn_ir::{
    BaseOperationIr, CustomOpIr, FloatOperationIr, OperationIr, TensorId, TensorIr, TensorStatus,
};
use fireclay_kernels::{PASS_BEGINS, PASS_ENDS};

use crate::operations::{bytes, scratch};
use crate::record::Recording;

/// The most bytes that are held at once, but for the weights, where each operation is done by itself.
pub(crate) fn peak(recording: &Recording) -> u64 {
    let operations = recording.operations.iter();
    let unmarked = operations.filter(|operation| !matches!(operation, OperationIr::Custom(_)));
    most_held(unmarked.map(Cow::Borrowed).collect(), &recording.weights)
}

/// The same where the passes of `fireclay-kernels` are single operations, as on flex.
pub(crate) fn peak_of_passes(recording: &Recording) -> u64 {
    most_held(in_passes(&recording.operations), &recording.weights)
}

/// The operations with each pass as one of them.
fn in_passes(operations: &[OperationIr]) -> Vec<Cow<'_, OperationIr>> {
    let mut found = Vec::new();
    let (mut inside, mut unread) = (HashSet::new(), HashSet::new());
    // Those that are open: a pass in another is part of it.
    let mut depth = 0;
    let mut read: Vec<TensorIr> = Vec::new();
    for operation in operations {
        match operation {
            OperationIr::Custom(mark) if mark.id == PASS_BEGINS => {
                depth += 1;
                unread.extend(mark.inputs.iter().map(|tensor| tensor.id));
            }
            OperationIr::Custom(mark) if mark.id == PASS_ENDS => {
                depth -= 1;
                if depth == 0 {
                    unread.clear();
                    let pass = pass(std::mem::take(&mut read), &mark.inputs);
                    for tensor in &pass.outputs {
                        inside.remove(&tensor.id);
                    }
                    found.push(Cow::Owned(OperationIr::Custom(pass)));
                }
            }
            // Other marks.
            OperationIr::Custom(_) => {}
            operation if depth > 0 => {
                let outer = |tensor: &&TensorIr| {
                    !inside.contains(&tensor.id) && !unread.contains(&tensor.id)
                };
                read.extend(operation.inputs().filter(outer).cloned());
                inside.extend(operation.outputs().map(|tensor| tensor.id));
            }
            operation => found.push(Cow::Borrowed(operation)),
        }
    }
    found
}

/// The operation that reads these tensors, some of them more than once, and makes those.
fn pass(read: Vec<TensorIr>, made: &[TensorIr]) -> CustomOpIr {
    let mut inputs: Vec<TensorIr> = Vec::new();
    for tensor in read {
        match inputs.iter_mut().find(|input| input.id == tensor.id) {
            Some(input) => input.status = tensor.status,
            None => inputs.push(tensor),
        }
    }
    // The result takes the place of the first that it can, which should be as large.
    inputs.sort_by_key(|tensor| Reverse(bytes(tensor)));
    let mut outputs = made.to_vec();
    outputs.dedup_by_key(|tensor| tensor.id);
    CustomOpIr::new(PASS_ENDS, &inputs, &outputs)
}

/// The most bytes that are held at once, but for the weights.
///
/// Follows every tensor from the operation that makes it to the last one that reads it. What nothing
/// reads is kept: gradients, the loss. Views share the memory of what they show, and what is read
/// for the last time is overwritten where that can be.
fn most_held(operations: Vec<Cow<'_, OperationIr>>, weights: &HashSet<TensorId>) -> u64 {
    let mut last_read = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        last_read.extend(operation.inputs().map(|tensor| (tensor.id, index)));
    }
    let mut memory = Memory::default();
    let is_weight = |id: &TensorId| weights.contains(id);
    for (index, operation) in operations.iter().enumerate() {
        match operation.outputs().find(|tensor| is_weight(&tensor.id)) {
            Some(weight) => memory.set_apart(weight.id),
            None => memory.make(operation),
        }
        memory.peak = memory.peak.max(memory.now + scratch(operation));
        // An operation may read a tensor twice.
        let mut read: Vec<TensorId> = operation.inputs().map(|tensor| tensor.id).collect();
        read.sort_unstable();
        read.dedup();
        let done = read.into_iter().filter(|id| last_read[id] == index);
        done.for_each(|id| memory.release(id));
    }
    memory.peak
}

#[derive(Default)]
struct Memory {
    tensors: HashMap<TensorId, Location>,
    blocks: Vec<Block>,
    now: u64,
    peak: u64,
}

/// Where the numbers of a tensor are.
#[derive(Clone, Copy)]
struct Location {
    block: usize,
    /// Whether they lie there in the tensor's own order and fill the block.
    plain: bool,
}

struct Block {
    bytes: u64,
    tensors: usize,
}

impl Memory {
    /// A tensor that takes nothing, and is never overwritten.
    fn set_apart(&mut self, id: TensorId) {
        let location = self.take(0);
        self.blocks[location.block].tensors = 2;
        self.tensors.insert(id, location);
    }

    fn make(&mut self, operation: &OperationIr) {
        let shown = self.shown(operation);
        let mut spare = self.spare(operation);
        for tensor in operation.outputs() {
            let size = bytes(tensor);
            let reused = spare.take_if(|(_, bytes)| *bytes == size);
            let location = match (shown, reused) {
                (Some(location), _) => location,
                (None, Some((block, _))) => Location { block, plain: true },
                (None, None) => self.take(size),
            };
            self.blocks[location.block].tensors += 1;
            self.tensors.insert(tensor.id, location);
        }
    }

    /// The memory that the result shares with its operand, if it is a view of it.
    fn shown(&self, operation: &OperationIr) -> Option<Location> {
        use BaseOperationIr as Op;
        let (OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op)) =
            operation
        else {
            return None;
        };
        let (input, out, plain) = match op {
            Op::Reshape(op) => (&op.input, &op.out, true),
            Op::SwapDims(op) => (&op.input, &op.out, false),
            Op::Permute(op) => (&op.input, &op.out, false),
            Op::Expand(op) => (&op.input, &op.out, false),
            Op::Slice(op) => (&op.tensor, &op.out, false),
            _ => return None,
        };
        let location = *self.tensors.get(&input.id)?;
        let same = input.shape == out.shape;
        match plain {
            // Numbers in another order are copied before they get another shape.
            true => (location.plain || same).then_some(location),
            false => Some(Location {
                plain: location.plain && same,
                ..location
            }),
        }
    }

    /// The memory of an operand that is overwritten by the result, and its size.
    fn spare(&self, operation: &OperationIr) -> Option<(usize, u64)> {
        if !is_elementwise(operation) {
            return None;
        }
        let is_last = |tensor: &&TensorIr| tensor.status == TensorStatus::ReadWrite;
        let locations = operation.inputs().filter(is_last);
        let mut locations =
            locations.filter_map(|tensor| Some((self.tensors.get(&tensor.id)?, tensor)));
        let spare = locations
            .find(|(location, _)| location.plain && self.blocks[location.block].tensors == 1);
        spare.map(|(location, tensor)| (location.block, bytes(tensor)))
    }

    fn take(&mut self, bytes: u64) -> Location {
        self.now += bytes;
        self.blocks.push(Block { bytes, tensors: 0 });
        Location {
            block: self.blocks.len() - 1,
            plain: true,
        }
    }

    fn release(&mut self, id: TensorId) {
        let Some(location) = self.tensors.remove(&id) else {
            return;
        };
        let block = &mut self.blocks[location.block];
        block.tensors -= 1;
        if block.tensors == 0 {
            self.now -= block.bytes;
        }
    }
}

/// Whether each number of the result depends on the numbers at the same position alone, or those
/// of operands can be overwritten all the same.
fn is_elementwise(operation: &OperationIr) -> bool {
    match operation {
        OperationIr::NumericFloat(..)
        | OperationIr::NumericInt(..)
        | OperationIr::Activation(_)
        // A pass.
        | OperationIr::Custom(_) => true,
        OperationIr::Float(_, op) => !matches!(op, FloatOperationIr::Matmul(_)),
        OperationIr::BaseFloat(op) => matches!(
            op,
            BaseOperationIr::MaskFill(_) | BaseOperationIr::MaskWhere(_)
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};
    use fireclay_kernels::{attention, batch_norm_relu};

    use super::*;
    use crate::record::record;

    /// The most bytes of `work` in plain operations and in passes.
    fn held_by<T>(work: impl FnOnce(&Device) -> T) -> [u64; 2] {
        let (_, operations) = record(work);
        let recording = Recording {
            operations,
            weights: HashSet::new(),
            halves: 0,
        };
        [peak(&recording), peak_of_passes(&recording)]
    }

    #[test]
    fn a_pass_takes_its_operands_and_its_result() {
        let [plain, passes] = held_by(|device| {
            let x = Tensor::<3>::zeros([10, 5, 20], device);
            let [gamma, beta] = [(); 2].map(|()| Tensor::ones([5], device));
            batch_norm_relu(x.clone(), gamma, beta, 1e-5).output + x
        });
        assert_eq!(passes, 4 * (2 * 1000 + 2 * 5));
        assert!(plain > 4 * 3 * 1000, "{plain}");
    }

    #[test]
    fn a_pass_in_another_is_part_of_it() {
        let [plain, passes] = held_by(|device| {
            let parts = [(); 3].map(|()| Tensor::<4>::zeros([1, 2, 64, 8], device));
            let [query, keys, values] = parts.clone();
            let found = attention(query, [keys, values], None, None);
            parts.into_iter().fold(found, |sum, part| sum + part)
        });
        assert_eq!(passes, 4 * 4 * 2 * 64 * 8);
        assert!(plain > 4 * 2 * 64 * 64, "{plain}");
    }
}
