//! Backward.

use burn::backend::flex::FlexTensor;
use pulp::NullaryFnOnce;

use super::pieces::{Maps, Pieces};
use super::{Moments, Then};
use crate::flex::{Sums, contiguous, run, tensor};

/// The gradients of x, gamma and beta.
pub(super) fn backward(
    x: FlexTensor,
    gradient: FlexTensor,
    parameters: [FlexTensor; 2],
    moments: &[Moments],
    then: Then,
) -> [FlexTensor; 3] {
    let ([x, mut gradient], [gamma, beta]) =
        ([x, gradient].map(contiguous), parameters.map(contiguous));
    let pieces = Pieces::of(&x, gradient.storage_mut());
    let scales = gamma.storage().chunks(pieces.channels);
    let scales = scales.zip(beta.storage().chunks(pieces.channels));
    let channels = scales.zip(moments.chunks(pieces.channels));
    let slopes = run(channels
        .zip(pieces.maps)
        .map(|(((gamma, beta), moments), maps)| Inputs {
            maps,
            places: pieces.places,
            gamma,
            beta,
            moments,
            then,
        }));
    let slopes: Vec<Slopes> = slopes.into_iter().flatten().collect();
    let [of_gamma, of_beta] = [
        |slopes: &Slopes| slopes.gamma,
        |slopes: &Slopes| slopes.beta,
    ]
    .map(|part| tensor(slopes.iter().map(part).collect(), [slopes.len()]));
    [gradient, of_gamma, of_beta]
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
    beta: &'a [f32],
    moments: &'a [Moments],
    then: Then,
}

impl NullaryFnOnce for Inputs<'_> {
    type Output = Vec<Slopes>;

    #[inline(always)]
    fn call(mut self) -> Vec<Slopes> {
        let count = (self.maps.len() * self.places) as f32;
        let mut all = Vec::with_capacity(self.gamma.len());
        let parameters = self.gamma.iter().zip(self.beta).zip(self.moments);
        for (channel, ((gamma, beta), moments)) in parameters.enumerate() {
            let map = channel * self.places..(channel + 1) * self.places;
            let Moments { mean, factor, .. } = *moments;
            let scale = factor * gamma;
            let mut sums = [Sums::default(); 2];
            for (x, gradient) in &mut self.maps {
                let (x, gradient) = (&x[map.clone()], &mut gradient[map.clone()]);
                let both = |x: f32, gradient: f32| [gradient, (x - mean) * gradient];
                match self.then {
                    Then::Nothing => {
                        Sums::add_both(&mut sums, x, gradient, |x, gradient| both(x, *gradient));
                    }
                    // The same operations as forward, so that it is the same sign.
                    Then::Relu => Sums::add_both(&mut sums, x, gradient, |x, gradient| {
                        let y = (x - mean) * scale + beta;
                        *gradient = if y <= 0.0 { 0.0 } else { *gradient };
                        both(x, *gradient)
                    }),
                }
            }
            let [sum, product] = sums.map(Sums::total);
            let (beta, gamma) = (sum, factor * product);
            let (shift, slope) = (beta / count, factor * gamma / count);
            for (x, gradient) in &mut self.maps {
                for (gradient, x) in gradient[map.clone()].iter_mut().zip(&x[map.clone()]) {
                    *gradient = scale * (*gradient - shift - (x - mean) * slope);
                }
            }
            all.push(Slopes { gamma, beta });
        }
        all
    }
}
