//! The layout of heads: rows of different heads lie side by side, as linear layers leave them.

use burn::backend::flex::FlexTensor;

use super::dims;
use crate::flex::contiguous;

/// `[batch, heads, time, width]` numbers.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    numbers: &'a [f32],
    pub dims: [usize; 4],
    /// How far to go from one batch to the next, one head, one row.
    steps: [usize; 3],
}

impl<'a> Heads<'a> {
    /// The same tensor, in a layout that has the numbers of a row side by side.
    pub fn readable(tensor: FlexTensor) -> FlexTensor {
        match tensor.layout().strides() {
            [batch, head, row, 1] if [batch, head, row].into_iter().all(|step| *step >= 0) => {
                tensor
            }
            _ => contiguous(tensor),
        }
    }

    pub fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let steps = layout.strides();
        Self {
            numbers: &tensor.storage()[layout.start_offset()..],
            dims: dims(tensor),
            steps: [0, 1, 2].map(|axis| steps[axis].unsigned_abs()),
        }
    }

    /// One head, counted over the batch.
    #[inline(always)]
    pub fn head(&self, index: usize) -> Head<'a> {
        let [_, heads, rows, width] = self.dims;
        let start = index / heads * self.steps[0] + index % heads * self.steps[1];
        Head {
            numbers: &self.numbers[start..],
            step: self.steps[2],
            rows,
            width,
        }
    }
}

/// The rows of one head.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    numbers: &'a [f32],
    step: usize,
    pub rows: usize,
    pub width: usize,
}

impl<'a> Head<'a> {
    #[inline(always)]
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.numbers[index * self.step..][..self.width]
    }

    /// `N` rows from one on, the last more than once where there are fewer.
    #[inline(always)]
    pub fn some<const N: usize>(&self, first: usize) -> [&'a [f32]; N] {
        std::array::from_fn(|row| self.row((first + row).min(self.rows - 1)))
    }
}

/// The rows of one head, to be written.
pub(super) type RowsMut<'a> = Vec<&'a mut [f32]>;

/// The rows of each head, batch by batch, of numbers that lie as `[batch, time, heads, width]`.
pub(super) fn by_head(
    numbers: &mut [f32],
    [batch, heads, time, width]: [usize; 4],
) -> impl Iterator<Item = RowsMut<'_>> {
    let mut all: Vec<RowsMut<'_>> = Vec::new();
    all.resize_with(batch * heads, || Vec::with_capacity(time));
    for (index, side_by_side) in numbers.chunks_exact_mut(heads * width).enumerate() {
        let first = index / time * heads;
        for (row, rows) in side_by_side.chunks_exact_mut(width).zip(&mut all[first..]) {
            rows.push(row);
        }
    }
    all.into_iter()
}

/// Writes sums, each `step` after the one before, to the rows from `first` on.
#[inline(always)]
pub(super) fn write(rows: &mut [&mut [f32]], first: usize, sums: &[f32], step: usize) {
    for (row, sums) in rows[first..].iter_mut().zip(sums.chunks_exact(step)) {
        let width = row.len();
        row.copy_from_slice(&sums[..width]);
    }
}
