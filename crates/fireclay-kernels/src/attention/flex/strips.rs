//! Products of a few rows with a matrix that was laid out for them.

use std::ops::Range;

use pulp::Simd;

use super::heads::Head;
use crate::flex::fused;

/// How many rows a product has at a time: with two vectors to each, their sums stay in registers.
pub(super) const ROWS: usize = 4;

/// A matrix cut into strips as wide as two vectors, each of them row by row; zeros fill the last.
pub(super) struct Strips {
    numbers: Vec<f32>,
    /// Rows of the matrix.
    depth: usize,
}

/// How wide a strip is.
#[inline(always)]
pub(super) const fn strip<S: Simd>() -> usize {
    2 * S::F32_LANES
}

/// Columns rounded up to whole strips and to whole rows of products of the transpose.
#[inline(always)]
pub(super) fn padded<S: Simd>(columns: usize) -> usize {
    columns.next_multiple_of(strip::<S>().max(ROWS))
}

impl Strips {
    /// Rows from `rows.start` on as they are.
    #[inline(always)]
    pub fn along<S: Simd>(head: Head<'_>, rows: Range<usize>) -> Self {
        let (width, depth) = (strip::<S>(), rows.len());
        let mut numbers = vec![0.0; padded::<S>(head.width) * depth];
        for (index, row) in rows.enumerate() {
            for (strip, part) in head.row(row).chunks(width).enumerate() {
                numbers[(strip * depth + index) * width..][..part.len()].copy_from_slice(part);
            }
        }
        Self { numbers, depth }
    }

    /// The transpose: each row becomes a column, multiplied with a factor.
    #[inline(always)]
    pub fn across<S: Simd>(head: Head<'_>, factor: f32) -> Self {
        let (width, depth) = (strip::<S>(), head.width);
        let mut numbers = vec![0.0; padded::<S>(head.rows) * depth];
        for row in 0..head.rows {
            let start = row / width * width * depth + row % width;
            let column = numbers[start..].iter_mut().step_by(width);
            for (y, x) in column.zip(head.row(row)) {
                *y = factor * x;
            }
        }
        Self { numbers, depth }
    }

    #[inline(always)]
    fn strip<S: Simd>(&self, index: usize, depth: Range<usize>) -> &[[S::f32s; 2]] {
        let numbers = &self.numbers[index * self.depth * strip::<S>()..];
        let (vectors, _) = S::as_simd_f32s(&numbers[..self.depth * strip::<S>()]);
        &vectors.as_chunks().0[depth]
    }

    /// Writes products of rows with columns of the matrix, in whole strips, to rows that are `step`
    /// wide. Each row has the numbers of the matrix' rows in `depth`.
    #[inline(always)]
    pub fn product<S: Simd>(
        &self,
        simd: S,
        rows: [&[f32]; ROWS],
        depth: Range<usize>,
        columns: Range<usize>,
        (sums, step): (&mut [f32], usize),
    ) {
        let rows = rows.map(|row| &row[..depth.len()]);
        for start in columns.step_by(strip::<S>()) {
            let strip = self.strip::<S>(start / strip::<S>(), depth.clone());
            let rows = (0..strip.len()).map(|k| rows.map(|row| row[k]));
            let found = add_products(simd, rows, strip, [[simd.splat_f32s(0.0); 2]; ROWS]);
            for (row, found) in found.into_iter().enumerate() {
                vectors::<S>(&mut sums[row * step + start..]).copy_from_slice(&found);
            }
        }
    }

    /// Adds the products of columns of `rows`, which are `step` wide and as many as the matrix', with
    /// the matrix to as many rows of sums.
    #[inline(always)]
    pub fn add_transposed<S: Simd>(
        &self,
        simd: S,
        (rows, step): (&[f32], usize),
        columns: Range<usize>,
        (sums, width): (&mut [f32], usize),
    ) {
        for start in (0..width).step_by(strip::<S>()) {
            let strip = self.strip::<S>(start / strip::<S>(), 0..self.depth);
            for column in columns.clone().step_by(ROWS) {
                let rows = rows.chunks_exact(step);
                let rows = rows.map(|row| std::array::from_fn(|index| row[column + index]));
                let mut found = [[simd.splat_f32s(0.0); 2]; ROWS];
                for (row, found) in found.iter_mut().enumerate() {
                    let sums = &mut sums[(column + row) * width + start..];
                    found.copy_from_slice(vectors::<S>(sums));
                }
                let found = add_products(simd, rows, strip, found);
                for (row, found) in found.into_iter().enumerate() {
                    let sums = &mut sums[(column + row) * width + start..];
                    vectors::<S>(sums).copy_from_slice(&found);
                }
            }
        }
    }
}

/// The first two vectors of a row.
#[inline(always)]
fn vectors<S: Simd>(row: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(&mut row[..strip::<S>()]).0
}

/// The sums of four rows' products with a strip, added to what there is.
#[inline(always)]
fn add_products<S: Simd>(
    simd: S,
    rows: impl Iterator<Item = [f32; ROWS]>,
    strip: &[[S::f32s; 2]],
    mut sums: [[S::f32s; 2]; ROWS],
) -> [[S::f32s; 2]; ROWS] {
    for (row, vectors) in rows.zip(strip) {
        for (x, sums) in row.into_iter().zip(&mut sums) {
            let x = simd.splat_f32s(x);
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = fused(simd, x, *vector, *sum);
            }
        }
    }
    sums
}
