//! Forward.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use pulp::NullaryFnOnce;

use super::pieces::{Maps, Pieces};
use super::{Moments, Normed};
use crate::batch_norm::Then;
use crate::flex::{Sums, contiguous, relu, run, tensor};

pub(super) fn forward(
    x: FlexTensor,
    parameters: [FlexTensor; 2],
    epsilon: f32,
    then: Then,
) -> Normed {
    let (x, [gamma, beta]) = (contiguous(x), parameters.map(contiguous));
    let numbers: &[f32] = x.storage();
    let mut y = vec![0.0; numbers.len()];
    let pieces = Pieces::of(&x, &mut y);
    let scales = gamma.storage().chunks(pieces.channels);
    let scales = scales.zip(beta.storage().chunks(pieces.channels));
    let moments = run(scales.zip(pieces.maps).map(|((gamma, beta), maps)| Values {
        maps,
        positions: pieces.positions,
        gamma,
        beta,
        epsilon,
        then,
    }));
    Normed {
        y: tensor(y, x.shape()),
        moments: moments.into_iter().flatten().collect(),
        then,
    }
}

/// The results of some channels.
struct Values<'a> {
    maps: Maps<'a>,
    positions: usize,
    gamma: &'a [f32],
    beta: &'a [f32],
    epsilon: f32,
    then: Then,
}

impl NullaryFnOnce for Values<'_> {
    type Output = Vec<Moments>;

    #[inline(always)]
    fn call(mut self) -> Vec<Moments> {
        let count = (self.maps.len() * self.positions) as f32;
        let mut moments = Vec::with_capacity(self.gamma.len());
        for (channel, (gamma, beta)) in self.gamma.iter().zip(self.beta).enumerate() {
            let map = channel * self.positions..(channel + 1) * self.positions;
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
                let pairs = y[map.clone()].iter_mut().zip(&x[map.clone()]);
                match self.then {
                    Then::Nothing => pairs.for_each(|(y, x)| *y = (x - mean) * scale + beta),
                    Then::Relu => pairs.for_each(|(y, x)| *y = relu((x - mean) * scale + beta)),
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
