//! Norms of the last axis. The fields are those of Burn's modules, and so are the records.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::{layer_norm, rms_norm};

/// Layer normalisation (Ba et al. 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)).
/// [`Init::layer_norm`](crate::Init::layer_norm) builds it.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// The scale of each place.
    pub gamma: Param<Tensor<1>>,
    /// The shift of each place.
    pub beta: Option<Param<Tensor<1>>>,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl LayerNorm {
    /// Normalises the last axis.
    ///
    /// # Shapes
    ///
    /// - `input`: `[..., width]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let beta = self.beta.as_ref().map(Param::val);
        layer_norm(input, self.gamma.val(), beta, self.epsilon)
    }
}

/// Normalisation by the root of the mean square (Zhang & Sennrich 2019,
/// [arXiv:1910.07467](https://arxiv.org/abs/1910.07467)).
/// [`Init::rms_norm`](crate::Init::rms_norm) builds it.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// The scale of each place.
    pub gamma: Param<Tensor<1>>,
    /// What is added to the mean square.
    pub epsilon: f64,
}

impl RmsNorm {
    /// Normalises the last axis.
    ///
    /// # Shapes
    ///
    /// - `input`: `[..., width]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        rms_norm(input, self.gamma.val(), self.epsilon)
    }
}
