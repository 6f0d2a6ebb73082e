//! Norms of the last axis. The fields are those of Burn's modules, and so are the records.

use burn::module::{Module, Param};
use burn::nn::{GroupNorm, GroupNormConfig};
use burn::tensor::Tensor;
use fireclay_kernels::{layer_norm, rms_norm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::init::{Init, Values};

/// The normalisation of a hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// No normalisation.
    #[default]
    None,
    /// Batch normalisation: each feature over the batch.
    Batch,
    /// Layer normalisation: each row over its features.
    Layer,
}

/// Layer normalisation (Ba et al. 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)).
/// [`Init::layer_norm`](crate::Init::layer_norm) builds it.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// The scale of each feature.
    pub gamma: Param<Tensor<1>>,
    /// The shift of each feature.
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
    /// The scale of each feature.
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

impl Init {
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
}
