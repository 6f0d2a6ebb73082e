//! The loops of a part of a batch, whose statistics are those of all parts: what a channel has in all images stays in a
//! core's first cache while it is read.

use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use crate::batch_norm::together::Slope;
use crate::flex::{PIECE, Sums, numbers, rows_in_piece, run};

/// `count`, the means of all channels, and their sums of squares about them.
pub(in super::super) fn moments<const D: usize>(x: Tensor<D>, count: usize) -> Vec<f64> {
    let maps = Maps::of(&x);
    let x = numbers(x);
    let x: &[f32] = x.storage();
    let moments = run(maps.pieces().map(|channels| Moments {
        x,
        maps,
        channels,
        count: count as f32,
    }));
    let moments = moments.concat();
    let part = |part: usize| moments.iter().map(move |both| f64::from(both[part]));
    let count = std::iter::once(count as f64);
    count.chain(part(0)).chain(part(1)).collect()
}

/// Of each channel the sum of the gradient, and then of the gradient times the distance from the mean.
pub(in super::super) fn sums<const D: usize>(
    x: Tensor<D>,
    gradient: Tensor<D>,
    means: &[f32],
) -> Vec<f64> {
    let maps = Maps::of(&x);
    let [x, gradient] = [x, gradient].map(numbers);
    let both: [&[f32]; 2] = [x.storage(), gradient.storage()];
    let found = run(maps.pieces().map(|channels| Products {
        both,
        maps,
        channels,
        means,
    }));
    let found = found.concat();
    let part = |part: usize| found.iter().map(move |both| f64::from(both[part]));
    part(0).chain(part(1)).collect()
}

/// The gradient of `x`, in the place of that of the results.
pub(in super::super) fn to_inputs<const D: usize>(
    x: Tensor<D>,
    gradient: Tensor<D>,
    slopes: &[Slope],
) -> Tensor<D> {
    let positions = Maps::of(&x).positions;
    let (x, mut gradient) = (numbers(x), numbers(gradient));
    let rows = rows_in_piece(positions);
    let all: &[f32] = x.storage();
    let pieces = gradient.storage_mut().chunks_mut(rows * positions);
    let pieces = pieces.zip(all.chunks(rows * positions)).enumerate();
    run(pieces.map(|(piece, (gradient, x))| Inputs {
        gradient,
        x,
        positions,
        first: piece * rows,
        slopes,
    }));
    Tensor::from_primitive::<Flex>(gradient)
}

/// How maps lie one after another.
#[derive(Clone, Copy)]
struct Maps {
    channels: usize,
    /// Numbers of a channel side by side.
    positions: usize,
    images: usize,
}

impl Maps {
    fn of<const D: usize>(x: &Tensor<D>) -> Self {
        let dims = x.dims();
        Self {
            channels: dims[1],
            positions: dims[2..].iter().product(),
            images: dims[0],
        }
    }

    /// Neighbouring channels that are one piece of work.
    fn pieces(self) -> impl Iterator<Item = Range<usize>> {
        let channels = (PIECE / (self.images * self.positions)).max(1);
        let first = (0..self.channels).step_by(channels);
        first.map(move |first| first..(first + channels).min(self.channels))
    }

    /// Where a channel is in each image.
    #[inline(always)]
    fn ranges(self, channel: usize) -> impl Iterator<Item = Range<usize>> {
        (0..self.images).map(move |image| {
            let start = (image * self.channels + channel) * self.positions;
            start..start + self.positions
        })
    }
}

/// Mean and sum of squares of some channels.
struct Moments<'a> {
    x: &'a [f32],
    maps: Maps,
    channels: Range<usize>,
    count: f32,
}

impl NullaryFnOnce for Moments<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn call(self) -> Vec<[f32; 2]> {
        let mut all = Vec::with_capacity(self.channels.len());
        for channel in self.channels {
            let [mut sums, mut squares] = [Sums::default(); 2];
            for range in self.maps.ranges(channel) {
                sums.add(&self.x[range], |x| x);
            }
            let mean = sums.total() / self.count;
            for range in self.maps.ranges(channel) {
                squares.add(&self.x[range], |x| (x - mean) * (x - mean));
            }
            all.push([mean, squares.total()]);
        }
        all
    }
}

/// Sums over x and the gradient of some channels.
struct Products<'a> {
    both: [&'a [f32]; 2],
    maps: Maps,
    channels: Range<usize>,
    means: &'a [f32],
}

impl NullaryFnOnce for Products<'_> {
    type Output = Vec<[f32; 2]>;

    #[inline(always)]
    fn call(self) -> Vec<[f32; 2]> {
        let [x, gradient] = self.both;
        let mut all = Vec::with_capacity(self.channels.len());
        for channel in self.channels {
            let mean = self.means[channel];
            let [mut sums, mut products] = [Sums::default(); 2];
            for range in self.maps.ranges(channel) {
                let (x, gradient) = (&x[range.clone()], &gradient[range]);
                sums.add(gradient, |gradient| gradient);
                products.add_pairs(x, gradient, |x, gradient| (x - mean) * gradient);
            }
            all.push([sums.total(), products.total()]);
        }
        all
    }
}

/// Some maps of the gradient, which become those of the inputs.
struct Inputs<'a> {
    gradient: &'a mut [f32],
    x: &'a [f32],
    positions: usize,
    /// How many maps are before them.
    first: usize,
    slopes: &'a [Slope],
}

impl NullaryFnOnce for Inputs<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let maps = self.gradient.chunks_exact_mut(self.positions);
        let maps = maps.zip(self.x.chunks_exact(self.positions));
        for (map, (gradient, x)) in maps.enumerate() {
            let Slope {
                mean,
                scale,
                shift,
                along,
            } = self.slopes[(self.first + map) % self.slopes.len()];
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient = scale * (*gradient - shift - (x - mean) * along);
            }
        }
    }
}
