//! Backward.

use burn::backend::flex::FlexTensor;
use pulp::NullaryFnOnce;

use super::Moments;
use super::pieces::{Maps, Pieces};
use crate::batch_norm::Then;
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
    let parameters = gamma.storage().chunks(pieces.channels);
    let parameters = parameters.zip(beta.storage().chunks(pieces.channels));
    let channels = parameters.zip(moments.chunks(pieces.channels));
    let scales = run(channels
        .zip(pieces.maps)
        .map(|(((gamma, beta), moments), maps)| Inputs {
            maps,
            positions: pieces.positions,
            gamma,
            beta,
            moments,
            then,
        }));
    let scales: Vec<ToScale> = scales.into_iter().flatten().collect();
    let [of_gamma, of_beta] = [
        |to_scale: &ToScale| to_scale.gamma,
        |to_scale: &ToScale| to_scale.beta,
    ]
    .map(|part| tensor(scales.iter().map(part).collect(), [scales.len()]));
    [gradient, of_gamma, of_beta]
}

/// The gradients of a channel's parameters.
#[derive(Clone, Copy)]
struct ToScale {
    gamma: f32,
    beta: f32,
}

/// Turns gradients of the results into those of x, for some channels.
struct Inputs<'a> {
    maps: Maps<'a>,
    positions: usize,
    gamma: &'a [f32],
    beta: &'a [f32],
    moments: &'a [Moments],
    then: Then,
}

impl NullaryFnOnce for Inputs<'_> {
    type Output = Vec<ToScale>;

    #[inline(always)]
    fn call(mut self) -> Vec<ToScale> {
        let count = (self.maps.len() * self.positions) as f32;
        let mut all = Vec::with_capacity(self.gamma.len());
        let parameters = self.gamma.iter().zip(self.beta).zip(self.moments);
        for (channel, ((gamma, beta), moments)) in parameters.enumerate() {
            let map = channel * self.positions..(channel + 1) * self.positions;
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
            let (shift, along) = (beta / count, factor * gamma / count);
            for (x, gradient) in &mut self.maps {
                for (gradient, x) in gradient[map.clone()].iter_mut().zip(&x[map.clone()]) {
                    *gradient = scale * (*gradient - shift - (x - mean) * along);
                }
            }
            all.push(ToScale { gamma, beta });
        }
        all
    }
}
