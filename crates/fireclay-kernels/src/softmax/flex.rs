//! Softmax in place, forward and backward.

use burn::backend::Flex;
use burn::tensor::{Bool, Tensor};
use pulp::NullaryFnOnce;

use crate::flex::{LANES, Mask, dot, exp, greatest, numbers, rows_in_piece, run, width};

pub(super) fn softmax<const D: usize>(
    scores: Tensor<D>,
    mask: Option<Tensor<D, Bool>>,
    scale: f64,
) -> Tensor<D> {
    let mask = mask.map(|mask| RowMask::new(mask, &scores));
    let mut scores = numbers(scores);
    let columns = width(&scores);
    let rows = rows_in_piece(columns);
    let pieces = scores.storage_mut().chunks_mut(rows * columns.max(1));
    run(pieces.enumerate().map(|(piece, scores)| Values {
        scores,
        columns,
        first: piece * rows,
        mask: mask.as_ref(),
        scale: scale as f32,
    }));
    Tensor::from_primitive::<Flex>(scores)
}

pub(super) fn softmax_gradient<const D: usize>(
    shares: Tensor<D>,
    gradient: Tensor<D>,
    mask: Option<Tensor<D, Bool>>,
    scale: f64,
) -> Tensor<D> {
    let mask = mask.map(|mask| RowMask::new(mask, &shares));
    let [shares, mut gradient] = [shares, gradient].map(numbers);
    let columns = width(&shares);
    let rows = rows_in_piece(columns);
    let pieces = shares.storage().chunks(rows * columns.max(1));
    let pieces = pieces.zip(gradient.storage_mut().chunks_mut(rows * columns.max(1)));
    run(pieces
        .enumerate()
        .map(|(piece, (shares, gradient))| Gradients {
            shares,
            gradient,
            columns,
            first: piece * rows,
            mask: mask.as_ref(),
            scale: scale as f32,
        }));
    Tensor::from_primitive::<Flex>(gradient)
}

/// The mask of rows of scores.
struct RowMask {
    mask: Mask,
    /// Rows to a batch, and to a head.
    rows: [usize; 2],
}

impl RowMask {
    /// Scores have a batch and heads before their rows.
    fn new<const D: usize>(mask: Tensor<D, Bool>, scores: &Tensor<D>) -> Self {
        let dims = scores.dims();
        Self {
            mask: Mask::new(mask.unsqueeze()),
            rows: [dims[D - 3] * dims[D - 2], dims[D - 2]],
        }
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[u8] {
        self.mask.row(index / self.rows[0], index % self.rows[1])
    }
}

/// Turns scores into shares, row by row.
struct Values<'a> {
    scores: &'a mut [f32],
    columns: usize,
    /// The index of the first row.
    first: usize,
    mask: Option<&'a RowMask>,
    scale: f32,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (index, row) in self.scores.chunks_exact_mut(self.columns).enumerate() {
            multiply(row, self.scale);
            let moments = weigh(row, self.mask.map(|mask| mask.row(self.first + index)));
            multiply(row, moments.factor);
        }
    }
}

/// Turns gradients of shares into those of scores before their scale, row by row.
struct Gradients<'a> {
    shares: &'a [f32],
    gradient: &'a mut [f32],
    columns: usize,
    /// The index of the first row.
    first: usize,
    mask: Option<&'a RowMask>,
    scale: f32,
}

impl NullaryFnOnce for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.shares.chunks_exact(self.columns);
        let rows = rows.zip(self.gradient.chunks_exact_mut(self.columns));
        for (index, (shares, gradient)) in rows.enumerate() {
            let mask = self.mask.map(|mask| mask.row(self.first + index));
            self::gradient(shares, gradient, mask, self.scale);
        }
    }
}

/// The greatest of a row's scores, and one over the sum of the exponentials of their distances from
/// it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    greatest: f32,
    pub factor: f32,
}

/// Turns a row's scores into shares, but for the moments' factor.
#[inline(always)]
pub(crate) fn weigh(row: &mut [f32], mask: Option<&[u8]>) -> Moments {
    fill(row, mask);
    let greatest = greatest(row);
    let factor = 1.0 / exponentials(row, greatest);
    Moments { greatest, factor }
}

/// Turns a row's scores into shares, where the moments are known.
#[inline(always)]
pub(crate) fn shares(row: &mut [f32], mask: Option<&[u8]>, moments: Moments) {
    fill(row, mask);
    for score in row {
        *score = exp(*score - moments.greatest) * moments.factor;
    }
}

/// Turns the gradient of a row's shares into that of its scores before their scale.
#[inline(always)]
pub(crate) fn gradient(shares: &[f32], gradient: &mut [f32], mask: Option<&[u8]>, scale: f32) {
    let mean = dot(shares, gradient);
    for (gradient, share) in gradient.iter_mut().zip(shares) {
        *gradient = scale * share * (*gradient - mean);
    }
    // A masked score has no part in the result even where all are masked.
    for (gradient, masked) in gradient.iter_mut().zip(mask.unwrap_or_default()) {
        *gradient = if *masked == 0 { *gradient } else { 0.0 };
    }
}

#[inline(always)]
fn fill(row: &mut [f32], mask: Option<&[u8]>) {
    for (score, masked) in row.iter_mut().zip(mask.unwrap_or_default()) {
        *score = if *masked == 0 { *score } else { f32::MIN };
    }
}

/// Replaces each number by the exponential of its distance from the greatest, and gives their sum.
#[inline(always)]
fn exponentials(row: &mut [f32], greatest: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let mut chunks = row.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = exp(*x - greatest);
            *lane += *x;
        }
    }
    for (lane, x) in lanes.iter_mut().zip(chunks.into_remainder()) {
        *x = exp(*x - greatest);
        *lane += *x;
    }
    lanes.iter().sum()
}

#[inline(always)]
fn multiply(row: &mut [f32], factor: f32) {
    for x in row {
        *x *= factor;
    }
}
