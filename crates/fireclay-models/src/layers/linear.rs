//! Linear layers, and first weights of theirs that are not those of `torch.nn.Linear`.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::linear;

use crate::init::{Init, Values};

/// x W + b.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`; none where absent.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - result: `[.., outputs]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        linear(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }
}

/// Normal weights of deviation `std`, and a bias of zero if there is one.
pub(crate) fn normal(
    inputs: usize,
    outputs: usize,
    std: f64,
    bias: bool,
    init: &mut Init,
) -> Linear {
    Linear {
        weight: init.param([inputs, outputs], Values::Normal { std }),
        bias: bias.then(|| init.param([outputs], Values::ZEROS)),
    }
}

/// Xavier's uniform weights (Glorot & Bengio 2010, *Understanding the difficulty of training deep
/// feedforward neural networks*).
pub(crate) fn xavier(inputs: usize, outputs: usize, bias: Values, init: &mut Init) -> Linear {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    Linear {
        weight: init.param([inputs, outputs], Values::Uniform { bound }),
        bias: Some(init.param([outputs], bias)),
    }
}
