//! The gradient of the input.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use super::Sizes;
use super::panel::{Left, Right, columns, product};
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
            add(maps, sums, &runs.inputs[part], runs.length);
        });
        sizes.crop(&mut padded, self.x);
    }
}

/// Adds sums to the numbers that their runs of positions have met.
#[inline(always)]
fn add(maps: &mut [f32], sums: &[f32], runs: &[usize], length: usize) {
    match length {
        8 => add_runs::<8>(maps, sums, runs),
        4 => add_runs::<4>(maps, sums, runs),
        2 => add_runs::<2>(maps, sums, runs),
        _ => add_runs::<1>(maps, sums, runs),
    }
}

#[inline(always)]
fn add_runs<const LENGTH: usize>(maps: &mut [f32], sums: &[f32], runs: &[usize]) {
    let (sums, _) = sums.as_chunks::<LENGTH>();
    for (sums, run) in sums.iter().zip(runs) {
        let x = &mut maps[*run..][..LENGTH];
        for (x, sum) in x.iter_mut().zip(sums) {
            *x += sum;
        }
    }
}
