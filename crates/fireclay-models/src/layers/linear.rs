//! Linear layers with other first weights than `torch.nn.Linear`'s.

use burn::nn::Linear;

use crate::init::{Init, Values};

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
