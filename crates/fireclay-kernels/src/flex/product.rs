//! Products of matrices, by the crate that Burn's CPU backend multiplies with.
#![expect(
    unsafe_code,
    reason = "it takes pointers, and to clear and copy results first takes a tenth of a GPT's step"
)]

use burn::backend::flex::FlexTensor;
use gemm::{Parallelism, gemm};

use super::contiguous;

/// Multiplications for which it pays to wake other threads.
const SHARED: usize = 192 * 192 * 192;

/// Numbers as they lie in memory: all rows and columns are within.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    rows: usize,
    columns: usize,
    /// From one row, and one column, to the next.
    steps: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// The same numbers in a layout that [`new`](Self::new) takes.
    pub(crate) fn readable(tensor: FlexTensor) -> FlexTensor {
        match tensor.layout().strides().iter().all(|step| *step >= 0) {
            true => tensor,
            false => contiguous(tensor),
        }
    }

    /// A tensor of two axes.
    ///
    /// # Panics
    ///
    /// If it is not [`readable`](Self::readable).
    pub(crate) fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let [rows, columns] = layout.shape().dims();
        let step = |axis| usize::try_from(layout.strides()[axis]).expect("no flipped axis");
        let numbers = &tensor.storage()[layout.start_offset()..];
        Self::within(numbers, [rows, columns], [step(0), step(1)])
    }

    /// The rows of a contiguous tensor, of whatever axes but the last.
    pub(crate) fn of_rows(tensor: &'a FlexTensor) -> Self {
        let axes: &[usize] = tensor.layout().shape();
        let (columns, axes) = axes.split_last().expect("an axis");
        let rows = axes.iter().product();
        Self::within(tensor.storage(), [rows, *columns], [*columns, 1])
    }

    fn within(numbers: &'a [f32], [rows, columns]: [usize; 2], steps: [usize; 2]) -> Self {
        if rows > 0 && columns > 0 {
            let [down, right] = [
                (rows - 1).checked_mul(steps[0]),
                (columns - 1).checked_mul(steps[1]),
            ];
            let last = down
                .zip(right)
                .and_then(|(down, right)| down.checked_add(right));
            let is_within = last.is_some_and(|last| last < numbers.len());
            assert!(is_within, "a matrix within its numbers");
        }
        Self {
            numbers,
            rows,
            columns,
            steps,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn transposed(self) -> Self {
        let [down, right] = self.steps;
        Self {
            rows: self.columns,
            columns: self.rows,
            steps: [right, down],
            ..self
        }
    }
}

/// The product of two matrices, row by row.
///
/// # Panics
///
/// If the left one does not have as many columns as the right one has rows.
pub(crate) fn product(left: Matrix, right: Matrix) -> Vec<f32> {
    let count = count(left, right);
    if left.columns == 0 {
        return vec![0.0; count];
    }
    let mut result = Vec::with_capacity(count);
    // SAFETY: there is room for all. `gemm` 0.19 that is not told to read its result writes each number of
    // it and reads none, if there is something to add up.
    unsafe {
        multiply(result.as_mut_ptr(), false, left, right);
        result.set_len(count);
    }
    result
}

/// Adds the product of two matrices to `sums`, row by row.
///
/// # Panics
///
/// If the left one does not have as many columns as the right one has rows, or `sums` not as many
/// numbers as their product.
pub(crate) fn add_product(sums: &mut [f32], left: Matrix, right: Matrix) {
    assert_eq!(sums.len(), count(left, right), "a sum for each product");
    // SAFETY: there are as many.
    unsafe { multiply(sums.as_mut_ptr(), true, left, right) }
}

/// The numbers of a product.
fn count(left: Matrix, right: Matrix) -> usize {
    let count = left.rows.checked_mul(right.columns);
    count.expect("as many numbers as memory has")
}

/// # Safety
///
/// As many numbers as the product has must lie from `result` on, for nothing else to use; if it is
/// added to them, ones that were written.
unsafe fn multiply(result: *mut f32, adds: bool, left: Matrix, right: Matrix) {
    assert_eq!(left.columns, right.rows, "a column for each row");
    let (rows, depth, columns) = (left.rows, left.columns, right.columns);
    let parallelism = match rows.saturating_mul(depth).saturating_mul(columns) < SHARED {
        true => Parallelism::None,
        false => Parallelism::Rayon(0),
    };
    let step = |matrix: &Matrix, axis: usize| matrix.steps[axis] as isize;
    // SAFETY: both sides are within their numbers, which is checked where a `Matrix` is made; the
    // result is as promised.
    unsafe {
        gemm(
            rows,
            columns,
            depth,
            result,
            1,
            columns as isize,
            adds,
            left.numbers.as_ptr(),
            step(&left, 1),
            step(&left, 0),
            right.numbers.as_ptr(),
            step(&right, 1),
            step(&right, 0),
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
