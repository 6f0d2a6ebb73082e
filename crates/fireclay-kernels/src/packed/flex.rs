//! Products on Burn's CPU backend.

use std::borrow::Cow;
use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::rows::{OfRows, Widely, pieces, put_together, rows_in_piece};
use super::wide::{GROUP, Wide};
use super::{Packed, whole};
use crate::flex::{Matrix, numbers as numbers_of, product as multiply, run, tensor};
use crate::linear::is_alone;

/// Rows up to which each row of the matrix is made and used at once, rather than all of them first.
const FEW: usize = 8;

/// x Wᵀ. Where [`each_row_alone`](crate::each_row_alone) holds, a row has the bits that it has in any company.
pub(super) fn product(x: Tensor<2>, weight: &Packed) -> Tensor<2> {
    let [product] = products(x, [weight]);
    product
}

/// [`product`] with each of several matrices of as many columns. Few rows are multiplied with all of them at once.
pub(super) fn products<const N: usize>(x: Tensor<2>, weights: [&Packed; N]) -> [Tensor<2>; N] {
    let [count, columns] = x.dims();
    let x = numbers_of(x);
    let are_few = count <= FEW || is_alone();
    let products = if count * columns == 0 {
        weights.map(|weight| tensor(vec![0.0; count * weight.shape[0]], [count, weight.shape[0]]))
    } else if !are_few {
        weights.map(|weight| with_all(&x, count, weight))
    } else if weights.iter().all(|weight| weight.format.is_whole()) {
        whole::by_rows(&x, count, weights)
    } else {
        weights.map(|weight| by_rows(&x, count, weight))
    };
    products.map(Tensor::from_primitive::<Flex>)
}

/// The products with all rows of the matrix, in single precision for the time being.
fn with_all(x: &FlexTensor, count: usize, weight: &Packed) -> FlexTensor {
    let dense = dense(weight);
    let product = multiply(Matrix::of_rows(x), Matrix::new(&dense).transposed());
    tensor(product, [count, weight.shape[0]])
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
        run(pieces.map(|(piece, numbers)| {
            Widely(Unpacking {
                weight,
                first: piece * some,
                numbers,
            })
        }));
    }
    numbers
}

/// Whether all numbers of a matrix are finite.
pub(super) fn is_finite(weight: &Packed) -> bool {
    let found = run(pieces(weight).map(|rows| Widely(Finding { weight, rows })));
    found.into_iter().all(|is_finite| is_finite)
}

struct Finding<'a> {
    weight: &'a Packed,
    rows: Range<usize>,
}

impl OfRows for Finding<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self, wide: impl Wide) -> bool {
        self.weight.rows_are_finite(wide, self.rows)
    }
}

/// Writes the numbers of some rows, from one on.
struct Unpacking<'a> {
    weight: &'a Packed,
    first: usize,
    numbers: &'a mut [f32],
}

impl OfRows for Unpacking<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self, wide: impl Wide) {
        let rows = self.numbers.chunks_exact_mut(self.weight.shape[1]);
        for (index, row) in rows.enumerate() {
            self.weight.row(wide, self.first + index, row);
        }
    }
}

/// The products of a few rows, each row of the matrix in turn.
fn by_rows(x: &FlexTensor, count: usize, weight: &Packed) -> FlexTensor {
    let [outputs, columns] = weight.shape;
    if weight.format.is_whole() {
        let [products] = whole::by_rows(x, count, [weight]);
        return products;
    }
    let x = in_groups(x.storage::<f32>(), columns);
    let (x, _) = x.as_chunks();
    let work = pieces(weight).map(|rows| Widely(Rows { weight, rows, x }));
    put_together(pieces(weight).zip(run(work)), count, outputs)
}

/// Rows that are whole groups: zeros follow the last number of each.
fn in_groups(x: &[f32], columns: usize) -> Cow<'_, [f32]> {
    let width = columns.next_multiple_of(GROUP);
    if width == columns {
        return Cow::Borrowed(x);
    }
    let zeros = vec![0.0; width - columns];
    let rows = x.chunks_exact(columns);
    Cow::Owned(rows.flat_map(|row| [row, &zeros].concat()).collect())
}

/// Multiplies some rows of the matrix with each of `x`, which are whole groups.
struct Rows<'a> {
    weight: &'a Packed,
    rows: Range<usize>,
    x: &'a [[f32; GROUP]],
}

impl OfRows for Rows<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call(self, wide: impl Wide) -> Vec<f32> {
        let columns = self.weight.shape[1];
        let width = columns.div_ceil(GROUP);
        let count = self.x.len() / width;
        let mut products = vec![0.0; self.rows.len() * count];
        if count == 1 {
            for (index, product) in self.rows.zip(&mut products) {
                let mut sums = [0.0; GROUP];
                self.weight.each(
                    wide,
                    index,
                    // Inlined, or it is compiled for any processor.
                    #[inline(always)]
                    |at, numbers| add(wide, &mut sums, &numbers, &self.x[at / GROUP]),
                );
                *product = sums.iter().sum();
            }
            return products;
        }
        let mut row = vec![[0.0; GROUP]; width];
        for (index, products) in self.rows.zip(products.chunks_exact_mut(count)) {
            let numbers = &mut row.as_flattened_mut()[..columns];
            self.weight.row(wide, index, numbers);
            for (x, product) in self.x.chunks_exact(width).zip(products) {
                *product = dot(wide, &row, x);
            }
        }
        products
    }
}

/// The product of two rows, in the order of a row whose numbers are made as they are used.
#[inline(always)]
fn dot(wide: impl Wide, row: &[[f32; GROUP]], x: &[[f32; GROUP]]) -> f32 {
    let mut sums = [0.0; GROUP];
    for (numbers, x) in row.iter().zip(x) {
        add(wide, &mut sums, numbers, x);
    }
    sums.iter().sum()
}

/// Adds the products of two groups, each to its sum.
#[inline(always)]
fn add(wide: impl Wide, sums: &mut [f32; GROUP], numbers: &[f32; GROUP], x: &[f32; GROUP]) {
    for ((sum, number), x) in sums.iter_mut().zip(numbers).zip(x) {
        *sum = wide.fused(*number, *x, *sum);
    }
}
