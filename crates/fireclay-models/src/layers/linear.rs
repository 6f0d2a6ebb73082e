//! Linear layers, and initial weights that differ from those of `torch.nn.Linear`.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::linear_packed_each;

use super::adapter::adapted_linear;
use super::weight::Weight;
use crate::init::{Init, Values};

/// x W + b.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub weight: Weight,
    /// `[outputs]`; none where absent.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - result: `[.., outputs]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match &self.weight {
            Weight::Whole(weight) => adapted_linear(x, weight, self.bias.as_ref().map(Param::val)),
            Weight::Packed(weight) => self.biased(weight.product(x)),
        }
    }

    /// [`forward`](Self::forward) of several layers with the same inputs, at once where all of them are in few bits.
    ///
    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - results: `[.., outputs]` each
    pub(crate) fn forward_each<const D: usize, const N: usize>(
        layers: [&Self; N],
        x: Tensor<D>,
    ) -> [Tensor<D>; N] {
        let packed = layers.map(|layer| layer.weight.packed_alone());
        if packed.iter().any(Option::is_none) {
            return layers.map(|layer| layer.forward(x.clone()));
        }
        let weights = packed.map(|weight| weight.expect("all of them are in blocks"));
        let mut products = linear_packed_each(x, weights).into_iter();
        layers.map(|layer| layer.biased(products.next().expect("a product for each layer")))
    }

    fn biased<const D: usize>(&self, product: Tensor<D>) -> Tensor<D> {
        match &self.bias {
            Some(bias) => product + bias.val().unsqueeze(),
            None => product,
        }
    }
}

impl Values {
    /// What PyTorch draws the weight and the bias of a layer with so many inputs from.
    pub(crate) fn uniform_in(inputs: usize) -> Self {
        // A layer without inputs is only its bias, for which PyTorch takes zero.
        let bound = match inputs {
            0 => 0.0,
            _ => 1.0 / (inputs as f64).sqrt(),
        };
        Self::Uniform { bound }
    }
}

impl Init {
    /// A fully connected layer with PyTorch's default: weight and bias uniform within
    /// `1 / sqrt(inputs)`.
    ///
    /// Source: `torch.nn.Linear`, whose documentation gives exactly this bound; the efficient
    /// backprop of LeCun, Bottou, Orr and Müller (1998) is its origin. The weight is
    /// `[inputs, outputs]`, as Burn keeps it.
    pub fn linear(&mut self, inputs: usize, outputs: usize, bias: bool) -> Linear {
        let values = Values::uniform_in(inputs);
        Linear {
            weight: Weight::Whole(self.param([inputs, outputs], values)),
            bias: bias.then(|| self.param([outputs], values)),
        }
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
        weight: Weight::Whole(init.param([inputs, outputs], Values::Normal { std })),
        bias: bias.then(|| init.param([outputs], Values::ZEROS)),
    }
}

/// Xavier's uniform weights (Glorot & Bengio 2010, *Understanding the difficulty of training deep
/// feedforward neural networks*).
pub(crate) fn xavier(inputs: usize, outputs: usize, bias: Values, init: &mut Init) -> Linear {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    Linear {
        weight: Weight::Whole(init.param([inputs, outputs], Values::Uniform { bound })),
        bias: Some(init.param([outputs], bias)),
    }
}
