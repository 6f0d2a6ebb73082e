//! Given statistics: map by map, in place where nothing else holds the maps.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use crate::batch_norm::Then;
use crate::flex::{contiguous, relu, rows_in_piece, run};

/// Scales: gamma, beta, mean and variance.
pub(in super::super) fn normalise<const D: usize>(
    x: Tensor<D>,
    scales: [Tensor<1>; 4],
    epsilon: f64,
    then: Then,
) -> Tensor<D> {
    let channels = x.dims()[1];
    assert!(
        scales.iter().all(|scale| scale.dims() == [channels]),
        "one scale a channel"
    );
    let [gamma, beta, mean, variance] = scales.map(Tensor::into_dispatch);
    let x = x.into_dispatch();
    let y = Dispatch::normalise_given(x, gamma, beta, mean, variance, epsilon as f32, then);
    Tensor::from_dispatch(y)
}

#[backend_extension(Flex)]
pub(super) trait GivenOps: Backend {
    fn normalise_given(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f32,
        then: Then,
    ) -> FloatTensor<Self>;
}

impl GivenOps for Flex {
    fn normalise_given(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f32,
        then: Then,
    ) -> FlexTensor {
        let (mut x, scales) = (contiguous(x), [gamma, beta, mean, variance].map(contiguous));
        let [gamma, beta, mean, variance] = scales.each_ref().map(|scale| scale.storage::<f32>());
        let channels: Vec<Channel> = (0..gamma.len())
            .map(|channel| Channel {
                mean: mean[channel],
                scale: gamma[channel] / (variance[channel] + epsilon).sqrt(),
                beta: beta[channel],
            })
            .collect();
        let positions = x.shape()[2..].iter().product();
        let maps = rows_in_piece(positions);
        let pieces = x.storage_mut().chunks_mut(maps * positions).enumerate();
        run(pieces.map(|(piece, numbers)| Maps {
            numbers,
            positions,
            first: piece * maps,
            channels: &channels,
            then,
        }));
        x
    }
}

#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    scale: f32,
    beta: f32,
}

/// Some maps, which become their results.
struct Maps<'a> {
    numbers: &'a mut [f32],
    positions: usize,
    /// How many maps are before them.
    first: usize,
    channels: &'a [Channel],
    then: Then,
}

impl NullaryFnOnce for Maps<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (map, numbers) in self.numbers.chunks_exact_mut(self.positions).enumerate() {
            let Channel { mean, scale, beta } =
                self.channels[(self.first + map) % self.channels.len()];
            let numbers = numbers.iter_mut();
            match self.then {
                Then::Nothing => numbers.for_each(|x| *x = (*x - mean) * scale + beta),
                Then::Relu => numbers.for_each(|x| *x = relu((*x - mean) * scale + beta)),
            }
        }
    }
}
