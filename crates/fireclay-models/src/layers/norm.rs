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

/// How a decoder norms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormStyle {
    /// By the root of the mean square, scaled by the weight (Zhang & Sennrich 2019,
    /// [arXiv:1910.07467](https://arxiv.org/abs/1910.07467)).
    Rms,
    /// By the root of the mean square, scaled by one and the weight, which starts at zero (Gemma
    /// Team 2024, *Gemma*, [arXiv:2403.08295](https://arxiv.org/abs/2403.08295); the one is in the
    /// published code).
    RmsAboveOne,
    /// Layer normalisation with a shift.
    Layer,
}

/// The norm of a decoder, whichever its family has. `Init::norm` builds it.
#[derive(Module, Debug)]
pub struct Norm {
    /// The weight of each feature.
    gamma: Param<Tensor<1>>,
    /// The shift of each feature.
    beta: Option<Param<Tensor<1>>>,
    epsilon: f64,
    #[module(skip)]
    style: NormStyle,
}

impl Norm {
    /// Normalises the last axis.
    ///
    /// # Shapes
    ///
    /// - `input`: `[..., width]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let gamma = self.gamma.val();
        match self.style {
            NormStyle::Rms => rms_norm(input, gamma, self.epsilon),
            NormStyle::RmsAboveOne => rms_norm(input, gamma + 1.0, self.epsilon),
            NormStyle::Layer => {
                let beta = self.beta.as_ref().map(Param::val);
                layer_norm(input, gamma, beta, self.epsilon)
            }
        }
    }
}

impl Init {
    /// The norm of this style, which at first leaves what it has normed as it is.
    pub(crate) fn norm(&mut self, style: NormStyle, width: usize, epsilon: f64) -> Norm {
        let gamma = match style {
            NormStyle::RmsAboveOne => Values::ZEROS,
            NormStyle::Rms | NormStyle::Layer => Values::ONES,
        };
        Norm {
            gamma: self.param([width], gamma),
            beta: (style == NormStyle::Layer).then(|| self.param([width], Values::ZEROS)),
            epsilon,
            style,
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
}
