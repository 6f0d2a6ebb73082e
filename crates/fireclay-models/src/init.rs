//! Initial weights that depend on the seed alone.
//!
//! A backend's own generator would give other weights on other hardware, and the order in which
//! lazily built layers are touched would show. Here the k-th parameter that a model asks for is a
//! pure function of (seed, k): its values come from ChaCha8 with the seed as the key and k as the
//! stream, are drawn in `f64` on the host, and rounded once to `f32`. Its [`ParamId`] is k + 1,
//! so optimizer records and checkpoints of two equal runs are equal byte for byte.

use burn::module::{Flag, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::StandardNormal;

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
        }
    }
}

/// Builds the parameters and layers of one model, in the order in which the model asks for them.
///
/// A layer's own file has the methods that build it.
#[derive(Debug)]
pub struct Init {
    seed: u64,
    pub(crate) device: Device,
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

    /// As [`param`](Self::param), with the numbers adjusted as they are drawn.
    pub(crate) fn param_with<const D: usize>(
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

    /// The next trainable parameter, whose first values follow from others.
    pub(crate) fn param_of<const D: usize>(
        &mut self,
        shape: [usize; D],
        values: impl Fn() -> Tensor<D> + Send + Sync + 'static,
    ) -> Param<Tensor<D>> {
        let init = move |device: &Device, require_grad: bool| {
            let values = values().detach().to_device(device);
            values.set_require_grad(require_grad)
        };
        let device = self.device.clone();
        Param::uninitialized(self.next_id(), init, device, true, shape.into())
    }

    /// The number of the next parameter or running statistic.
    pub(crate) fn next_id(&mut self) -> ParamId {
        self.params += 1;
        ParamId::from(self.params)
    }

    /// Flags hold no numbers, so they count down from the top and leave the streams of the
    /// parameters alone: the same model with and without dropout starts from the same weights.
    pub(crate) fn flag(&mut self) -> Param<Flag> {
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

#[cfg(test)]
mod tests;
