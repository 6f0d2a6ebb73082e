//! Exponential moving average of a model's weights.
//!
//! [Polyak and Juditsky 1992](https://doi.org/10.1137/0330046); the average often generalises
//! better than the last weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use fireclay_kernels::lerp;

/// The average of a model's float parameters and running statistics, itself a model.
///
/// Each update moves it by `average ← average + (1 − decay) · (value − average)`, which is
/// `decay · average + (1 − decay) · value` and leaves what does not change alone, to the bit.
#[derive(Clone, Debug)]
pub(crate) struct Ema<M> {
    average: M,
    decay: f64,
    updates: u64,
}

impl<M: Module> Ema<M> {
    /// Starts from the weights of `model` as they are; `decay` is in `[0, 1)`. Update `t` (from 0) uses
    /// `min(decay, (1 + t) / (10 + t))`, so that a short run does not remember its initial weights.
    pub(crate) fn new(model: &M, decay: f64) -> Self {
        Self {
            // Besides leaving the autodiff graph, this gives running statistics storage of their
            // own: clones of a model share theirs, and averaging would overwrite the model's.
            average: model.valid(),
            decay,
            updates: 0,
        }
    }

    /// Takes in the weights of `model`, which must be the one this began with, further trained.
    pub(crate) fn update(mut self, model: &M) -> Self {
        let mut values = Values(GradientsParams::new());
        // Burn holds the newest running statistics back until they are asked for; this asks.
        model.valid().visit(&mut values);
        let mut averaging = Averaging {
            values: values.0,
            new: 1.0 - self.decay_now(),
        };
        self.average = self.average.map(&mut averaging);
        self.updates += 1;
        self
    }

    /// The average, out of the autodiff graph and in evaluation mode.
    pub(crate) fn model(&self) -> &M {
        &self.average
    }

    /// The same average as when `average` was saved after `updates` updates.
    pub(crate) fn restored(self, average: M, updates: u64) -> Self {
        Self {
            average: average.valid(),
            updates,
            ..self
        }
    }

    fn decay_now(&self) -> f64 {
        let updates = self.updates as f64;
        self.decay.min((1.0 + updates) / (10.0 + updates))
    }
}

/// The values of a model by parameter id; Burn's container of gradients is such a map.
struct Values(GradientsParams);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.base());
    }
}

struct Averaging {
    values: GradientsParams,
    new: f64,
}

impl ModuleMapper for Averaging {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.values.get::<D>(param.id) {
            Some(value) => param.map(|average| lerp(average, value, self.new)),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{BatchNorm, BatchNormConfig};
    use burn::tensor::Device;

    use super::*;

    fn norm() -> BatchNorm {
        BatchNormConfig::new(1).init(&Device::flex().autodiff())
    }

    /// A training step's effect on the running mean, without its effect on the weights.
    fn observe(model: &BatchNorm, value: f32) {
        let device = Device::flex().autodiff();
        model.forward::<2>(Tensor::full([4, 1], value, &device));
    }

    fn set(model: BatchNorm, gamma: f32) -> BatchNorm {
        let device = Device::flex().autodiff();
        BatchNorm {
            gamma: model
                .gamma
                .map(|_| Tensor::full([1], gamma, &device).require_grad()),
            ..model
        }
    }

    fn scalar(tensor: Tensor<1>) -> f64 {
        let value: f32 = tensor.into_scalar();
        value.into()
    }

    #[test]
    fn parameters_and_running_statistics_are_averaged() {
        let mut model = norm();
        // After so many updates the decay is 0.9 throughout.
        let mut ema = Ema::new(&model, 0.9).restored(model.clone(), 100);
        let (mut gamma, mut mean, mut running) = (1.0, 0.0, 0.0);
        for step in 1..=5 {
            model = set(model, step as f32);
            observe(&model, step as f32);
            ema = ema.update(&model);
            running = 0.9 * running + 0.1 * f64::from(step);
            gamma = 0.9 * gamma + 0.1 * f64::from(step);
            mean = 0.9 * mean + 0.1 * running;
        }
        assert!((scalar(ema.model().gamma.val()) - gamma).abs() < 1e-6);
        assert!((scalar(ema.model().running_mean.value()) - mean).abs() < 1e-6);
        // The model's own statistics are not touched by averaging.
        assert!((scalar(model.running_mean.value_sync()) - running).abs() < 1e-6);
        assert_eq!(ema.updates, 105);
    }

    #[test]
    fn the_warm_up_forgets_the_first_weights_sooner() {
        let model = set(norm(), 2.0);
        let ema = Ema::new(&norm(), 0.999);
        // The average must belong to the model, whose parameter ids it shares.
        let ema = ema.restored(set(model.clone(), 1.0), 0).update(&model);
        assert!((scalar(ema.model().gamma.val()) - 1.9).abs() < 1e-6);
    }

    #[test]
    fn restoring_goes_on_to_the_bit() {
        let base = norm();
        let models = [0.1, 1.1, 2.1, 3.1, 4.1, 5.1].map(|gamma| set(base.clone(), gamma));
        let start = || Ema::new(&models[0], 0.97);
        let whole = models.iter().fold(start(), Ema::update);
        let half = models[..3].iter().fold(start(), Ema::update);
        let saved = half.model().clone().into_record().into_bytes();
        let saved = saved.expect("a record");
        let record = burn::store::ModuleRecord::from_bytes(saved).expect("a record");
        let resumed = start().restored(models[0].clone().load_record(record), half.updates);
        let resumed = models[3..].iter().fold(resumed, Ema::update);
        assert_eq!(
            resumed.model().gamma.val().into_data(),
            whole.model().gamma.val().into_data()
        );
    }
}
