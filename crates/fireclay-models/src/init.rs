//! Initial weights that depend on the seed alone.
//!
//! A backend's own generator would give other weights on other hardware, and the order in which
//! lazily built layers are touched would show. Here the k-th parameter that a model asks for is a
//! pure function of (seed, k): its values come from ChaCha8 with the seed as the key and k as the
//! stream, are drawn in `f64` on the host, and rounded once to `f32`. Its [`ParamId`] is k + 1,
//! so optimizer records and checkpoints of two equal runs are equal byte for byte.

use burn::module::{Flag, Param, ParamId, RunningState};
use burn::nn::{Embedding, GroupNorm, GroupNormConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::StandardNormal;

use crate::layers::batch_norm::BatchNorm;
use crate::layers::drop_path::DropPath;
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::norm::{LayerNorm, RmsNorm};

/// What the values of a new parameter are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// The same value everywhere.
    Constant(f32),
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// The largest magnitude.
        bound: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        std: f64,
    },
    /// Normal with mean 0, drawn again while further than two standard deviations out.
    TruncatedNormal {
        /// The standard deviation before the truncation.
        std: f64,
    },
}

impl Values {
    /// All zeros.
    pub const ZEROS: Self = Self::Constant(0.0);
    /// All ones.
    pub const ONES: Self = Self::Constant(1.0);

    fn draw(self, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match self {
            Self::Constant(value) => vec![value; count],
            Self::Uniform { bound } => repeat(count, || bound * (2.0 * rng.random::<f64>() - 1.0)),
            Self::Normal { std } => repeat(count, || std * normal(rng)),
            Self::TruncatedNormal { std } => repeat(count, || std * truncated_normal(rng)),
        }
    }
}

/// Builds the parameters and layers of one model, in the order in which the model asks for them.
#[derive(Debug)]
pub struct Init {
    seed: u64,
    device: Device,
    params: u64,
    flags: u64,
}

