//! Adagrad.

use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::optimizer_state;
use super::{UpdateRule, own_rule};

/// Adagrad as `torch.optim.Adagrad`: each step is divided by the root of the sum of all squared
/// gradients so far.
///
/// [Duchi, Hazan and Singer 2011](https://jmlr.org/papers/v12/duchi11a.html).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdagradConfig {
    /// Learning rate at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// The learning rate of update `t` (from 0) is divided by `1 + t · learning_rate_decay`.
    #[serde(alias = "lr_decay")]
    pub learning_rate_decay: f64,
    /// What the sum of squares starts from.
    #[serde(alias = "initial_accumulator_value")]
    pub initial_accumulator: f64,
    /// Added to the root of the sum, against division by zero.
    #[serde(alias = "eps")]
    pub epsilon: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Decay biases, norms and embeddings too, as PyTorch does unless told otherwise.
    pub decay_all: bool,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            learning_rate_decay: 0.0,
            initial_accumulator: 0.0,
            epsilon: 1e-10,
            weight_decay: 0.0,
            decay_all: false,
        }
    }
}

impl UpdateRule for AdagradConfig {
    own_rule!();

    fn validate(&self) -> Invalid {
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .not_negative("learning_rate_decay", self.learning_rate_decay)
            .not_negative("initial_accumulator", self.initial_accumulator)
            .not_negative("epsilon", self.epsilon)
            .not_negative("weight_decay", self.weight_decay)
            .found()
    }

    fn slots(&self, _: bool) -> usize {
        1
    }
}

optimizer_state! {
    /// State of [`AdagradConfig`].
    AdagradState of AdagradConfig {
        /// Sum of the squared gradients.
        sum,
    }
}

impl AdagradConfig {
    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut AdagradState<D>,
    ) -> Tensor<D> {
        let grad = match self.weight_decay {
            0.0 => grad,
            decay => grad + tensor.clone().mul_scalar(decay),
        };
        let past = state.sum.take_on(&grad.device());
        let past = past.unwrap_or_else(|| grad.full_like(self.initial_accumulator));
        let sum = past + grad.clone().square();
        state.sum = sum.clone().into();

        let lr = lr / (1.0 + (state.step - 1) as f64 * self.learning_rate_decay);
        let direction = grad / sum.sqrt().add_scalar(self.epsilon);
        tensor - direction.mul_scalar(lr)
    }
}
