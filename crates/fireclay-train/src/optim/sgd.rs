//! Stochastic gradient descent.

use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use fireclay_kernels::{MomentumStep, descent, momentum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::optimizer_state;
use super::{UpdateRule, own_rule};

/// Gradient descent, plain or with momentum, as `torch.optim.SGD`.
///
/// Without momentum and weight decay the update is `θ ← θ − α∇J`, one multiplication and one
/// subtraction in the precision of the parameters. Momentum: [Sutskever et al.
/// 2013](https://proceedings.mlr.press/v28/sutskever13.html).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SgdConfig {
    /// Learning rate at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// How much of the past velocity is kept; 0 is plain gradient descent.
    pub momentum: f64,
    /// How much less of the new gradient goes into the velocity.
    pub dampening: f64,
    /// Look ahead along the velocity; needs momentum and no dampening.
    pub nesterov: bool,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Decay biases, norms and embeddings too, as PyTorch does unless told otherwise.
    pub decay_all: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            decay_all: false,
        }
    }
}

impl UpdateRule for SgdConfig {
    own_rule!();

    fn validate(&self) -> Invalid {
        let nesterov = !self.nesterov || (self.momentum > 0.0 && self.dampening == 0.0);
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .below_one("momentum", self.momentum)
            .below_one("dampening", self.dampening)
            .check(
                "nesterov",
                nesterov,
                "false without momentum or with dampening",
                self.nesterov,
            )
            .not_negative("weight_decay", self.weight_decay)
            .found()
    }

    fn slots(&self, _: bool) -> usize {
        usize::from(self.momentum > 0.0)
    }
}

optimizer_state! {
    /// State of [`SgdConfig`]; there is none without momentum.
    SgdState of SgdConfig {
        /// The accumulated direction; the first gradient enters it undampened.
        velocity,
    }
}

impl SgdConfig {
    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut SgdState<D>,
    ) -> Tensor<D> {
        let penalty = self.weight_decay;
        if self.momentum == 0.0 {
            return descent(tensor, grad, penalty, lr);
        }
        let numbers = MomentumStep {
            momentum: self.momentum,
            share: match state.step {
                1 => 1.0,
                _ => 1.0 - self.dampening,
            },
            nesterov: self.nesterov,
            penalty,
            size: lr,
        };
        let velocity = state.velocity.take_or_zeros(&grad);
        let (tensor, velocity) = momentum(tensor, velocity, grad, numbers);
        state.velocity = velocity.into();
        tensor
    }
}
