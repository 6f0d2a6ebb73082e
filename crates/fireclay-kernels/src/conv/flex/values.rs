//! Forward.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::Sizes;
use super::panel::{Left, Right, columns, each_run, product};
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
            let (starts, bias) = (&runs.outputs[part], self.bias[output]);
            each_run(maps, sums, (starts, runs.length), |y, sum| *y = sum + bias);
        });
    }
}
