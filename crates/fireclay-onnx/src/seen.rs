//! What of an operation depends on the size of the inputs.

use burn::tensor::Slice;
use burn_ir::{BaseOperationIr, IrVisitorMut, OperationIr, ScalarIr, TensorIr};

/// The tensors and ranges of an operation, in the order in which they are visited.
#[derive(Default)]
pub(crate) struct Seen {
    pub tensors: Vec<TensorIr>,
    pub scalars: Vec<ScalarIr>,
    slices: Vec<Slice>,
    /// Start, end and step; an open end is a length that no tensor has.
    pub ranges: Vec<(usize, usize, isize)>,
}

impl Seen {
    pub fn of(operation: &OperationIr) -> Self {
        let mut seen = Self::default();
        operation.clone().visit_mut(&mut seen);
        seen
    }

    /// Another operation with these tensors and ranges; none if it has more or fewer.
    pub fn put_into(&self, operation: &OperationIr) -> Option<OperationIr> {
        let mut put = Put {
            tensors: self.tensors.iter(),
            scalars: self.scalars.iter(),
            slices: self.slices.iter(),
            fits: true,
        };
        let mut operation = settled(operation);
        operation.visit_mut(&mut put);
        let is_empty = put.tensors.len() + put.scalars.len() + put.slices.len() == 0;
        (put.fits && is_empty).then_some(operation)
    }
}

impl IrVisitorMut for Seen {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        self.tensors.push(tensor.clone());
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        self.scalars.push(*scalar);
    }

    fn visit_range_mut(&mut self, range: &mut Slice) {
        let bound = |bound: isize| usize::try_from(bound).unwrap_or(OPEN);
        let (start, end) = (bound(range.start), range.end.map_or(OPEN, bound));
        self.slices.push(*range);
        self.ranges.push((start, end, range.step));
    }
}

/// The end of a range that is open, or counted from behind; there is no rule for the latter.
pub(crate) const OPEN: usize = usize::MAX >> 1;

struct Put<'a> {
    tensors: std::slice::Iter<'a, TensorIr>,
    scalars: std::slice::Iter<'a, ScalarIr>,
    slices: std::slice::Iter<'a, Slice>,
    fits: bool,
}

impl IrVisitorMut for Put<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        match self.tensors.next() {
            Some(first)
                if first.dtype == tensor.dtype
                    && first.shape.num_dims() == tensor.shape.num_dims() =>
            {
                *tensor = first.clone();
            }
            _ => self.fits = false,
        }
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        match self.scalars.next() {
            Some(first) => *scalar = *first,
            None => self.fits = false,
        }
    }

    fn visit_range_mut(&mut self, range: &mut Slice) {
        match self.slices.next() {
            Some(first) if first.step == range.step => *range = *first,
            _ => self.fits = false,
        }
    }
}

/// The operation without the number that follows from the shapes of its tensors.
pub(crate) fn settled(operation: &OperationIr) -> OperationIr {
    let mut operation = operation.clone();
    if let OperationIr::BaseFloat(BaseOperationIr::RepeatDim(op))
    | OperationIr::BaseInt(BaseOperationIr::RepeatDim(op))
    | OperationIr::BaseBool(BaseOperationIr::RepeatDim(op)) = &mut operation
    {
        op.times = 0;
    }
    operation
}
