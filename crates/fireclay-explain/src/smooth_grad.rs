//! The gradient, averaged over noise.
//!
//! Smilkov, Thorat, Kim, Viégas & Wattenberg 2017, *SmoothGrad: removing noise by adding noise*,
//! [arXiv:1706.03825](https://arxiv.org/abs/1706.03825), section 2.

use rand::distr::Distribution;
use rand_distr::StandardNormal;

use crate::function::Smooth;
use crate::random::stream;

/// How much noise, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Copies of the point that are looked at.
    pub samples: usize,
    /// The standard deviation, as a share of the range of the numbers of the point; the paper has 0.1 to 0.2.
    pub level: f64,
    /// The same seed gives the same noise.
    pub seed: u64,
}

/// The mean gradient of copies of a point with noise, `[width]`.
pub fn smooth_grad(f: &dyn Smooth, point: &[f32], noise: Noise) -> Vec<f64> {
    let (low, high) = (point.iter()).fold((f32::MAX, f32::MIN), |(low, high), x| {
        (low.min(*x), high.max(*x))
    });
    let deviation = noise.level as f32 * (high - low);
    let mut rng = stream(noise.seed, 0);
    let mut noisy = |x: &f32| {
        let draw: f32 = StandardNormal.sample(&mut rng);
        x + deviation * draw
    };
    let copies = std::iter::repeat_n(point, noise.samples).flatten();
    let copies: Vec<f32> = copies.map(&mut noisy).collect();
    let mut sums = vec![0.0; point.len()];
    for gradient in f.gradients(&copies).chunks_exact(point.len()) {
        let pairs = sums.iter_mut().zip(gradient);
        pairs.for_each(|(sum, slope)| *sum += f64::from(*slope));
    }
    let samples = noise.samples as f64;
    sums.into_iter().map(|sum| sum / samples).collect()
}
