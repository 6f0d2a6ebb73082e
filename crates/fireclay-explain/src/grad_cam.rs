//! Where in an image the last feature maps speak for a class.
//!
//! Selvaraju et al. 2017, *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization*,
//! [arXiv:1610.02391](https://arxiv.org/abs/1610.02391), section 3.

/// The map `[positions]` of feature maps `[channels, positions]` and the gradient of an output with respect to
/// them: each channel is weighed with the mean of its gradient (equation 1), and what speaks against the output is
/// left out (equation 2).
pub fn grad_cam(maps: &[f32], gradients: &[f32], positions: usize) -> Vec<f64> {
    let mut sums = vec![0.0; positions];
    let channels = maps.chunks_exact(positions);
    for (map, gradient) in channels.zip(gradients.chunks_exact(positions)) {
        let weight = gradient.iter().copied().map(f64::from).sum::<f64>() / positions as f64;
        let pairs = sums.iter_mut().zip(map);
        pairs.for_each(|(sum, activation)| *sum += weight * f64::from(*activation));
    }
    sums.into_iter().map(|sum| sum.max(0.0)).collect()
}
