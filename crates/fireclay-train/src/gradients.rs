//! Gradients of a whole model: their norm, clipping by it, and accumulation.
//!
//! Nothing here reads a value back from the device, and everything follows the order in which the
//! model visits its parameters, so that the same gradients give the same bits.

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use fireclay_kernels::{sum_of_squares, widen};

/// The L2 norm of all gradients taken as one vector, shape `[1]`, on the device of the gradients;
/// half-precision gradients are summed in `f32`.
///
/// # Panics
/// If there is no gradient and the model has no parameter either, so that there is no device.
pub fn global_norm<M: Module>(model: &M, grads: &GradientsParams) -> Tensor<1> {
    let squares = squares(model, grads).into_iter();
    let sum = squares.map(|(_, square)| square).reduce(|sum, square| {
        let device = sum.device();
        sum + square.to_device(&device)
    });
    match sum {
        Some(sum) => sum.sqrt(),
        None => {
            let devices = model.devices();
            let device = devices.first().expect("a model has parameters");
            Tensor::zeros([1], &device.clone().inner())
        }
    }
}

/// The sum of the squares of each gradient, with the place of its parameter among all in the order of visits.
pub(crate) fn squares<M: Module>(model: &M, grads: &GradientsParams) -> Vec<(usize, Tensor<1>)> {
    let mut squares = Squares {
        grads,
        seen: HashSet::new(),
        of_each: Vec::new(),
    };
    model.visit(&mut squares);
    squares.of_each
}

/// Scales all gradients by `min(1, max_norm / (norm + 1e-6))`, as `torch.nn.utils.clip_grad_norm_`
/// does; `norm` is what [`global_norm`] gave. Gradients that are small enough are not touched.
pub fn clip_global_norm<M: Module>(
    model: &M,
    grads: GradientsParams,
    max_norm: f64,
    norm: f64,
) -> GradientsParams {
    let factor = max_norm / (norm + 1e-6);
    match factor < 1.0 {
        true => scale(model, grads, factor),
        false => grads,
    }
}

/// Multiplies all gradients by `factor`; those of half precision come out in `f32`.
pub fn scale<M: Module>(model: &M, grads: GradientsParams, factor: f64) -> GradientsParams {
    let mut scaling = Scaling {
        grads,
        factor,
        out: GradientsParams::new(),
    };
    model.visit(&mut scaling);
    scaling.out
}

/// The sum of two gradients of the same model; what only one of them has stays as it is.
pub(crate) fn add<M: Module>(
    model: &M,
    mut sum: GradientsParams,
    grads: GradientsParams,
) -> GradientsParams {
    let mut adding = Adding {
        sum: &mut sum,
        grads,
        weight: 1.0,
    };
    model.visit(&mut adding);
    sum
}

/// Averages the gradients of micro-batches so that they equal those of the one large batch.
///
/// Each micro-batch's gradient is that of its mean loss, and its weight is what that mean was taken
/// over: the number of samples, or of tokens. The result is `Σ wᵢ·gᵢ / Σ wᵢ`. A single micro-batch
/// comes out as it went in, to the bit.
#[derive(Default)]
pub struct Accumulator {
    sum: GradientsParams,
    first_weight: f64,
    total_weight: f64,
}

impl Accumulator {
    /// An empty sum.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the gradients of one micro-batch; without weight (no token to learn from) it is left
    /// out.
    pub fn add<M: Module>(&mut self, model: &M, grads: GradientsParams, weight: f64) {
        if weight == 0.0 {
            return;
        }
        if self.total_weight == 0.0 {
            self.first_weight = weight;
            self.sum = grads;
        } else {
            // Weights are taken relative to the first, which keeps equal ones free of rounding.
            let mut adding = Adding {
                sum: &mut self.sum,
                grads,
                weight: weight / self.first_weight,
            };
            model.visit(&mut adding);
        }
        self.total_weight += weight;
    }

    /// The weighted mean.
    pub fn finish<M: Module>(self, model: &M) -> GradientsParams {
        if self.total_weight == self.first_weight {
            return self.sum;
        }
        scale(model, self.sum, self.first_weight / self.total_weight)
    }
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    /// A parameter used in two places is visited twice but has one gradient.
    seen: HashSet<ParamId>,
    of_each: Vec<(usize, Tensor<1>)>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let place = self.seen.len();
        if self.seen.insert(param.id)
            && let Some(grad) = self.grads.get::<D>(param.id)
        {
            self.of_each.push((place, sum_of_squares(grad)));
        }
    }
}

struct Scaling {
    grads: GradientsParams,
    factor: f64,
    out: GradientsParams,
}

impl ModuleVisitor for Scaling {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            let grad = match self.factor {
                1.0 => widen(grad),
                factor => widen(grad).mul_scalar(factor),
            };
            self.out.register(param.id, grad);
        }
    }
}

struct Adding<'a> {
    sum: &'a mut GradientsParams,
    grads: GradientsParams,
    weight: f64,
}

