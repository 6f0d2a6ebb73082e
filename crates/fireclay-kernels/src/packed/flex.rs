//! Products on Burn's CPU backend, of numbers in single precision.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::Packed;
use crate::flex::{Matrix, PIECE, dot, numbers as numbers_of, product as multiply, run, tensor};
use crate::linear::is_alone;

/// Rows up to which each row of the matrix is made and used at once, rather than all of them first.
const FEW: usize = 8;

/// x Wᵀ. Where [`each_row_alone`](crate::each_row_alone) holds, a row has the bits that it has in any company.
pub(super) fn product(x: Tensor<2>, weight: &Packed) -> Tensor<2> {
    let [count, _] = x.dims();
    let x = numbers_of(x);
    Tensor::from_primitive::<Flex>(match count <= FEW || is_alone() {
        true => by_rows(&x, count, weight),
        false => {
            let dense = dense(weight);
            let product = multiply(Matrix::of_rows(&x), Matrix::new(&dense).transposed());
            tensor(product, [count, weight.shape[0]])
        }
    })
}

/// The gradient of x, from that of x Wᵀ.
pub(super) fn gradient(gradient: Tensor<2>, weight: &Packed) -> Tensor<2> {
    let [count, _] = gradient.dims();
    let (gradient, dense) = (numbers_of(gradient), dense(weight));
    let product = multiply(Matrix::of_rows(&gradient), Matrix::new(&dense));
    Tensor::from_primitive::<Flex>(tensor(product, [count, weight.shape[1]]))
}

fn dense(weight: &Packed) -> FlexTensor {
    tensor(numbers(weight), weight.shape)
}

/// All numbers of a matrix, row by row.
pub(super) fn numbers(weight: &Packed) -> Vec<f32> {
    let [rows, columns] = weight.shape;
    let mut numbers = vec![0.0; rows * columns];
    if !numbers.is_empty() {
        let some = rows_in_piece(columns);
        let pieces = numbers.chunks_mut(some * columns).enumerate();
        run(pieces.map(|(piece, numbers)| Unpacking {
            weight,
            first: piece * some,
            numbers,
        }));
    }
    numbers
}

/// Whether all numbers of a matrix are finite.
pub(super) fn is_finite(weight: &Packed) -> bool {
    let [rows, columns] = weight.shape;
    let some = rows_in_piece(columns);
    let pieces = (0..rows).step_by(some);
    let found = run(pieces.map(|first| Finding {
        weight,
        rows: first..(first + some).min(rows),
    }));
    found.into_iter().all(|is_finite| is_finite)
}

struct Finding<'a> {
    weight: &'a Packed,
    rows: Range<usize>,
}

impl NullaryFnOnce for Finding<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        self.weight.rows_are_finite(self.rows)
    }
}

/// A few times as much as of other work: it is done faster.
fn rows_in_piece(columns: usize) -> usize {
    (4 * PIECE / columns.max(1)).max(1)
}

/// Writes the numbers of some rows, from one on.
struct Unpacking<'a> {
    weight: &'a Packed,
    first: usize,
    numbers: &'a mut [f32],
}

impl NullaryFnOnce for Unpacking<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.numbers.chunks_exact_mut(self.weight.shape[1]);
        for (index, row) in rows.enumerate() {
            self.weight.row(self.first + index, row);
        }
    }
}

/// The products of a few rows, each row of the matrix in turn.
fn by_rows(x: &FlexTensor, count: usize, weight: &Packed) -> FlexTensor {
    let [outputs, columns] = weight.shape;
    let mut products = vec![0.0; count * outputs];
    if !products.is_empty() && columns > 0 {
        let (some, x) = (rows_in_piece(columns), x.storage::<f32>());
        let firsts = (0..outputs).step_by(some);
        let pieces = firsts.map(|first| first..(first + some).min(outputs));
        let found = run(pieces.clone().map(|rows| Rows { weight, rows, x }));
        for (rows, found) in pieces.zip(found) {
            for (output, found) in rows.zip(found.chunks_exact(count)) {
                let places = products[output..].iter_mut().step_by(outputs);
                places.zip(found).for_each(|(place, found)| *place = *found);
            }
        }
    }
    tensor(products, [count, outputs])
}

/// Multiplies some rows of the matrix with each of `x`.
struct Rows<'a> {
    weight: &'a Packed,
    rows: Range<usize>,
    x: &'a [f32],
}

impl NullaryFnOnce for Rows<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call(self) -> Vec<f32> {
        let mut row = vec![0.0; self.weight.shape[1]];
        let mut products = Vec::with_capacity(self.rows.len() * (self.x.len() / row.len()));
        for index in self.rows {
            self.weight.row(index, &mut row);
            let x = self.x.chunks_exact(row.len());
            products.extend(x.map(|x| dot(&row, x)));
        }
        products
    }
}
