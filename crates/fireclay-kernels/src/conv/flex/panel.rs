//! Products of matrices, which everything here comes down to.

use std::array;
use std::ops::Range;

use pulp::Simd;

/// Rows of one product. With two vectors of columns the sums fill twelve of the sixteen registers
/// that AVX2 has, enough to keep both of its multipliers busy.
pub(super) const ROWS: usize = 6;

/// Numbers in the panels that are made at a time, to stay in a core's second cache.
const NUMBERS: usize = 3 << 16;

/// Columns of a panel: two vectors.
#[inline(always)]
pub(super) fn columns<S: Simd>() -> usize {
    2 * S::F32_LANES
}

/// The left side of a product: the factor of row r for row q of the panel is
/// `numbers[rows[r] + steps[q]]`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) rows: &'a [usize],
    /// Ascending.
    pub(super) steps: &'a [usize],
}

/// The right side of a product: row q has, for each of the runs, the `length` numbers from
/// `runs[..] + taps[q]` on.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) taps: &'a [usize],
    pub(super) runs: &'a [usize],
    pub(super) length: usize,
}

/// Multiplies, and hands over each row of the result in parts: which row, its numbers, and of which
/// runs they are.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    left: Left,
    right: Right,
    mut give: impl FnMut(usize, &[f32], Range<usize>),
) {
    let size = right.taps.len() * columns::<S>();
    let runs_of_panel = columns::<S>() / right.length;
    let count = right.runs.len().div_ceil(runs_of_panel);
    let at_a_time = (NUMBERS / size).clamp(1, count.max(1));
    let mut panels = vec![0.0; at_a_time * size];
    let mut sums = vec![0.0; ROWS * columns::<S>()];
    for start in (0..right.runs.len()).step_by(at_a_time * runs_of_panel) {
        let runs = &right.runs[start..];
        let runs = &runs[..runs.len().min(at_a_time * runs_of_panel)];
        gather::<S>(&mut panels, Right { runs, ..right });
        for (index, rows) in left.rows.chunks(ROWS).enumerate() {
            let panels = panels.chunks_exact(size).enumerate();
            for (panel, numbers) in panels.take(runs.len().div_ceil(runs_of_panel)) {
                multiply(simd, Left { rows, ..left }, numbers, &mut sums);
                let first = start + panel * runs_of_panel;
                let last = (first + runs_of_panel).min(start + runs.len());
                for (row, sums) in sums
                    .chunks_exact(columns::<S>())
                    .take(rows.len())
                    .enumerate()
                {
                    give(index * ROWS + row, sums, first..last);
                }
            }
        }
    }
}

/// Makes panels, one after the other. The last may lack columns.
#[inline(always)]
fn gather<S: Simd>(panels: &mut [f32], right: Right) {
    let columns = columns::<S>();
    let panels = panels.chunks_exact_mut(right.taps.len() * columns);
    for (panel, runs) in panels.zip(right.runs.chunks(columns / right.length)) {
        let right = Right { runs, ..right };
        match right.length {
            8 => gather_runs::<8>(panel, right, columns),
            4 => gather_runs::<4>(panel, right, columns),
            2 => gather_runs::<2>(panel, right, columns),
            _ => gather_runs::<1>(panel, right, columns),
        }
    }
}

#[inline(always)]
fn gather_runs<const LENGTH: usize>(panel: &mut [f32], right: Right, columns: usize) {
    for (row, tap) in panel.chunks_exact_mut(columns).zip(right.taps) {
        let (parts, _) = row.as_chunks_mut::<LENGTH>();
        for (part, run) in parts.iter_mut().zip(right.runs) {
            part.copy_from_slice(&right.numbers[run + tap..][..LENGTH]);
        }
    }
}

/// Hands each of a row of sums to `write`, with the number of the maps that it is for: runs of some
/// `length` begin at these positions.
#[inline(always)]
pub(super) fn each_run(
    maps: &mut [f32],
    sums: &[f32],
    (starts, length): (&[usize], usize),
    write: impl Fn(&mut f32, f32),
) {
    match length {
        8 => each_run_of::<8>(maps, sums, starts, write),
        4 => each_run_of::<4>(maps, sums, starts, write),
        2 => each_run_of::<2>(maps, sums, starts, write),
        _ => each_run_of::<1>(maps, sums, starts, write),
    }
}

#[inline(always)]
fn each_run_of<const LENGTH: usize>(
    maps: &mut [f32],
    sums: &[f32],
    starts: &[usize],
    write: impl Fn(&mut f32, f32),
) {
    let (sums, _) = sums.as_chunks::<LENGTH>();
    for (sums, start) in sums.iter().zip(starts) {
        let numbers = &mut maps[*start..][..LENGTH];
        for (number, sum) in numbers.iter_mut().zip(sums) {
            write(number, *sum);
        }
    }
}

/// Writes the products of [`ROWS`] rows at most to `sums`, which has a row of columns for each.
#[inline(always)]
fn multiply<S: Simd>(simd: S, left: Left, panel: &[f32], sums: &mut [f32]) {
    let zero = simd.splat_f32s(0.0);
    accumulate(simd, left, panel, sums, |_| [zero; 2]);
}

/// Adds them instead.
#[inline(always)]
pub(super) fn multiply_add<S: Simd>(simd: S, left: Left, panel: &[f32], sums: &mut [f32]) {
    accumulate(simd, left, panel, sums, |sums| sums);
}

#[inline(always)]
fn accumulate<S: Simd>(
    simd: S,
    left: Left,
    panel: &[f32],
    sums: &mut [f32],
    start: impl Fn([S::f32s; 2]) -> [S::f32s; 2],
) {
    match left.rows.len() {
        1 => accumulate_rows::<S, 1>(simd, left, panel, sums, start),
        2 => accumulate_rows::<S, 2>(simd, left, panel, sums, start),
        3 => accumulate_rows::<S, 3>(simd, left, panel, sums, start),
        4 => accumulate_rows::<S, 4>(simd, left, panel, sums, start),
        5 => accumulate_rows::<S, 5>(simd, left, panel, sums, start),
        _ => accumulate_rows::<S, ROWS>(simd, left, panel, sums, start),
    }
}

#[inline(always)]
fn accumulate_rows<S: Simd, const R: usize>(
    simd: S,
    left: Left,
    panel: &[f32],
    sums: &mut [f32],
    start: impl Fn([S::f32s; 2]) -> [S::f32s; 2],
) {
    let span = left.steps.last().map_or(0, |last| last + 1);
    let rows: [&[f32]; R] = array::from_fn(|row| &left.numbers[left.rows[row]..][..span]);
    let (panel, _) = pulp::as_arrays::<2, _>(S::as_simd_f32s(panel).0);
    let (result, _) = pulp::as_arrays_mut::<2, _>(S::as_mut_simd_f32s(sums).0);
    let mut sums: [[S::f32s; 2]; R] = array::from_fn(|row| start(result[row]));
    for ([first, second], step) in panel.iter().zip(left.steps) {
        for row in 0..R {
            let factor = simd.splat_f32s(rows[row][*step]);
            sums[row][0] = simd.mul_add_e_f32s(factor, *first, sums[row][0]);
            sums[row][1] = simd.mul_add_e_f32s(factor, *second, sums[row][1]);
        }
    }
    result[..R].copy_from_slice(&sums);
}
