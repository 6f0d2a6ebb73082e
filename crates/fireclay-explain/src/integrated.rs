//! Integrated gradients.
//!
//! Sundararajan, Taly & Yan 2017, *Axiomatic Attribution for Deep Networks*,
//! [arXiv:1703.01365](https://arxiv.org/abs/1703.01365), section 3. The integral is taken by the rule of Gauss and
//! Legendre.

use std::f64::consts::PI;

use crate::function::Smooth;

/// The attributions of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Integrated {
    /// What each number of the point adds, `[width]`.
    pub attributions: Vec<f64>,
    /// What they add up to, and should.
    pub completeness: Completeness,
}

/// Proposition 1 of the paper: the attributions add up to the difference of the function between the point and
/// the baseline. What they lack of it is the error of the integral.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completeness {
    /// The sum of the attributions.
    pub sum: f64,
    /// f(point) - f(baseline).
    pub difference: f64,
}

impl Completeness {
    /// What the attributions have too much.
    pub fn error(self) -> f64 {
        self.sum - self.difference
    }
}

/// (x - x') times the mean gradient on the straight line from the baseline x' to the point x, at so many nodes.
pub fn integrated_gradients(
    f: &dyn Smooth,
    point: &[f32],
    baseline: &[f32],
    nodes: usize,
) -> Integrated {
    let rule = gauss_legendre(nodes);
    let on_line = |share: f64| {
        let ends = point.iter().zip(baseline);
        ends.map(move |(x, from)| from + share as f32 * (x - from))
    };
    let mut means = vec![0.0; point.len()];
    for some in rule.chunks((TOGETHER / point.len().max(1)).max(1)) {
        let points: Vec<f32> = some.iter().flat_map(|(share, _)| on_line(*share)).collect();
        let gradients = f.gradients(&points);
        for (gradient, (_, weight)) in gradients.chunks_exact(point.len()).zip(some) {
            let pairs = means.iter_mut().zip(gradient);
            pairs.for_each(|(mean, slope)| *mean += weight * f64::from(*slope));
        }
    }
    let ends = point.iter().zip(baseline);
    let steps = ends.map(|(x, from)| f64::from(*x) - f64::from(*from));
    let attributions: Vec<f64> = steps.zip(means).map(|(step, mean)| step * mean).collect();
    let ends = f.values(&[point, baseline].concat());
    let completeness = Completeness {
        sum: attributions.iter().sum(),
        difference: ends[0] - ends[1],
    };
    Integrated {
        attributions,
        completeness,
    }
}

/// So many numbers of points are in memory at once.
const TOGETHER: usize = 1 << 22;

/// The nodes in (0, 1) and the weights of the rule of Gauss and Legendre: the roots of the Legendre polynomial,
/// found by Newton's method (Press et al., *Numerical Recipes*, section 4.6).
pub(crate) fn gauss_legendre(nodes: usize) -> Vec<(f64, f64)> {
    let node = |index: usize| {
        let mut x = -(PI * (index as f64 + 0.75) / (nodes as f64 + 0.5)).cos();
        let mut slope = legendre(nodes, x).1;
        for _ in 0..8 {
            let (value, at) = legendre(nodes, x);
            x -= value / at;
            slope = legendre(nodes, x).1;
        }
        let weight = 2.0 / ((1.0 - x * x) * slope * slope);
        (0.5 + 0.5 * x, 0.5 * weight)
    };
    (0..nodes).map(node).collect()
}

/// The Legendre polynomial of this degree at x, and its derivative, by the recurrence of Bonnet.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut last, mut value) = (1.0, x);
    for n in 2..=degree {
        let n = n as f64;
        (last, value) = (value, ((2.0 * n - 1.0) * x * value - (n - 1.0) * last) / n);
    }
    let slope = degree as f64 * (x * value - last) / (x * x - 1.0);
    (value, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of n nodes is exact for polynomials up to the degree 2n - 1.
    #[test]
    fn polynomials_are_integrated_exactly() {
        for nodes in [2, 3, 8, 64] {
            let rule = gauss_legendre(nodes);
            for degree in 0..(2 * nodes as i32).min(40) {
                let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(degree)).sum();
                let wanted = 1.0 / f64::from(degree + 1);
                assert!((sum - wanted).abs() < 1e-12, "{nodes} {degree}: {sum}");
            }
        }
    }
}