impl ModuleVisitor for Adding<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return;
        };
        // Parts of equal weight are the rule, and a pass over all gradients costs.
        let grad = match self.weight {
            1.0 => grad,
            weight => grad.mul_scalar(weight),
        };
        let sum = match self.sum.remove::<D>(param.id) {
            Some(sum) => sum + grad,
            None => grad,
        };
        self.sum.register(param.id, sum);
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Distribution, FloatDType};

    use super::*;

    fn linear() -> Linear {
        LinearConfig::new(3, 2).init(&Device::flex().autodiff())
    }

    /// Gradients of the mean loss over rows `start..end` of `x`.
    fn gradients(model: &Linear, x: &Tensor<2>, start: usize, end: usize) -> GradientsParams {
        let rows = x.clone().narrow(0, start, end - start);
        let loss = model.forward(rows).square().mean();
        GradientsParams::from_grads(loss.backward(), model)
    }

    fn values(model: &Linear, grads: &GradientsParams) -> Vec<f32> {
        let bias = model.bias.as_ref().expect("linear() has a bias");
        let weight = grads.get::<2>(model.weight.id).expect("a gradient");
        let bias = grads.get::<1>(bias.id).expect("a gradient");
        let all = Tensor::cat(vec![weight.flatten::<1>(0, 1), bias], 0);
        all.into_data().iter::<f32>().collect()
    }

    fn input(model: &Linear) -> Tensor<2> {
        let uniform = Distribution::Uniform(-1.0, 1.0);
        Tensor::random([7, 3], uniform, &model.weight.device())
    }

    fn assert_close(found: &[f32], wanted: &[f32], tolerance: f32) {
        for (found, wanted) in found.iter().zip(wanted) {
            let is_close = (found - wanted).abs() < tolerance;
            assert!(is_close, "{found} is not {wanted}");
        }
    }

    #[test]
    fn unequal_micro_batches_equal_the_large_batch() {
        let model = linear();
        let x = input(&model);
        let mut accumulator = Accumulator::new();
        for (start, end) in [(0, 4), (4, 6), (6, 7)] {
            let grads = gradients(&model, &x, start, end);
            accumulator.add(&model, grads, (end - start) as f64);
        }
        // A batch with nothing to learn from may well have the mean of nothing for its loss.
        let nothing = scale(&model, gradients(&model, &x, 0, 1), f64::NAN);
        accumulator.add(&model, nothing, 0.0);
        let whole = values(&model, &gradients(&model, &x, 0, 7));
        let found = values(&model, &accumulator.finish(&model));
        assert_close(&found, &whole, 1e-6);
    }

    #[test]
    fn gradients_of_half_precision_are_summed_in_single_without_their_scale() {
        let model = linear();
        let x = input(&model);
        let half = fireclay_models::halved(model.clone(), FloatDType::F16);
        let mut accumulator = Accumulator::new();
        for (start, end) in [(0, 4), (4, 7)] {
            let rows = x.clone().narrow(0, start, end - start);
            let output = half
                .forward(rows.cast(FloatDType::F16))
                .cast(FloatDType::F32);
            let loss = output.square().mean().mul_scalar(1024.0);
            let grads = GradientsParams::from_grads(loss.backward(), &half);
            let grads = scale(&model, grads, 1.0 / 1024.0);
            let weight = grads.get::<2>(model.weight.id).expect("a gradient");
            assert_eq!(weight.dtype(), FloatDType::F32.into());
            accumulator.add(&model, grads, (end - start) as f64);
        }
        let whole = values(&model, &gradients(&model, &x, 0, 7));
        let found = values(&model, &accumulator.finish(&model));
        assert_close(&found, &whole, 4e-3);
    }

    #[test]
    fn one_micro_batch_passes_through_to_the_bit() {
        let model = linear();
        let x = input(&model);
        let mut accumulator = Accumulator::new();
        accumulator.add(&model, gradients(&model, &x, 0, 7), 7.0);
        let found = values(&model, &accumulator.finish(&model));
        assert_eq!(found, values(&model, &gradients(&model, &x, 0, 7)));
    }

    #[test]
    fn clipping_is_by_the_norm_over_all_parameters() {
        let model = linear();
        let x = input(&model);
        let whole = values(&model, &gradients(&model, &x, 0, 7));
        let wanted = whole.iter().map(|v| v * v).sum::<f32>().sqrt();
        for max_norm in [0.5 * f64::from(wanted), 2.0 * f64::from(wanted)] {
            let grads = gradients(&model, &x, 0, 7);
            let norm = global_norm(&model, &grads);
            let found: f32 = norm.into_scalar();
            assert!((found / wanted - 1.0).abs() < 1e-6);
            let clipped = clip_global_norm(&model, grads, max_norm, found.into());
            let factor = (max_norm as f32 / (wanted + 1e-6)).min(1.0);
            for (found, whole) in values(&model, &clipped).iter().zip(&whole) {
                assert!((found - factor * whole).abs() <= 1e-6 * whole.abs());
            }
        }
    }

    #[test]
    fn a_norm_without_gradients_is_zero() {
        let norm: f32 = global_norm(&linear(), &GradientsParams::new()).into_scalar();
        assert_eq!(norm, 0.0);
    }

    #[test]
    fn a_shared_parameter_counts_once() {
        let device = Device::flex().autodiff();
        let shared = Param::from_tensor(Tensor::<1>::from_floats([1.0, 2.0], &device));
        let model = vec![shared.clone(), shared.clone()];
        let mut grads = GradientsParams::new();
        let gradient = Tensor::<1>::from_floats([3.0, 4.0], &Device::flex());
        grads.register(shared.id, gradient);
        let norm: f32 = global_norm(&model, &grads).into_scalar();
        assert_eq!(norm, 5.0);
    }
}
