//! RMSprop.

use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::optimizer_state;
use super::{UpdateRule, own_rule};

/// RMSprop as `torch.optim.RMSprop`: the epsilon is outside the root.
///
/// [Tieleman and Hinton 2012](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf);
/// centered: [Graves 2013](https://arxiv.org/abs/1308.0850).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RmsPropConfig {
    /// Learning rate at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// How much of the past is kept in the average of the squared gradient.
    pub alpha: f64,
    /// Added to the root of the averaged square, against division by zero.
    #[serde(alias = "eps")]
    pub epsilon: f64,
    /// How much of the past velocity is kept.
    pub momentum: f64,
    /// Divide by an estimate of the standard deviation instead of the root mean square.
    pub centered: bool,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Decay biases, norms and embeddings too, as PyTorch does unless told otherwise.
    pub decay_all: bool,
}

impl Default for RmsPropConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            alpha: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
            decay_all: false,
        }
    }
}

impl UpdateRule for RmsPropConfig {
    own_rule!();

    fn validate(&self) -> Invalid {
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .below_one("alpha", self.alpha)
            .not_negative("epsilon", self.epsilon)
            .below_one("momentum", self.momentum)
            .not_negative("weight_decay", self.weight_decay)
            .found()
    }

    fn slots(&self, _: bool) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum > 0.0)
    }
}

optimizer_state! {
    /// State of [`RmsPropConfig`].
    RmsPropState of RmsPropConfig {
        /// Average of the squared gradient.
        square,
        /// Average of the gradient; centered only.
        mean,
        /// The accumulated direction; with momentum only.
        velocity,
    }
}

impl RmsPropConfig {
    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut RmsPropState<D>,
    ) -> Tensor<D> {
        let grad = match self.weight_decay {
            0.0 => grad,
            decay => grad + tensor.clone().mul_scalar(decay),
        };
        let new = 1.0 - self.alpha;
        let square = state.square.take_or_zeros(&grad).mul_scalar(self.alpha)
            + grad.clone().square().mul_scalar(new);
        state.square = square.clone().into();
        let mut variance = square;
        if self.centered {
            let mean = state.mean.take_or_zeros(&grad).mul_scalar(self.alpha)
                + grad.clone().mul_scalar(new);
            state.mean = mean.clone().into();
            variance = variance - mean.square();
        }

        let mut direction = grad.clone() / variance.sqrt().add_scalar(self.epsilon);
        if self.momentum > 0.0 {
            let past = state.velocity.take_or_zeros(&grad);
            direction = past.mul_scalar(self.momentum) + direction;
            state.velocity = direction.clone().into();
        }
        tensor - direction.mul_scalar(lr)
    }
}
