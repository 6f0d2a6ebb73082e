//! Steps of optimizers in one pass over a parameter, its gradient and what is remembered of it, and
//! the sum of squares that a gradient's norm is made of. None of them is differentiated.
//!
//! The loops for the CPU overwrite a parameter and what is remembered of it where nothing else holds
//! them. A gradient is only read.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::Tensor;

use crate::half::widen;
use crate::pass::one_pass;

/// The numbers of one step of Adam (Kingma & Ba 2015,
/// [arXiv:1412.6980](https://arxiv.org/abs/1412.6980)) or AdamW (Loshchilov & Hutter 2019,
/// [arXiv:1711.05101](https://arxiv.org/abs/1711.05101)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// How much of the past is kept in the averages of the gradient and of its square.
    pub betas: (f64, f64),
    /// What the parameter is multiplied by first: 1 without decoupled weight decay.
    pub shrink: f64,
    /// How much of the parameter is added to its gradient: 0 without an L2 penalty.
    pub penalty: f64,
    /// Added to the root of the averaged square.
    pub epsilon: f64,
    /// How far the parameter goes along the first average over that root.
    pub size: f64,
}

/// The parameter and the averages of its gradient and of its square after one step of Adam.
///
/// # Panics
///
/// If the shapes differ.
pub fn adam<const D: usize>(
    parameter: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    gradient: Tensor<D>,
    step: AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    assert_alike([&parameter, &first, &second, &gradient]);
    #[cfg(feature = "flex")]
    if take([&parameter, &first, &second, &gradient]) {
        return flex::adam(parameter, [first, second], gradient, step);
    }
    plain_adam(parameter, [first, second], gradient, step)
}

/// The numbers of one step of gradient descent with momentum ([Sutskever et al.
/// 2013](https://proceedings.mlr.press/v28/sutskever13.html)), as in `torch.optim.SGD`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumStep {
    /// How much of the velocity is kept.
    pub momentum: f64,
    /// How much of the gradient is added to it.
    pub share: f64,
    /// Whether to look ahead along the velocity (Nesterov).
    pub nesterov: bool,
    /// How much of the parameter is added to its gradient: 0 without an L2 penalty.
    pub penalty: f64,
    /// How far the parameter goes along the velocity.
    pub size: f64,
}

/// The parameter and its velocity after one step of gradient descent with momentum.
///
/// # Panics
///
/// If the shapes differ.
pub fn momentum<const D: usize>(
    parameter: Tensor<D>,
    velocity: Tensor<D>,
    gradient: Tensor<D>,
    step: MomentumStep,
) -> (Tensor<D>, Tensor<D>) {
    assert_alike([&parameter, &velocity, &gradient]);
    #[cfg(feature = "flex")]
    if take([&parameter, &velocity, &gradient]) {
        return flex::momentum(parameter, velocity, gradient, step);
    }
    plain_momentum(parameter, velocity, gradient, step)
}

/// The parameter after one step of plain gradient descent: `size` along its gradient, to which
/// `penalty` of the parameter was added (L2).
///
/// # Panics
///
/// If the shapes differ.
pub fn descent<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    penalty: f64,
    size: f64,
) -> Tensor<D> {
    assert_alike([&parameter, &gradient]);
    #[cfg(feature = "flex")]
    if take([&parameter, &gradient]) {
        return flex::descent(parameter, gradient, penalty, size);
    }
    plain_descent(parameter, gradient, penalty, size)
}

/// `start + weight · (end − start)`, as `torch.lerp`: a step of an exponential average. Numbers
/// that are the same in `start` and `end` stay, to the bit.
///
/// # Panics
///
/// If the shapes differ.
pub fn lerp<const D: usize>(start: Tensor<D>, end: Tensor<D>, weight: f64) -> Tensor<D> {
    assert_alike([&start, &end]);
    #[cfg(feature = "flex")]
    if take([&start, &end]) {
        return flex::lerp(start, end, weight);
    }
    plain_lerp(start, end, weight)
}

/// The sum of the squares of all numbers, shape `[1]`; of half precision in `f32`.
pub fn sum_of_squares<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if take([&x]) {
        return flex::sum_of_squares(x);
    }
    one_pass(widen(x), |x| x.square().sum())
}

/// Plain operations would stretch an axis of length 1.
fn assert_alike<const D: usize, const N: usize>(tensors: [&Tensor<D>; N]) {
    for pair in tensors.windows(2) {
        assert_eq!(pair[0].dims(), pair[1].dims(), "tensors of one shape");
    }
}

#[cfg(feature = "flex")]
fn take<const D: usize, const N: usize>(tensors: [&Tensor<D>; N]) -> bool {
    tensors.into_iter().all(crate::flex::takes)
}

fn plain_adam<const D: usize>(
    parameter: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    gradient: Tensor<D>,
    step: AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let (beta_1, beta_2) = step.betas;
    let gradient = penalised(&parameter, gradient, step.penalty);
    let first = first.mul_scalar(beta_1) + gradient.clone().mul_scalar(1.0 - beta_1);
    let second = second.mul_scalar(beta_2) + gradient.square().mul_scalar(1.0 - beta_2);
    let direction = first.clone() / second.clone().sqrt().add_scalar(step.epsilon);
    let parameter = match step.shrink {
        1.0 => parameter,
        shrink => parameter.mul_scalar(shrink),
    };
    (parameter - direction.mul_scalar(step.size), [first, second])
}

fn plain_momentum<const D: usize>(
    parameter: Tensor<D>,
    velocity: Tensor<D>,
    gradient: Tensor<D>,
    step: MomentumStep,
) -> (Tensor<D>, Tensor<D>) {
    let gradient = penalised(&parameter, gradient, step.penalty);
    let velocity = velocity.mul_scalar(step.momentum) + gradient.clone().mul_scalar(step.share);
    let direction = match step.nesterov {
        true => gradient + velocity.clone().mul_scalar(step.momentum),
        false => velocity.clone(),
    };
    (parameter - direction.mul_scalar(step.size), velocity)
}

fn plain_descent<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    penalty: f64,
    size: f64,
) -> Tensor<D> {
    let gradient = penalised(&parameter, gradient, penalty);
    parameter - gradient.mul_scalar(size)
}

fn plain_lerp<const D: usize>(start: Tensor<D>, end: Tensor<D>, weight: f64) -> Tensor<D> {
    start.clone() + (end - start).mul_scalar(weight)
}

fn penalised<const D: usize>(
    parameter: &Tensor<D>,
    gradient: Tensor<D>,
    penalty: f64,
) -> Tensor<D> {
    match penalty {
        0.0 => gradient,
        penalty => gradient + parameter.clone().mul_scalar(penalty),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