impl Init {
    /// Starts a model's initialisation: `seed` determines every value, `device` is where they go.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            seed,
            device: device.clone(),
            params: 0,
            flags: 0,
        }
    }

    /// As [`new`](Self::new), for parameters that are added to a model with `used` tensors: they
    /// share neither numbers nor streams with those.
    pub fn after(used: usize, seed: u64, device: &Device) -> Self {
        Self {
            params: used as u64,
            ..Self::new(seed, device)
        }
    }

    /// The next trainable parameter.
    ///
    /// It is drawn when first used, so a model that is built to be filled from a file draws
    /// nothing, and takes the device's default float type.
    pub fn param<const D: usize>(&mut self, shape: [usize; D], values: Values) -> Param<Tensor<D>> {
        self.param_with(shape, values, |_| {})
    }

    /// A fully connected layer with PyTorch's default: weight and bias uniform within
    /// `1 / sqrt(inputs)`.
    ///
    /// Source: `torch.nn.Linear`, whose documentation gives exactly this bound; the efficient
    /// backprop of LeCun, Bottou, Orr and Müller (1998) is its origin. The weight is
    /// `[inputs, outputs]`, as Burn keeps it.
    pub fn linear(&mut self, inputs: usize, outputs: usize, bias: bool) -> Linear {
        // A layer without inputs is only its bias, for which PyTorch takes zero.
        let bound = match inputs {
            0 => 0.0,
            _ => 1.0 / (inputs as f64).sqrt(),
        };
        let values = Values::Uniform { bound };
        Linear {
            weight: self.param([inputs, outputs], values),
            bias: bias.then(|| self.param([outputs], values)),
        }
    }

    /// A lookup table of `rows` vectors of length `width`, standard normal (`torch.nn.Embedding`).
    pub fn embedding(&mut self, rows: usize, width: usize) -> Embedding {
        Embedding {
            weight: self.param([rows, width], Values::Normal { std: 1.0 }),
        }
    }

    /// Like [`embedding`](Self::embedding), but the first row, which stands for a category never
    /// seen in training, is zero: the mean of all rows rather than a random one.
    pub fn category_embedding(&mut self, rows: usize, width: usize) -> Embedding {
        let clear_first_row = move |values: &mut [f32]| values[..width].fill(0.0);
        Embedding {
            weight: self.param_with([rows, width], Values::Normal { std: 1.0 }, clear_first_row),
        }
    }

    /// Batch normalisation over `features` columns or channels: scale one, shift zero, running
    /// mean zero, running variance one, momentum 0.1, epsilon 1e-5 (`torch.nn.BatchNorm2d`).
    pub fn batch_norm(&mut self, features: usize) -> BatchNorm {
        self.batch_norm_from(features, Values::ONES)
    }

    /// Batch normalisation whose scale starts at zero, so that the residual branch which it ends
    /// adds nothing at first (Goyal et al. 2017,
    /// [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), section 5.1).
    pub fn batch_norm_zero(&mut self, features: usize) -> BatchNorm {
        self.batch_norm_from(features, Values::ZEROS)
    }

    fn batch_norm_from(&mut self, features: usize, scale: Values) -> BatchNorm {
        let mean = Tensor::zeros([features], &self.device);
        let var = Tensor::ones([features], &self.device);
        BatchNorm {
            gamma: self.param([features], scale),
            beta: self.param([features], Values::ZEROS),
            running_mean: RunningState::with_id(self.next_id(), mean),
            running_var: RunningState::with_id(self.next_id(), var),
            training: self.flag(),
            momentum: 0.1,
            epsilon: 1e-5,
        }
    }

    /// Group normalisation: scale one, shift zero, epsilon 1e-5 (`torch.nn.GroupNorm`).
    ///
    /// # Panics
    ///
    /// If `groups` does not divide `channels`.
    pub fn group_norm(&mut self, groups: usize, channels: usize) -> GroupNorm {
        let mut norm = GroupNormConfig::new(groups, channels).init(&self.device);
        norm.gamma = Some(self.param([channels], Values::ONES));
        norm.beta = Some(self.param([channels], Values::ZEROS));
        norm
    }

    /// Layer normalisation over the last axis: scale one, shift zero, epsilon 1e-5
    /// (`torch.nn.LayerNorm`).
    pub fn layer_norm(&mut self, width: usize) -> LayerNorm {
        self.layer_norm_with(width, 1e-5)
    }

    /// Like [`layer_norm`](Self::layer_norm), with another epsilon.
    pub fn layer_norm_with(&mut self, width: usize, epsilon: f64) -> LayerNorm {
        LayerNorm {
            gamma: self.param([width], Values::ONES),
            beta: Some(self.param([width], Values::ZEROS)),
            epsilon,
        }
    }

    /// Normalisation by the root of the mean square over the last axis: scale one
    /// (`torch.nn.RMSNorm`).
    pub fn rms_norm(&mut self, width: usize, epsilon: f64) -> RmsNorm {
        RmsNorm {
            gamma: self.param([width], Values::ONES),
            epsilon,
        }
    }

    /// Dropout with probability `prob`, which acts on devices with autodiff only.
    ///
    /// # Panics
    ///
    /// If `prob` is not in `[0, 1)`; the configurations' `validate` reports it first.
    pub fn dropout(&mut self, prob: f64) -> Dropout {
        assert!((0.0..1.0).contains(&prob), "dropout of {prob}");
        Dropout {
            prob,
            training: self.flag(),
        }
    }

    /// Stochastic depth that leaves a branch out with probability `prob`, in [0, 1), which acts on
    /// devices with autodiff only.
    pub fn drop_path(&mut self, prob: f64) -> DropPath {
        DropPath {
            prob,
            training: self.flag(),
        }
    }

    fn param_with<const D: usize>(
        &mut self,
        shape: [usize; D],
        values: Values,
        adjust: impl Fn(&mut [f32]) + Send + Sync + 'static,
    ) -> Param<Tensor<D>> {
        let (seed, stream) = (self.seed, self.params);
        let init = move |device: &Device, require_grad: bool| {
            let mut numbers = values.draw(shape.iter().product(), &mut rng(seed, stream));
            adjust(&mut numbers);
            // As Burn does for its own parameters: they outlive the step's scratch memory.
            device.memory_persistent_allocations(TensorData::new(numbers, shape), |data| {
                Tensor::from_data(data, device).set_require_grad(require_grad)
            })
        };
        Param::uninitialized(
            self.next_id(),
            init,
            self.device.clone(),
            true,
            shape.into(),
        )
    }

    fn next_id(&mut self) -> ParamId {
        self.params += 1;
        ParamId::from(self.params)
    }

    /// Flags hold no numbers, so they count down from the top and leave the streams of the
    /// parameters alone: the same model with and without dropout starts from the same weights.
    fn flag(&mut self) -> Param<Flag> {
        let id = ParamId::from(u64::MAX - self.flags);
        self.flags += 1;
        Param::initialized(id, Flag::new(true))
    }
}

/// The seed fills the first eight bytes of the key, little-endian; the rest is zero.
fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

fn repeat(count: usize, mut draw: impl FnMut() -> f64) -> Vec<f32> {
    (0..count).map(|_| draw() as f32).collect()
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(StandardNormal)
}

