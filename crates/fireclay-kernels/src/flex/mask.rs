//! What attention must not look at.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bool, Tensor};

use super::contiguous;

/// What is hidden of `[batch, heads, rows, columns]` scores, of all heads alike.
#[derive(Clone, Debug)]
pub(crate) struct Mask {
    /// `[1 or batch, 1, 1 or rows, columns]`.
    hidden: FlexTensor,
    columns: usize,
    /// How many of the mask's rows to go forward from one batch to the next, and from one row.
    steps: [usize; 2],
}

impl Mask {
    pub fn new(hidden: Tensor<4, Bool>) -> Self {
        let [batch, _, rows, columns] = hidden.dims();
        let hidden = hidden.without_autodiff().try_into_primitive::<Flex>();
        Self {
            hidden: contiguous(hidden.expect("a mask is where its scores are")),
            columns,
            steps: [
                if batch == 1 { 0 } else { rows },
                if rows == 1 { 0 } else { 1 },
            ],
        }
    }

    /// Ones where a row of scores is hidden.
    #[inline(always)]
    pub fn row(&self, batch: usize, row: usize) -> &[u8] {
        let start = self.place(batch, row) * self.columns;
        &self.hidden.bytes()[start..start + self.columns]
    }

    /// Which of the mask's rows is that of a row of scores.
    #[inline(always)]
    pub fn place(&self, batch: usize, row: usize) -> usize {
        batch * self.steps[0] + row * self.steps[1]
    }

    /// The columns from the first to the last that each of the mask's rows shows; all where it shows
    /// none.
    pub fn shown(&self) -> Vec<Range<usize>> {
        let rows = self.hidden.bytes().chunks_exact(self.columns.max(1));
        let ends = |row: &[u8]| {
            let first = row.iter().position(|hidden| *hidden == 0)?;
            let last = row.iter().rposition(|hidden| *hidden == 0)?;
            Some(first..last + 1)
        };
        rows.map(|row| ends(row).unwrap_or(0..row.len())).collect()
    }
}
