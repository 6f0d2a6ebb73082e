//! The mask of attention.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor};

use super::contiguous;

/// The mask of `[batch, heads, rows, columns]` scores, the same for all heads.
#[derive(Clone, Debug)]
pub(crate) struct Mask {
    /// `[1 or batch, 1, 1 or rows, columns]`.
    masked: FlexTensor,
    columns: usize,
    /// How many of the mask's rows to go forward from one batch to the next, and from one row.
    steps: [usize; 2],
}

impl Mask {
    pub fn new(mask: Tensor<4, Bool>) -> Self {
        let [batch, _, rows, columns] = mask.dims();
        let mask = mask.without_autodiff().try_into_primitive::<Flex>();
        Self {
            masked: contiguous(mask.expect("a mask is where its scores are")),
            columns,
            steps: [
                if batch == 1 { 0 } else { rows },
                if rows == 1 { 0 } else { 1 },
            ],
        }
    }

    /// Ones where a row of scores is masked.
    #[inline(always)]
    pub fn row(&self, batch: usize, row: usize) -> &[u8] {
        let start = self.index(batch, row) * self.columns;
        &self.masked.bytes()[start..start + self.columns]
    }

    /// The index of the mask's row for a row of scores.
    #[inline(always)]
    pub fn index(&self, batch: usize, row: usize) -> usize {
        batch * self.steps[0] + row * self.steps[1]
    }

    /// The columns from the first to the last that each of the mask's rows shows; all where it shows
    /// none.
    pub fn shown(&self) -> Vec<Range<usize>> {
        let rows = self.masked.bytes().chunks_exact(self.columns.max(1));
        let ends = |row: &[u8]| {
            let first = row.iter().position(|masked| *masked == 0)?;
            let last = row.iter().rposition(|masked| *masked == 0)?;
            Some(first..last + 1)
        };
        rows.map(|row| ends(row).unwrap_or(0..row.len())).collect()
    }
}
