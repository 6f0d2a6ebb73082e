//! The gradients of the weights and of the bias.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::Sizes;
use super::panel::{Left, ROWS, columns, multiply_add};
use super::sizes::Runs;
use crate::flex::{contiguous, run, sum, tensor};

/// Outputs in one piece of work.
const OUTPUTS: usize = 32;

/// Positions whose products are summed up at a time: a panel of their gradients stays in a core's second
/// cache, and sums of sums lose less to rounding.
const POSITIONS: usize = 1 << 10;

pub(super) fn backward(x: FlexTensor, gradient: &FlexTensor, sizes: Sizes) -> FlexTensor {
    let x = contiguous(x);
    let padded = sizes.pad(x.storage());
    let (taps, positions) = (sizes.taps(), sizes.runs(sizes.images, 1));
    let mut weight = vec![0.0; sizes.outputs * sizes.depth()];
    let pieces = weight.chunks_mut(OUTPUTS * sizes.depth());
    run(pieces.enumerate().map(|(index, weight)| Gradients {
        padded: &padded,
        gradient: &gradient.storage()[index * OUTPUTS * sizes.positions()..],
        weight,
        taps: &taps,
        positions: &positions,
        sizes,
    }));
    let [rows, columns] = sizes.kernel;
    tensor(weight, [sizes.outputs, sizes.channels, rows, columns])
}

/// The gradient of the bias: each output's sum.
pub(super) fn bias(gradient: &FlexTensor, sizes: Sizes) -> FlexTensor {
    let numbers: &[f32] = gradient.storage();
    let outputs = (0..sizes.outputs).map(|output| {
        move || {
            let maps = numbers[output * sizes.positions()..].chunks(sizes.result());
            maps.map(|maps| sum(&maps[..sizes.positions()], |x| x))
                .sum()
        }
    });
    tensor(run(outputs), [sizes.outputs])
}

/// The gradients of some outputs' weights.
struct Gradients<'a> {
    padded: &'a [f32],
    /// Starts at the first of these outputs.
    gradient: &'a [f32],
    weight: &'a mut [f32],
    taps: &'a [usize],
    positions: &'a Runs,
    sizes: Sizes,
}

impl WithSimd for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (width, depth) = (columns::<S>(), self.taps.len());
        let positions = self.sizes.positions();
        let mut panel = vec![0.0; width * POSITIONS.min(self.positions.inputs.len())];
        let mut totals = vec![0.0; depth * width]; // [depth, outputs]
        for (index, weight) in self.weight.chunks_mut(width * depth).enumerate() {
            let maps = &self.gradient[index * width * positions..];
            totals.fill(0.0);
            let blocks = self.positions.inputs.chunks(POSITIONS);
            for (inputs, outputs) in blocks.zip(self.positions.outputs.chunks(POSITIONS)) {
                for column in 0..weight.len() / depth {
                    list(
                        &mut panel[column..],
                        width,
                        &maps[column * positions..],
                        outputs,
                    );
                }
                for (rows, totals) in self.taps.chunks(ROWS).zip(totals.chunks_mut(ROWS * width)) {
                    let left = Left {
                        numbers: self.padded,
                        rows,
                        steps: inputs,
                    };
                    multiply_add(simd, left, &panel, totals);
                }
            }
            transpose(&totals, width, weight, depth);
        }
    }
}

/// Writes an output's gradients at these positions into its column of a panel.
#[inline(always)]
fn list(panel: &mut [f32], width: usize, map: &[f32], positions: &[usize]) {
    for (number, position) in panel.iter_mut().step_by(width).zip(positions) {
        *number = map[*position];
    }
}

/// `[depth, outputs]` -> `[outputs, depth]`, in parts that stay in a core's first cache.
#[inline(always)]
fn transpose(totals: &[f32], width: usize, weight: &mut [f32], depth: usize) {
    const PART: usize = 16;
    for (part, totals) in totals.chunks(PART * width).enumerate() {
        for (column, weight) in weight.chunks_exact_mut(depth).enumerate() {
            let rows = totals.chunks_exact(width);
            for (weight, totals) in weight[part * PART..].iter_mut().zip(rows) {
                *weight = totals[column];
            }
        }
    }
}
