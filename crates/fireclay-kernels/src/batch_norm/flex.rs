//! Channel by channel: what a channel has in all images stays in a core's first cache while it is read
//! three times forward, and twice backward.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::{Tensor, TensorData};
use pulp::NullaryFnOnce;

use crate::flex::{PIECE, Sums, contiguous, run, tensor};

pub(super) fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<D> {
    let channels = x.dims()[1];
    assert_eq!(
        [[channels]; 2],
        [gamma.dims(), beta.dims()],
        "one scale a channel"
    );
    let normed = forward(plain(&x), [plain(&gamma), plain(&beta)], epsilon as f32);
    let [mean, variance] = [|m: &Moments| m.mean, |m: &Moments| m.variance].map(|part| {
        let numbers: Vec<f32> = normed.moments.iter().map(part).collect();
        Tensor::from_data(TensorData::new(numbers, [channels]), &x.device())
    });
    let [gamma, beta] = [gamma, beta].map(Tensor::into_dispatch);
    let output = Dispatch::normalise(x.into_dispatch(), gamma, beta, normed);
    BatchNormTrainOutput {
        output: Tensor::from_dispatch(output),
        mean,
        variance,
    }
}

fn plain<const D: usize>(x: &Tensor<D>) -> FlexTensor {
    let plain = x.clone().without_autodiff().try_into_primitive::<Flex>();
    plain.expect("the device is flex")
}

/// Of a channel.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f32,
    /// Of the population.
    variance: f32,
    /// 1 / sqrt(variance + epsilon).
    factor: f32,
}

/// What comes out, and the moments that it took.
#[derive(Clone, Debug)]
pub(super) struct Normed {
    y: FlexTensor,
    moments: Vec<Moments>,
}

/// Ties the results of a batch norm to what they came from: they have been computed, together with
/// statistics that have no gradient.
#[backend_extension(Autodiff, Flex)]
pub(super) trait BatchNormOps: Backend {
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        normed: Normed,
    ) -> FloatTensor<Self>;
}

impl BatchNormOps for Flex {
    fn normalise(_: FlexTensor, _: FlexTensor, _: FlexTensor, normed: Normed) -> FlexTensor {
        normed.y
    }
}

impl<C: CheckpointStrategy> BatchNormOps for Autodiff<Flex, C> {
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        normed: Normed,
    ) -> FloatTensor<Self> {
        let Normed { y, moments } = normed;
        let parents = [x.node(), gamma.node(), beta.node()];
        match BatchNormBackward
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prepared) => {
                let [x, gamma] = [&x, &gamma].map(|tensor| prepared.checkpoint(tensor));
                prepared.finish(State { x, gamma, moments }, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct BatchNormBackward;

#[derive(Clone, Debug)]
struct State {
    x: NodeId,
    gamma: NodeId,
    moments: Vec<Moments>,
}

impl Backward<Flex, 3> for BatchNormBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let x = checkpointer.retrieve_node_output(state.x);
        let gamma = checkpointer.retrieve_node_output(state.gamma);
        let gradient = gradients.consume::<Flex>(&ops.node);
        let found = backward([x, gamma, gradient], &state.moments);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

fn forward(x: FlexTensor, parameters: [FlexTensor; 2], epsilon: f32) -> Normed {
    let (x, [gamma, beta]) = (contiguous(x), parameters.map(contiguous));
    let numbers: &[f32] = x.storage();
    let mut y = vec![0.0; numbers.len()];
    let pieces = Pieces::of(&x, &mut y);
    let scales = gamma.storage().chunks(pieces.channels);
    let scales = scales.zip(beta.storage().chunks(pieces.channels));
    let moments = run(scales.zip(pieces.maps).map(|((gamma, beta), maps)| Values {
        maps,
        places: pieces.places,
        gamma,
        beta,
        epsilon,
    }));
    Normed {
        y: tensor(y, x.shape()),
        moments: moments.into_iter().flatten().collect(),
    }
}

/// The gradients of x, gamma and beta.
fn backward(tensors: [FlexTensor; 3], moments: &[Moments]) -> [FlexTensor; 3] {
    let [x, gamma, mut gradient] = tensors.map(contiguous);
    let pieces = Pieces::of(&x, gradient.storage_mut());
    let scales = gamma.storage().chunks(pieces.channels);
    let scales = scales.zip(moments.chunks(pieces.channels));
    let slopes = run(scales
        .zip(pieces.maps)
        .map(|((gamma, moments), maps)| Inputs {
            maps,
            places: pieces.places,
            gamma,
            moments,
        }));
    let slopes: Vec<Slopes> = slopes.into_iter().flatten().collect();
    let [of_gamma, of_beta] = [
        |slopes: &Slopes| slopes.gamma,
        |slopes: &Slopes| slopes.beta,
    ]
    .map(|part| tensor(slopes.iter().map(part).collect(), [slopes.len()]));
    [gradient, of_gamma, of_beta]
}

/// Neighbouring channels: what they have in each image, and what comes of it.
type Maps<'a> = Vec<(&'a [f32], &'a mut [f32])>;

/// All channels, as pieces of work.
struct Pieces<'a> {
    /// Channels in a piece.
    channels: usize,
    /// Numbers of a channel side by side.
    places: usize,
    maps: Vec<Maps<'a>>,
}

impl<'a> Pieces<'a> {
    fn of(x: &'a FlexTensor, y: &'a mut [f32]) -> Self {
        let (shape, x) = (x.shape(), x.storage());
        let (images, all) = (shape[0], shape[1]);
        let places: usize = shape[2..].iter().product();
        let channels = (PIECE / (images * places)).max(1);
        let piece = || Vec::with_capacity(images);
        let mut maps: Vec<Maps> = (0..all.div_ceil(channels)).map(|_| piece()).collect();
        let image = all * places;
        for (x, y) in x.chunks(image).zip(y.chunks_mut(image)) {
            let (x, y) = (x.chunks(channels * places), y.chunks_mut(channels * places));
            for (maps, map) in maps.iter_mut().zip(x.zip(y)) {
                maps.push(map);
            }
        }
        Self {
            channels,
            places,
            maps,
        }
    }
}

/// The results of some channels.
struct Values<'a> {
    maps: Maps<'a>,
    places: usize,
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
}

