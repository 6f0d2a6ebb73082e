//! AdamW.

use burn::optim::ModuleOptimizer;
use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UpdateRule;
use super::adam::Adam;
use super::groups::Groups;

/// Adam with decoupled weight decay, as `torch.optim.AdamW`: the parameter shrinks by
/// `1 − learning_rate · weight_decay` before each step.
///
/// [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Learning rate at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// How much of the past is kept in the averages of the gradient and of its square.
    pub betas: (f64, f64),
    /// Added to the root of the averaged square, against division by zero.
    #[serde(alias = "eps")]
    pub epsilon: f64,
    /// How fast the weights shrink, relative to the learning rate.
    pub weight_decay: f64,
    /// Divide by the largest averaged square seen so far.
    pub amsgrad: bool,
    /// Decay biases, norms and embeddings too, as PyTorch does unless told otherwise.
    pub decay_all: bool,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.01,
            amsgrad: false,
            decay_all: false,
        }
    }
}

impl UpdateRule for AdamWConfig {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn validate(&self) -> Invalid {
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .betas("betas", self.betas)
            .not_negative("epsilon", self.epsilon)
            .not_negative("weight_decay", self.weight_decay)
            .found()
    }

    fn init(&self, groups: &Groups) -> ModuleOptimizer {
        groups.optimizer(self.decay_all, self.weight_decay, |weight_decay| Adam {
            betas: self.betas,
            epsilon: self.epsilon,
            weight_decay,
            decoupled: true,
            amsgrad: self.amsgrad,
            rate: 1.0,
        })
    }

    fn slots(&self, _: bool) -> usize {
        2 + usize::from(self.amsgrad)
    }
}
