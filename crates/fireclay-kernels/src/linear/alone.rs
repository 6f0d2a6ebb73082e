//! Products of a few rows with a matrix, each row as if it were alone.
//!
//! Each number is summed up in an order that depends on the inputs alone, whatever the other rows and the threads.
//! The weights are read once for all rows: to read them takes longer than to multiply.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::{Simd, WithSimd};

use crate::flex::{PIECE, contiguous, fused, numbers, run, tensor};

/// Columns that one piece of work has at most, so that a row of sums stays in the first cache.
const COLUMNS: usize = 512;
/// Columns of a piece are a multiple of it: a vector is as wide at most.
const STRIP: usize = 32;
/// Rows of the weight that are added up at a time.
const DEPTH: usize = 8;
/// Columns of the weight that a row is multiplied with at a time, where they lie side by side.
const ACROSS: usize = 4;

pub(super) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let [inputs, outputs] = weight.dims();
    let mut shape = x.dims();
    assert_eq!(shape[D - 1], inputs, "a row of the weight an input");
    shape[D - 1] = outputs;
    let weight = weight.try_into_primitive::<Flex>();
    let weight = Weight::readable(weight.expect("it was seen to be on flex, without autodiff"));
    let (x, bias) = (numbers(x), bias.map(numbers));
    let rows: usize = shape[..D - 1].iter().product();
    let mut sums = match &bias {
        Some(bias) => bias.storage::<f32>()[..outputs].repeat(rows),
        None => vec![0.0; rows * outputs],
    };
    if !sums.is_empty() && inputs > 0 {
        let weight = Weight::new(&weight);
        let x: Vec<&[f32]> = x.storage::<f32>().chunks_exact(inputs).collect();
        let columns = columns_in_piece(rows * inputs, outputs);
        let parts = by_columns(&mut sums, outputs, columns).into_iter();
        run(parts.enumerate().map(|(piece, sums)| Columns {
            x: &x,
            weight,
            first: piece * columns,
            sums,
        }));
    }
    Tensor::from_primitive::<Flex>(tensor(sums, shape))
}

/// Few enough that every thread has some, unless all together are not worth the hand-over.
fn columns_in_piece(each: usize, outputs: usize) -> usize {
    let threads = match each.saturating_mul(outputs) < 4 * PIECE {
        true => return outputs.next_multiple_of(STRIP),
        false => rayon::current_num_threads(),
    };
    let pieces = threads * outputs.div_ceil(threads * COLUMNS);
    outputs.div_ceil(pieces).next_multiple_of(STRIP)
}

/// The parts of all rows that each piece of work writes.
fn by_columns(sums: &mut [f32], outputs: usize, columns: usize) -> Vec<Vec<&mut [f32]>> {
    let mut pieces: Vec<Vec<&mut [f32]>> = Vec::new();
    pieces.resize_with(outputs.div_ceil(columns), Vec::new);
    for row in sums.chunks_exact_mut(outputs) {
        for (piece, part) in pieces.iter_mut().zip(row.chunks_mut(columns)) {
            piece.push(part);
        }
    }
    pieces
}

/// A weight `[inputs, outputs]` as it lies in memory.
#[derive(Clone, Copy)]
struct Weight<'a> {
    numbers: &'a [f32],
    inputs: usize,
    /// From one input to the next, and one output to the next: one of them is 1.
    steps: [usize; 2],
}

impl<'a> Weight<'a> {
    /// The same numbers in a layout that [`new`](Self::new) takes.
    fn readable(tensor: FlexTensor) -> FlexTensor {
        match tensor.layout().strides() {
            [step, 1] | [1, step] if *step > 0 => tensor,
            _ => contiguous(tensor),
        }
    }

    fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let [inputs, _] = layout.shape().dims();
        let step = |axis| usize::try_from(layout.strides()[axis]).expect("no flipped axis");
        Self {
            numbers: &tensor.storage()[layout.start_offset()..],
            inputs,
            steps: [step(0), step(1)],
        }
    }
}

