//! Forward.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::Sizes;
use super::panel::{Left, Right, columns, product};
use crate::flex::{contiguous, run, tensor};

pub(super) fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    sizes: Sizes,
) -> FlexTensor {
    let [x, weight, bias] = [x, weight, bias].map(contiguous);
    let mut y = vec![0.0; sizes.images * sizes.result()];
    let images = sizes.images_in_piece();
    let numbers: &[f32] = x.storage();
    let pieces = numbers.chunks(images * sizes.image());
    let pieces = pieces.zip(y.chunks_mut(images * sizes.result()));
    run(pieces.map(|(x, y)| Values {
        x,
        y,
        weight: weight.storage(),
        bias: bias.storage(),
        sizes,
    }));
    let [rows, columns] = sizes.output();
    tensor(y, [sizes.images, sizes.outputs, rows, columns])
}

/// The results of some images.
struct Values<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    sizes: Sizes,
}

impl WithSimd for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, y, .. } = self;
        let depth = sizes.depth();
        let padded = sizes.pad(self.x);
        let runs = sizes.runs(self.x.len() / sizes.image(), columns::<S>());
        let left = Left {
            numbers: self.weight,
            rows: &(0..sizes.outputs)
                .map(|output| output * depth)
                .collect::<Vec<_>>(),
            steps: &(0..depth).collect::<Vec<_>>(),
        };
        let right = Right {
            numbers: &padded,
            taps: &sizes.taps(),
            runs: &runs.inputs,
            length: runs.length,
        };
        product(simd, left, right, |output, sums, part| {
            let maps = &mut y[output * sizes.positions()..];
            write(
                maps,
                sums,
                self.bias[output],
                &runs.outputs[part],
                runs.length,
            );
        });
    }
}

/// Writes sums and a bias to their runs of positions.
#[inline(always)]
fn write(maps: &mut [f32], sums: &[f32], bias: f32, runs: &[usize], length: usize) {
    match length {
        8 => write_runs::<8>(maps, sums, bias, runs),
        4 => write_runs::<4>(maps, sums, bias, runs),
        2 => write_runs::<2>(maps, sums, bias, runs),
        _ => write_runs::<1>(maps, sums, bias, runs),
    }
}

#[inline(always)]
fn write_runs<const LENGTH: usize>(maps: &mut [f32], sums: &[f32], bias: f32, runs: &[usize]) {
    let (sums, _) = sums.as_chunks::<LENGTH>();
    for (sums, run) in sums.iter().zip(runs) {
        let y = &mut maps[*run..][..LENGTH];
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = sum + bias;
        }
    }
}