fn truncated_normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let value = normal(rng);
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;

    fn numbers<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
        param.val().into_data().try_to_vec().unwrap()
    }

    fn mean_and_std(values: &[f32]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let square = |&v: &f32| (f64::from(v) - mean).powi(2);
        (
            mean,
            (values.iter().map(square).sum::<f64>() / count).sqrt(),
        )
    }

    fn init(seed: u64) -> Init {
        Init::new(seed, &Device::flex())
    }

    #[test]
    fn linear_has_pytorchs_bound_for_weight_and_bias() {
        let linear = init(3).linear(400, 100, true);
        let weight = numbers(&linear.weight);
        let bound = 1.0 / 20.0;
        assert!(weight.iter().all(|v| v.abs() <= bound));
        assert!(weight.iter().any(|v| v.abs() > 0.999 * bound));
        let (mean, std) = mean_and_std(&weight);
        assert!(mean.abs() < 1e-3, "{mean}");
        // The standard deviation of a uniform distribution is its bound over the root of three.
        assert!(
            (std * 3f64.sqrt() / f64::from(bound) - 1.0).abs() < 0.01,
            "{std}"
        );
        let bias = numbers(linear.bias.as_ref().unwrap());
        assert!(bias.iter().all(|v| v.abs() <= bound));
        assert!(bias.iter().any(|v| v.abs() > 0.8 * bound));
        assert!(init(3).linear(400, 100, false).bias.is_none());
    }

    #[test]
    fn embedding_is_standard_normal() {
        let table = init(5).embedding(500, 40);
        let (mean, std) = mean_and_std(&numbers(&table.weight));
        assert!(
            mean.abs() < 0.03 && (std - 1.0).abs() < 0.03,
            "{mean} {std}"
        );
        let table = numbers(&init(5).category_embedding(500, 40).weight);
        assert!(table[..40].iter().all(|&v| v == 0.0));
        assert!(table[40..].iter().all(|&v| v != 0.0));
    }

    #[test]
    fn truncated_normal_stays_within_two_deviations() {
        let values = Values::TruncatedNormal { std: 0.02 };
        let values = numbers(&init(5).param([20_000], values));
        assert!(values.iter().all(|v| v.abs() <= 0.04));
        let (mean, std) = mean_and_std(&values);
        // A standard normal truncated at two deviations has deviation 0.8796.
        assert!(
            mean.abs() < 5e-4 && (std / 0.02 - 0.8796).abs() < 0.01,
            "{mean} {std}"
        );
    }

    #[test]
    fn the_first_numbers_never_change() {
        // The uniform ones were computed apart from this crate, from ChaCha's definition.
        let mut init = init(42);
        let uniform = Values::Uniform { bound: 1.0 };
        let expected = [-0.303_491_06, -0.428_602_84, -0.013_055_071];
        assert_eq!(numbers(&init.param([3], uniform)), expected);
        let expected = [0.553_727_7, -0.596_048_9, 0.264_279_22];
        assert_eq!(numbers(&init.param([3], uniform)), expected);
        let normal = Values::Normal { std: 1.0 };
        let expected = [-0.183_187_93, 0.102_165_55, 0.073_058_16];
        assert_eq!(numbers(&init.param([3], normal)), expected);
    }

    #[test]
    fn values_depend_on_seed_and_index_alone() {
        let values = Values::Normal { std: 1.0 };
        let draw = |seed, index: usize| {
            let mut init = init(seed);
            let params: Vec<_> = (0..=index).map(|_| init.param([8], values)).collect();
            // Touched last to first: the order of use must not show.
            let drawn: Vec<_> = params.iter().rev().map(numbers).collect();
            drawn[0].clone()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 2));
        assert_ne!(draw(1, 2), draw(1, 1));
        assert_ne!(draw(1 << 40, 0), draw(0, 0));
    }

    #[test]
    fn ids_count_from_one_and_flags_do_not_shift_them() {
        let mut init = init(0);
        let dropout = init.dropout(0.5);
        let norm = init.batch_norm(4);
        let linear = init.linear(4, 2, true);
        let ids = burn::module::list_param_ids(&(norm.clone(), linear.clone()));
        let mut ids: Vec<_> = ids
            .iter()
            .map(ParamId::val)
            .filter(|&id| id < 1000)
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
        assert_eq!(dropout.training.id.val(), u64::MAX);
        assert_eq!(norm.training.id.val(), u64::MAX - 1);
        assert_eq!(linear.weight.id.val(), 5);
    }

    #[test]
    fn parameters_require_gradients_and_statistics_do_not() {
        let device = Device::flex().autodiff();
        let mut init = Init::new(0, &device);
        let norm = init.batch_norm(3);
        assert!(norm.gamma.val().is_require_grad());
        assert!(!norm.running_mean.value().is_require_grad());
        let linear = Init::new(0, &Device::flex()).linear(2, 2, true);
        assert!(!linear.weight.val().is_require_grad());
        assert!(linear.train().weight.val().is_require_grad());
    }
}
