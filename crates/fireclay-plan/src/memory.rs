//! How much memory recorded operations hold at once.

use std::collections::HashMap;

use burn_ir::{BaseOperationIr, FloatOperationIr, OperationIr, TensorId, TensorIr, TensorStatus};

use crate::operations::{bytes, scratch};
use crate::record::Recording;

/// The most bytes that are held at once, but for the weights.
///
/// Follows every tensor from the operation that makes it to the last one that reads it. What nothing
/// reads is kept: gradients, the loss. Views share the memory of what they show, and what is read
/// for the last time is overwritten where that can be.
pub(crate) fn peak(recording: &Recording) -> u64 {
    let operations = &recording.operations;
    let mut last_read = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        last_read.extend(operation.inputs().map(|tensor| (tensor.id, index)));
    }
    let mut memory = Memory::default();
    let is_weight = |id: &TensorId| recording.weights.contains(id);
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
    tensors: HashMap<TensorId, Place>,
    blocks: Vec<Block>,
    now: u64,
    peak: u64,
}

/// Where the numbers of a tensor are.
#[derive(Clone, Copy)]
struct Place {
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
        let place = self.take(0);
        self.blocks[place.block].tensors = 2;
        self.tensors.insert(id, place);
    }

    fn make(&mut self, operation: &OperationIr) {
        let shown = self.shown(operation);
        let mut spare = self.spare(operation);
        for tensor in operation.outputs() {
            let size = bytes(tensor);
            let reused = spare.take_if(|(_, bytes)| *bytes == size);
            let place = match (shown, reused) {
                (Some(place), _) => place,
                (None, Some((block, _))) => Place { block, plain: true },
                (None, None) => self.take(size),
            };
            self.blocks[place.block].tensors += 1;
            self.tensors.insert(tensor.id, place);
        }
    }

    /// The memory that the result shares with its operand, if it is a view of it.
    fn shown(&self, operation: &OperationIr) -> Option<Place> {
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
        let place = *self.tensors.get(&input.id)?;
        let same = input.shape == out.shape;
        match plain {
            // Numbers in another order are copied before they get another shape.
            true => (place.plain || same).then_some(place),
            false => Some(Place {
                plain: place.plain && same,
                ..place
            }),
        }
    }

    /// The memory of an operand that is overwritten by the result, and its size.
    fn spare(&self, operation: &OperationIr) -> Option<(usize, u64)> {
        if !is_elementwise(operation) {
            return None;
        }
        let is_last = |tensor: &&TensorIr| tensor.status == TensorStatus::ReadWrite;
        let places = operation.inputs().filter(is_last);
        let mut places = places.filter_map(|tensor| Some((self.tensors.get(&tensor.id)?, tensor)));
        let spare = places.find(|(place, _)| place.plain && self.blocks[place.block].tensors == 1);
        spare.map(|(place, tensor)| (place.block, bytes(tensor)))
    }

    fn take(&mut self, bytes: u64) -> Place {
        self.now += bytes;
        self.blocks.push(Block { bytes, tensors: 0 });
        Place {
            block: self.blocks.len() - 1,
            plain: true,
        }
    }

    fn release(&mut self, id: TensorId) {
        let Some(place) = self.tensors.remove(&id) else {
            return;
        };
        let block = &mut self.blocks[place.block];
        block.tensors -= 1;
        if block.tensors == 0 {
            self.now -= block.bytes;
        }
    }
}

/// Whether each number of the result depends on the numbers at the same place alone.
fn is_elementwise(operation: &OperationIr) -> bool {
    match operation {
        OperationIr::NumericFloat(..)
        | OperationIr::NumericInt(..)
        | OperationIr::Activation(_) => true,
        OperationIr::Float(_, op) => !matches!(op, FloatOperationIr::Matmul(_)),
        OperationIr::BaseFloat(op) => matches!(
            op,
            BaseOperationIr::MaskFill(_) | BaseOperationIr::MaskWhere(_)
        ),
        _ => false,
    }
}
