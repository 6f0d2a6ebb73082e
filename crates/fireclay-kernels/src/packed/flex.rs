//! Products on Burn's CPU backend, of numbers in single precision.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::Packed;
use super::wide::{GROUP, Plain, Wide};
use crate::flex::{Matrix, PIECE, numbers as numbers_of, product as multiply, run, tensor};
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
    let [rows, columns] = weight.shape;
    let some = rows_in_piece(columns);
    let pieces = (0..rows).step_by(some);
    let found = run(pieces.map(|first| {
        Widely(Finding {
            weight,
            rows: first..(first + some).min(rows),
        })
    }));
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
    let mut products = vec![0.0; count * outputs];
    if !products.is_empty() && columns > 0 {
        let (some, x) = (rows_in_piece(columns), x.storage::<f32>());
        let firsts = (0..outputs).step_by(some);
        let pieces = firsts.map(|first| first..(first + some).min(outputs));
        let found = run(pieces.clone().map(|rows| Widely(Rows { weight, rows, x })));
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

impl OfRows for Rows<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn call(self, wide: impl Wide) -> Vec<f32> {
        let columns = self.weight.shape[1];
        let mut products = vec![0.0; self.rows.len() * (self.x.len() / columns)];
        if self.x.len() == columns {
            for (index, product) in self.rows.zip(&mut products) {
                let mut sums = [0.0; GROUP];
                self.weight.each(
                    wide,
                    index,
                    // Inlined, or it is compiled for any processor.
                    #[inline(always)]
                    |at, numbers| add(wide, &mut sums, at, numbers, self.x),
                );
                *product = sums.iter().sum();
            }
            return products;
        }
        let mut row = vec![0.0; columns];
        let products_of_rows = products.chunks_exact_mut(self.x.len() / columns);
        for (index, products) in self.rows.zip(products_of_rows) {
            self.weight.row(wide, index, &mut row);
            for (x, product) in self.x.chunks_exact(columns).zip(products) {
                *product = dot(wide, &row, x);
            }
        }
        products
    }
}

/// The product of two rows, in the order of a row whose numbers are made as they are used.
#[inline(always)]
fn dot(wide: impl Wide, row: &[f32], x: &[f32]) -> f32 {
    let mut sums = [0.0; GROUP];
    for (group, some) in row.chunks(GROUP).enumerate() {
        let numbers = match some.first_chunk() {
            Some(numbers) => *numbers,
            None => filled(some),
        };
        add(wide, &mut sums, GROUP * group, numbers, x);
    }
    sums.iter().sum()
}

/// Adds the products of sixteen numbers with those of `x` from a place on, each to its sum.
#[inline(always)]
fn add(wide: impl Wide, sums: &mut [f32; GROUP], at: usize, numbers: [f32; GROUP], x: &[f32]) {
    let left = &x[at..];
    let x = match left.first_chunk::<GROUP>() {
        Some(x) => *x,
        None => filled(left),
    };
    for ((sum, number), x) in sums.iter_mut().zip(numbers).zip(x) {
        *sum = wide.fused(number, x, *sum);
    }
}

/// Fewer than sixteen numbers, then zeros.
fn filled(some: &[f32]) -> [f32; GROUP] {
    let mut all = [0.0; GROUP];
    all[..some.len()].copy_from_slice(some);
    all
}

/// Work on rows of a matrix, for any processor.
trait OfRows {
    type Output;

    fn call(self, wide: impl Wide) -> Self::Output;
}

/// Work with the widest instructions that there are.
struct Widely<W>(W);

impl<W: OfRows> NullaryFnOnce for Widely<W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return self.0.call(simd);
        }
        self.0.call(Plain)
    }
}