/// Adds to each row's part the products with some columns of the weight.
struct Columns<'a, 'b> {
    x: &'a [&'a [f32]],
    weight: Weight<'a>,
    /// The first of these columns.
    first: usize,
    /// One part for each row.
    sums: Vec<&'b mut [f32]>,
}

impl WithSimd for Columns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match self.weight.steps {
            [_, 1] => self.down(simd),
            _ => self.across(simd),
        }
    }
}

impl Columns<'_, '_> {
    /// For each input in turn, adds a multiple of its row of the weight.
    #[inline(always)]
    fn down<S: Simd>(&mut self, simd: S) {
        let Weight {
            numbers,
            inputs,
            steps: [step, _],
        } = self.weight;
        let width = self.sums[0].len();
        let row = |input: usize| &numbers[input * step + self.first..][..width];
        let whole = inputs / DEPTH * DEPTH;
        for input in (0..whole).step_by(DEPTH) {
            let rows: [&[f32]; DEPTH] = std::array::from_fn(|index| row(input + index));
            for (x, sums) in self.x.iter().zip(&mut self.sums) {
                let x: [f32; DEPTH] = std::array::from_fn(|index| x[input + index]);
                add_rows(simd, x, rows, sums);
            }
        }
        for input in whole..inputs {
            for (x, sums) in self.x.iter().zip(&mut self.sums) {
                add_rows(simd, [x[input]], [row(input)], sums);
            }
        }
    }

    /// For each output adds the product of the input with its column, which lies number by number.
    #[inline(always)]
    fn across<S: Simd>(&mut self, simd: S) {
        let Weight {
            numbers,
            inputs,
            steps: [_, step],
        } = self.weight;
        let width = self.sums[0].len();
        let column = |output: usize| &numbers[(self.first + output) * step..][..inputs];
        let whole = width / ACROSS * ACROSS;
        for output in (0..whole).step_by(ACROSS) {
            let columns: [&[f32]; ACROSS] = std::array::from_fn(|index| column(output + index));
            for (x, sums) in self.x.iter().zip(&mut self.sums) {
                add_columns(simd, x, columns, &mut sums[output..]);
            }
        }
        for output in whole..width {
            for (x, sums) in self.x.iter().zip(&mut self.sums) {
                add_columns(simd, x, [column(output)], &mut sums[output..]);
            }
        }
    }
}

/// Adds multiples of rows, one row after the other. By index, since going through an array of slices copies the array
/// for each vector.
#[inline(always)]
fn add_rows<S: Simd, const N: usize>(simd: S, x: [f32; N], rows: [&[f32]; N], sums: &mut [f32]) {
    let factors = x.map(|x| simd.splat_f32s(x));
    let (vectors, rest) = S::as_mut_simd_f32s(sums);
    let heads = rows.map(|row| &S::as_simd_f32s(row).0[..vectors.len()]);
    let tails = rows.map(|row| &S::as_simd_f32s(row).1[..rest.len()]);
    for index in 0..vectors.len() {
        let mut sum = vectors[index];
        for row in 0..N {
            sum = fused(simd, factors[row], heads[row][index], sum);
        }
        vectors[index] = sum;
    }
    for index in 0..rest.len() {
        for row in 0..N {
            rest[index] += x[row] * tails[row][index];
        }
    }
}

/// Adds the products of a row with columns, each to its sum: vectors side by side, then their sum, then what is left.
#[inline(always)]
fn add_columns<S: Simd, const N: usize>(
    simd: S,
    x: &[f32],
    columns: [&[f32]; N],
    sums: &mut [f32],
) {
    let (vectors, rest) = S::as_simd_f32s(x);
    let heads = columns.map(|column| &S::as_simd_f32s(column).0[..vectors.len()]);
    let tails = columns.map(|column| &S::as_simd_f32s(column).1[..rest.len()]);
    let mut found = [simd.splat_f32s(0.0); N];
    for index in 0..vectors.len() {
        for column in 0..N {
            found[column] = fused(simd, vectors[index], heads[column][index], found[column]);
        }
    }
    for column in 0..N {
        let mut whole = simd.reduce_sum_f32s(found[column]);
        for (x, weight) in rest.iter().zip(tails[column]) {
            whole += x * weight;
        }
        sums[column] += whole;
    }
}
