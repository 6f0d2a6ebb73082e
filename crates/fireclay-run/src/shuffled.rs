//! A model that has learned nothing: its weights, shuffled.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The same module with the values of each tensor in another order. So each keeps its size and its spread,
/// whatever the rule that it was first drawn by.
pub(crate) fn shuffled<M: Module>(module: &M, seed: u64) -> M {
    let rng = ChaCha8Rng::seed_from_u64(seed);
    // A clone would share its running statistics with the module, which would be shuffled too.
    module.valid().map(&mut Shuffling { rng })
}

struct Shuffling {
    rng: ChaCha8Rng,
}

impl ModuleMapper for Shuffling {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let (dims, device) = (tensor.dims(), tensor.device());
        let mut values: Vec<f32> = tensor.into_data().iter().collect();
        values.shuffle(&mut self.rng);
        let tensor = Tensor::from_data(TensorData::new(values, dims), &device);
        Param::from_mapped_value(id, tensor, mapper)
    }
}