impl NullaryFnOnce for Values<'_> {
    type Output = Vec<Moments>;

    #[inline(always)]
    fn call(mut self) -> Vec<Moments> {
        let count = (self.maps.len() * self.places) as f32;
        let mut moments = Vec::with_capacity(self.gamma.len());
        for (channel, (gamma, beta)) in self.gamma.iter().zip(self.beta).enumerate() {
            let map = channel * self.places..(channel + 1) * self.places;
            let [mut sums, mut squares] = [Sums::default(); 2];
            for (x, _) in &self.maps {
                sums.add(&x[map.clone()], |x| x);
            }
            let mean = sums.total() / count;
            for (x, _) in &self.maps {
                squares.add(&x[map.clone()], |x| (x - mean) * (x - mean));
            }
            let variance = squares.total() / count;
            let factor = 1.0 / (variance + self.epsilon).sqrt();
            let scale = factor * gamma;
            for (x, y) in &mut self.maps {
                for (y, x) in y[map.clone()].iter_mut().zip(&x[map.clone()]) {
                    *y = (x - mean) * scale + beta;
                }
            }
            moments.push(Moments {
                mean,
                variance,
                factor,
            });
        }
        moments
    }
}

/// The gradients of a channel's parameters.
#[derive(Clone, Copy)]
struct Slopes {
    gamma: f32,
    beta: f32,
}

/// Turns gradients of the results into those of x, for some channels.
struct Inputs<'a> {
    maps: Maps<'a>,
    places: usize,
    gamma: &'a [f32],
    moments: &'a [Moments],
}

impl NullaryFnOnce for Inputs<'_> {
    type Output = Vec<Slopes>;

    #[inline(always)]
    fn call(mut self) -> Vec<Slopes> {
        let count = (self.maps.len() * self.places) as f32;
        let mut all = Vec::with_capacity(self.gamma.len());
        for (channel, (scale, moments)) in self.gamma.iter().zip(self.moments).enumerate() {
            let map = channel * self.places..(channel + 1) * self.places;
            let Moments { mean, factor, .. } = *moments;
            let [mut sums, mut products] = [Sums::default(); 2];
            for (x, gradient) in &self.maps {
                let (x, gradient) = (&x[map.clone()], &gradient[map.clone()]);
                sums.add(gradient, |gradient| gradient);
                products.add_pairs(x, gradient, |x, gradient| (x - mean) * gradient);
            }
            let (beta, gamma) = (sums.total(), factor * products.total());
            let (shift, slope) = (beta / count, factor * gamma / count);
            for (x, gradient) in &mut self.maps {
                for (gradient, x) in gradient[map.clone()].iter_mut().zip(&x[map.clone()]) {
                    *gradient = factor * scale * (*gradient - shift - (x - mean) * slope);
                }
            }
            all.push(Slopes { gamma, beta });
        }
        all
    }
}
