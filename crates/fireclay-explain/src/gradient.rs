//! The gradient of an output with respect to the input.
//!
//! Simonyan, Vedaldi & Zisserman 2013, *Deep Inside Convolutional Networks: Visualising Image Classification
//! Models and Saliency Maps*, [arXiv:1312.6034](https://arxiv.org/abs/1312.6034), section 3.

use crate::function::Smooth;

/// The gradient at a point, `[width]`.
pub fn gradient(f: &dyn Smooth, point: &[f32]) -> Vec<f64> {
    f.gradients(point).into_iter().map(f64::from).collect()
}

/// The size of the gradient at a point, `[width]` (section 3.1).
pub fn saliency(f: &dyn Smooth, point: &[f32]) -> Vec<f64> {
    gradient(f, point).into_iter().map(f64::abs).collect()
}

/// The gradient at a point times the point, `[width]`.
pub fn input_x_gradient(f: &dyn Smooth, point: &[f32]) -> Vec<f64> {
    let gradient = gradient(f, point).into_iter();
    let products = gradient.zip(point).map(|(slope, x)| slope * f64::from(*x));
    products.collect()
}
