//! Lion.

use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::{optimizer_state, shrunk};
use super::{UpdateRule, own_rule};

/// Lion: every weight moves by the learning rate, in the direction of the sign of a momentum.
///
/// Use a learning rate three to ten times smaller, and a weight decay as many times larger, than
/// for AdamW. [Chen et al. 2023](https://arxiv.org/abs/2302.06675), algorithm 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LionConfig {
    /// Learning rate at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// How much of the past counts in the direction of this step, and is kept for the next ones.
    pub betas: (f64, f64),
    /// How fast the weights shrink, relative to the learning rate.
    pub weight_decay: f64,
    /// Decay biases, norms and embeddings too.
    pub decay_all: bool,
}

impl Default for LionConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            betas: (0.9, 0.99),
            weight_decay: 0.0,
            decay_all: false,
        }
    }
}

impl UpdateRule for LionConfig {
    own_rule!();

    fn validate(&self) -> Invalid {
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .betas("betas", self.betas)
            .not_negative("weight_decay", self.weight_decay)
            .found()
    }

    fn slots(&self, _: bool) -> usize {
        1
    }
}

optimizer_state! {
    /// State of [`LionConfig`].
    LionState of LionConfig {
        /// Average of the gradient.
        momentum,
    }
}

impl LionConfig {
    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut LionState<D>,
    ) -> Tensor<D> {
        let past = state.momentum.take_or_zeros(&grad);
        let (now, keep) = self.betas;
        let direction = past.clone().mul_scalar(now) + grad.clone().mul_scalar(1.0 - now);
        state.momentum = (past.mul_scalar(keep) + grad.mul_scalar(1.0 - keep)).into();
        shrunk(tensor, lr * self.weight_decay) - direction.sign().mul_scalar(lr)
    }
}
