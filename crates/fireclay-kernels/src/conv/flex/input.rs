//! The gradient of the input.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::Sizes;
use super::panel::{Left, Right, columns, each_run, product};
use crate::flex::{contiguous, run, tensor};

pub(super) fn backward(weight: FlexTensor, gradient: &FlexTensor, sizes: Sizes) -> FlexTensor {
    let weight = contiguous(weight);
    let mut x = vec![0.0; sizes.images * sizes.image()];
    let images = sizes.images_in_piece();
    let numbers: &[f32] = gradient.storage();
    let pieces = numbers.chunks(images * sizes.result());
    let pieces = pieces.zip(x.chunks_mut(images * sizes.image()));
    run(pieces.map(|(gradient, x)| Gradients {
        gradient,
        x,
        weight: weight.storage(),
        sizes,
    }));
    let [height, width] = sizes.input;
    tensor(x, [sizes.images, sizes.channels, height, width])
}

/// The gradients of some images.
struct Gradients<'a> {
    gradient: &'a [f32],
    x: &'a mut [f32],
    weight: &'a [f32],
    sizes: Sizes,
}

impl WithSimd for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, .. } = self;
        let (depth, images) = (sizes.depth(), self.x.len() / sizes.image());
        let outputs = |size: usize| (0..sizes.outputs).map(move |output| output * size);
        let taps = sizes.taps();
        let runs = sizes.runs(images, columns::<S>());
        let left = Left {
            numbers: self.weight,
            rows: &(0..depth).collect::<Vec<_>>(),
            steps: &outputs(depth).collect::<Vec<_>>(),
        };
        let right = Right {
            numbers: self.gradient,
            taps: &outputs(sizes.positions()).collect::<Vec<_>>(),
            runs: &runs.outputs,
            length: runs.length,
        };
        let mut padded = vec![0.0; images * sizes.padded_image()];
        product(simd, left, right, |weight, sums, part| {
            let maps = &mut padded[taps[weight]..];
            let starts = &runs.inputs[part];
            each_run(maps, sums, (starts, runs.length), |x, sum| *x += sum);
        });
        sizes.crop(&mut padded, self.x);
    }
}
