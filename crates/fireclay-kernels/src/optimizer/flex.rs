//! Steps over slices.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::{AdamStep, MomentumStep};
use crate::flex::{PIECE, contiguous, dot, run, tensor};

pub(super) fn adam<const D: usize>(
    parameter: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    gradient: Tensor<D>,
    step: AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [first, second] = [first, second].map(Tensor::into_dispatch);
    let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
    let (parameter, first, second) = Dispatch::adam(parameter, first, second, gradient, step);
    let averages = [first, second].map(Tensor::from_dispatch);
    (Tensor::from_dispatch(parameter), averages)
}

pub(super) fn momentum<const D: usize>(
    parameter: Tensor<D>,
    velocity: Tensor<D>,
    gradient: Tensor<D>,
    step: MomentumStep,
) -> (Tensor<D>, Tensor<D>) {
    let [parameter, velocity, gradient] =
        [parameter, velocity, gradient].map(Tensor::into_dispatch);
    let (parameter, velocity) = Dispatch::momentum(parameter, velocity, gradient, step);
    (
        Tensor::from_dispatch(parameter),
        Tensor::from_dispatch(velocity),
    )
}

pub(super) fn descent<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    penalty: f64,
    size: f64,
) -> Tensor<D> {
    let [parameter, gradient] = [parameter, gradient].map(Tensor::into_dispatch);
    let parameter = Dispatch::descent(parameter, gradient, penalty as f32, size as f32);
    Tensor::from_dispatch(parameter)
}

pub(super) fn lerp<const D: usize>(start: Tensor<D>, end: Tensor<D>, weight: f64) -> Tensor<D> {
    let [start, end] = [start, end].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::lerp(start, end, weight as f32))
}

pub(super) fn sum_of_squares<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::sum_of_squares(x.into_dispatch()))
}

#[backend_extension(Flex)]
pub(super) trait OptimizerOps: Backend {
    fn adam(
        parameter: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn momentum(
        parameter: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: MomentumStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn descent(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        penalty: f32,
        size: f32,
    ) -> FloatTensor<Self>;

    fn lerp(start: FloatTensor<Self>, end: FloatTensor<Self>, weight: f32) -> FloatTensor<Self>;

    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl OptimizerOps for Flex {
    fn adam(
        parameter: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        gradient: FlexTensor,
        step: AdamStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [mut parameter, mut first, mut second, gradient] =
            [parameter, first, second, gradient].map(contiguous);
        let averages = pieces_mut(&mut first).zip(pieces_mut(&mut second));
        let numbers = pieces_mut(&mut parameter).zip(pieces(&gradient));
        run(numbers
            .zip(averages)
            .map(|((parameter, gradient), (first, second))| Adam {
                parameter,
                first,
                second,
                gradient,
                step,
            }));
        (parameter, first, second)
    }

    fn momentum(
        parameter: FlexTensor,
        velocity: FlexTensor,
        gradient: FlexTensor,
        step: MomentumStep,
    ) -> (FlexTensor, FlexTensor) {
        let [mut parameter, mut velocity, gradient] =
            [parameter, velocity, gradient].map(contiguous);
        let numbers = pieces_mut(&mut parameter).zip(pieces(&gradient));
        run(numbers
            .zip(pieces_mut(&mut velocity))
            .map(|((parameter, gradient), velocity)| Momentum {
                parameter,
                velocity,
                gradient,
                step,
            }));
        (parameter, velocity)
    }

    fn descent(parameter: FlexTensor, gradient: FlexTensor, penalty: f32, size: f32) -> FlexTensor {
        let [mut parameter, gradient] = [parameter, gradient].map(contiguous);
        let numbers = pieces_mut(&mut parameter).zip(pieces(&gradient));
        run(numbers.map(|(parameter, gradient)| Descent {
            parameter,
            gradient,
            penalty,
            size,
        }));
        parameter
    }

    fn lerp(start: FlexTensor, end: FlexTensor, weight: f32) -> FlexTensor {
        let [mut start, end] = [start, end].map(contiguous);
        let numbers = pieces_mut(&mut start).zip(pieces(&end));
        run(numbers.map(|(start, end)| Lerp { start, end, weight }));
        start
    }

    fn sum_of_squares(x: FlexTensor) -> FlexTensor {
        let sums = run(pieces(&contiguous(x)).map(Squares));
        // A piece is short; a parameter of a large model has thousands of them.
        let sum: f64 = sums.into_iter().map(f64::from).sum();
        tensor(vec![sum as f32], [1])
    }
}

fn pieces(x: &FlexTensor) -> impl Iterator<Item = &[f32]> {
    x.storage::<f32>().chunks(PIECE)
}

/// The numbers are copied first where another tensor shares them.
fn pieces_mut(x: &mut FlexTensor) -> impl Iterator<Item = &mut [f32]> {
    x.storage_mut::<f32>().chunks_mut(PIECE)
}

struct Adam<'a> {
    parameter: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a [f32],
    step: AdamStep,
}

impl NullaryFnOnce for Adam<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (beta_1, beta_2) = self.step.betas;
        let [keep_1, keep_2] = [beta_1, beta_2].map(|beta| beta as f32);
        let [new_1, new_2] = [beta_1, beta_2].map(|beta| (1.0 - beta) as f32);
        let [shrink, penalty] = [self.step.shrink, self.step.penalty].map(|x| x as f32);
        let [epsilon, size] = [self.step.epsilon, self.step.size].map(|x| x as f32);
        let averages = self.first.iter_mut().zip(self.second);
        let numbers = self.parameter.iter_mut().zip(self.gradient);
        for ((parameter, gradient), (first, second)) in numbers.zip(averages) {
            let gradient = gradient + *parameter * penalty;
            *first = *first * keep_1 + gradient * new_1;
            *second = *second * keep_2 + gradient * gradient * new_2;
            let direction = *first / (second.sqrt() + epsilon);
            *parameter = *parameter * shrink - direction * size;
        }
    }
}

struct Momentum<'a> {
    parameter: &'a mut [f32],
    velocity: &'a mut [f32],
    gradient: &'a [f32],
    step: MomentumStep,
}

impl NullaryFnOnce for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let MomentumStep { nesterov, .. } = self.step;
        let [keep, share] = [self.step.momentum, self.step.share].map(|x| x as f32);
        let [penalty, size] = [self.step.penalty, self.step.size].map(|x| x as f32);
        let numbers = self.parameter.iter_mut().zip(self.gradient);
        for ((parameter, gradient), velocity) in numbers.zip(self.velocity) {
            let gradient = gradient + *parameter * penalty;
            *velocity = *velocity * keep + gradient * share;
            let direction = match nesterov {
                true => gradient + *velocity * keep,
                false => *velocity,
            };
            *parameter -= direction * size;
        }
    }
}

struct Descent<'a> {
    parameter: &'a mut [f32],
    gradient: &'a [f32],
    penalty: f32,
    size: f32,
}

impl NullaryFnOnce for Descent<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (parameter, gradient) in self.parameter.iter_mut().zip(self.gradient) {
            *parameter -= (gradient + *parameter * self.penalty) * self.size;
        }
    }
}

struct Lerp<'a> {
    start: &'a mut [f32],
    end: &'a [f32],
    weight: f32,
}

impl NullaryFnOnce for Lerp<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (start, end) in self.start.iter_mut().zip(self.end) {
            *start += (end - *start) * self.weight;
        }
    }
}

struct Squares<'a>(&'a [f32]);

impl NullaryFnOnce for Squares<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        dot(self.0, self.0)
    }
}
