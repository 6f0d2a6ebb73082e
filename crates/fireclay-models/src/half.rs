//! Models that compute in half precision (Micikevicius et al. 2018, *Mixed precision training*,
//! [arXiv:1710.03740](https://arxiv.org/abs/1710.03740)).

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

/// A copy of `model` whose weights have 16 bits, each a leaf of its own under the id of the weight that it
/// was rounded from, so that its gradient can be applied there.
///
/// Norms keep their own weights, which are few and lose by rounding, as do the magnitudes of adapters, and their running statistics, which
/// are `model`'s: a pass through the copy updates them there. The layers of this crate take inputs of
/// either kind; outputs have the kind of the weights.
pub fn halved<M: Module>(model: M, dtype: FloatDType) -> M {
    model.map(&mut Halving {
        dtype,
        kept: Vec::new(),
    })
}

/// Lengths of columns, which stay as they are for the same reasons.
const MAGNITUDE: &str = "magnitude";

/// The modules whose weights stay as they are.
const NORMS: [&str; 3] = ["Struct:BatchNorm", "Struct:LayerNorm", "Struct:Norm"];

struct Halving {
    dtype: FloatDType,
    /// Which of the modules and fields around a parameter keep it as it is.
    kept: Vec<bool>,
}

impl ModuleMapper for Halving {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.kept
            .push(NORMS.contains(&container_type) || name == MAGNITUDE);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.kept.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.kept.last() == Some(&true) {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let is_trained = tensor.is_require_grad();
        let tensor = tensor.set_require_grad(false).cast(self.dtype);
        Param::from_mapped_value(id, tensor.set_require_grad(is_trained), mapper)
    }
}
