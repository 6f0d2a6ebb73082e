//! Softmax in place, forward and backward.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Bool, Tensor};
use pulp::NullaryFnOnce;

use crate::flex::{LANES, Mask, contiguous, dot, exp, greatest, rows_in_piece, run, width};

pub(super) fn softmax<const D: usize>(
    scores: Tensor<D>,
    hidden: Option<Tensor<4, Bool>>,
    scale: f64,
) -> Tensor<D> {
    let hidden = hidden.map(|hidden| Hidden::new(hidden, &scores));
    let scores = scores.into_dispatch();
    Tensor::from_dispatch(Dispatch::softmax(scores, hidden, scale as f32))
}

/// What is hidden of rows of scores.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    mask: Mask,
    /// Rows to a batch, and to a head.
    rows: [usize; 2],
}

impl Hidden {
    fn new<const D: usize>(hidden: Tensor<4, Bool>, scores: &Tensor<D>) -> Self {
        let dims = scores.dims();
        Self {
            mask: Mask::new(hidden),
            rows: [dims[D - 3] * dims[D - 2], dims[D - 2]],
        }
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[u8] {
        self.mask.row(index / self.rows[0], index % self.rows[1])
    }
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait SoftmaxOps: Backend {
    fn softmax(scores: FloatTensor<Self>, hidden: Option<Hidden>, scale: f32) -> FloatTensor<Self>;
}

impl SoftmaxOps for Flex {
    fn softmax(scores: FlexTensor, hidden: Option<Hidden>, scale: f32) -> FlexTensor {
        let mut scores = contiguous(scores);
        let columns = width(&scores);
        let rows = rows_in_piece(columns);
        let pieces = scores.storage_mut().chunks_mut(rows * columns.max(1));
        run(pieces.enumerate().map(|(piece, scores)| Values {
            scores,
            columns,
            first: piece * rows,
            hidden: hidden.as_ref(),
            scale,
        }));
        scores
    }
}

impl<C: CheckpointStrategy> SoftmaxOps for Autodiff<Flex, C> {
    fn softmax(scores: FloatTensor<Self>, hidden: Option<Hidden>, scale: f32) -> FloatTensor<Self> {
        let prepared = SoftmaxBackward.prepare::<C>([scores.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let shares = Flex::softmax(scores.into_primitive(), hidden.clone(), scale);
                prepared.finish((shares.clone(), hidden, scale), shares)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(Flex::softmax(scores.into_primitive(), hidden, scale))
            }
        }
    }
}

#[derive(Debug)]
struct SoftmaxBackward;

impl Backward<Flex, 1> for SoftmaxBackward {
    type State = (FlexTensor, Option<Hidden>, f32);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (shares, hidden, scale) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            backward(shares, gradient, hidden.as_ref(), scale)
        });
    }
}

fn backward(
    shares: FlexTensor,
    gradient: FlexTensor,
    hidden: Option<&Hidden>,
    scale: f32,
) -> FlexTensor {
    let [shares, mut gradient] = [shares, gradient].map(contiguous);
    let columns = width(&shares);
    let rows = rows_in_piece(columns);
    let pieces = shares.storage().chunks(rows * columns.max(1));
    let pieces = pieces.zip(gradient.storage_mut().chunks_mut(rows * columns.max(1)));
    run(pieces
        .enumerate()
        .map(|(piece, (shares, gradient))| Slopes {
            shares,
            gradient,
            columns,
            first: piece * rows,
            hidden,
            scale,
        }));
    gradient
}

/// Turns scores into shares, row by row.
struct Values<'a> {
    scores: &'a mut [f32],
    columns: usize,
    /// The index of the first row.
    first: usize,
    hidden: Option<&'a Hidden>,
    scale: f32,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (index, row) in self.scores.chunks_exact_mut(self.columns).enumerate() {
            multiply(row, self.scale);
            let moments = weigh(
                row,
                self.hidden.map(|hidden| hidden.row(self.first + index)),
            );
            multiply(row, moments.factor);
        }
    }
}

/// Turns gradients of shares into those of scores, row by row.
struct Slopes<'a> {
    shares: &'a [f32],
    gradient: &'a mut [f32],
    columns: usize,
    /// The index of the first row.
    first: usize,
    hidden: Option<&'a Hidden>,
    scale: f32,
}

impl NullaryFnOnce for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.shares.chunks_exact(self.columns);
        let rows = rows.zip(self.gradient.chunks_exact_mut(self.columns));
        for (index, (shares, gradient)) in rows.enumerate() {
            let hidden = self.hidden.map(|hidden| hidden.row(self.first + index));
            slopes(shares, gradient, hidden, self.scale);
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
pub(crate) fn weigh(row: &mut [f32], hidden: Option<&[u8]>) -> Moments {
    hide(row, hidden);
    let greatest = greatest(row);
    let factor = 1.0 / exponentials(row, greatest);
    Moments { greatest, factor }
}

/// Turns a row's scores into shares, where the moments are known.
#[inline(always)]
pub(crate) fn shares(row: &mut [f32], hidden: Option<&[u8]>, moments: Moments) {
    hide(row, hidden);
    for score in row {
        *score = exp(*score - moments.greatest) * moments.factor;
    }
}

/// Turns the gradient of a row's shares into that of its scores.
#[inline(always)]
pub(crate) fn slopes(shares: &[f32], gradient: &mut [f32], hidden: Option<&[u8]>, scale: f32) {
    let mean = dot(shares, gradient);
    for (gradient, share) in gradient.iter_mut().zip(shares) {
        *gradient = scale * share * (*gradient - mean);
    }
    // A hidden score has no part in the result even where all are hidden.
    for (gradient, hidden) in gradient.iter_mut().zip(hidden.unwrap_or_default()) {
        *gradient = if *hidden == 0 { *gradient } else { 0.0 };
    }
}

#[inline(always)]
fn hide(row: &mut [f32], hidden: Option<&[u8]>) {
    for (score, hidden) in row.iter_mut().zip(hidden.unwrap_or_default()) {
        *score = if *hidden == 0 { *score } else { f32::MIN };
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
