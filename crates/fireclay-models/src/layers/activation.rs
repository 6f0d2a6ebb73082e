//! Activation functions by name.

use burn::tensor::{Tensor, activation};
use fireclay_kernels::{gelu, gelu_tanh, silu, widely};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An elementwise non-linearity, with PyTorch's definition and constants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, x) (Nair & Hinton 2010).
    #[default]
    Relu,
    /// x for positive x, 0.01 x otherwise (Maas et al. 2013).
    LeakyRelu,
    /// x for positive x, exp(x) - 1 otherwise (Clevert et al. 2015, arXiv:1511.07289).
    Elu,
    /// Self-normalising scaled ELU (Klambauer et al. 2017, arXiv:1706.02515).
    Selu,
    /// x Φ(x) with the exact error function (Hendrycks & Gimpel 2016, arXiv:1606.08415).
    Gelu,
    /// x Φ(x) by its approximation with tanh (section 2 of the same paper), as GPT-2 has it.
    GeluTanh,
    /// x times the logistic function, also called swish (Elfwing et al. 2017, arXiv:1702.03118).
    Silu,
    /// x tanh(log(1 + exp(x))) (Misra 2019, arXiv:1908.08681).
    Mish,
    /// log(1 + exp(x)) (Dugas et al. 2001).
    Softplus,
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
}

impl Activation {
    /// Every activation, in the order in which they are declared.
    pub const ALL: [Self; 11] = [
        Self::Relu,
        Self::LeakyRelu,
        Self::Elu,
        Self::Selu,
        Self::Gelu,
        Self::GeluTanh,
        Self::Silu,
        Self::Mish,
        Self::Softplus,
        Self::Tanh,
        Self::Sigmoid,
    ];

    /// Applies the function to every element; in half precision, exponentials are taken in single,
    /// where those of a dozen do not overflow.
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(input),
            Self::LeakyRelu => activation::leaky_relu(input, 0.01),
            Self::Elu => widely(input, |input| activation::elu(input, 1.0)),
            Self::Selu => widely(input, activation::selu),
            Self::Gelu => gelu(input),
            Self::GeluTanh => gelu_tanh(input),
            Self::Silu => silu(input),
            Self::Mish => widely(input, activation::mish),
            Self::Softplus => widely(input, |input| activation::softplus(input, 1.0)),
            Self::Tanh => activation::tanh(input),
            Self::Sigmoid => activation::sigmoid(input),
        }
    }
}
