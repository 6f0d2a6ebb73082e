//! Adafactor.

use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::{Slot, optimizer_state, shrunk};
use super::{UpdateRule, own_rule};

/// Adafactor: the second moment of a matrix is kept as one value for each row and each column, and
/// the step is relative to the size of the weights. No first moment is kept.
///
/// The learning rate caps the relative step size `min(learning_rate, 1/√t)`; with both
/// `relative_step` and `scale_parameter` off it is the plain step size. [Shazeer and Stern
/// 2018](https://arxiv.org/abs/1804.04235), algorithms 4 and 5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdafactorConfig {
    /// Upper bound of the step size at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// Cap the learning rate by `1/√t`.
    pub relative_step: bool,
    /// Multiply the step by the root mean square of the weights.
    pub scale_parameter: bool,
    /// The second moment of update `t` (from 1) forgets by `t^-decay_rate`.
    pub decay_rate: f64,
    /// Updates whose root mean square is above this are scaled down to it.
    pub clip_threshold: f64,
    /// Added to the squared gradient, and the least root mean square of the weights.
    pub epsilons: (f64, f64),
    /// How fast the weights shrink, relative to the learning rate.
    pub weight_decay: f64,
    /// Decay biases, norms and embeddings too.
    pub decay_all: bool,
}

impl Default for AdafactorConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            relative_step: true,
            scale_parameter: true,
            decay_rate: 0.8,
            clip_threshold: 1.0,
            epsilons: (1e-30, 1e-3),
            weight_decay: 0.0,
            decay_all: false,
        }
    }
}

impl UpdateRule for AdafactorConfig {
    own_rule!();

    fn validate(&self) -> Invalid {
        let (least, smallest) = self.epsilons;
        // Below this `f32` holds no number, and the factors of a zero gradient divide 0 by 0.
        let epsilons = [least, smallest]
            .iter()
            .all(|&e| e >= 1e-37 && e.is_finite());
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .positive("decay_rate", self.decay_rate)
            .positive("clip_threshold", self.clip_threshold)
            .check(
                "epsilons",
                epsilons,
                "two numbers of 1e-37 or more",
                format!("[{least}, {smallest}]"),
            )
            .not_negative("weight_decay", self.weight_decay)
            .found()
    }

    fn slots(&self, _: bool) -> usize {
        1
    }

    fn state(&self, shape: &[usize], _: bool) -> u64 {
        let numbers = shape.iter().product::<usize>();
        let kept = match shape {
            // One for each row and one for each column.
            [.., rows, columns] => numbers / columns + numbers / rows,
            _ => numbers,
        };
        kept as u64
    }
}

optimizer_state! {
    /// State of [`AdafactorConfig`].
    AdafactorState of AdafactorConfig {
        /// Averaged square of the gradient: one value a row (`[.., rows, 1]`), or, for a parameter
        /// of rank 0 or 1, one for each of its values.
        rows,
        /// The same for each column (`[.., 1, columns]`); from rank 2 on.
        columns,
    }
}

impl AdafactorConfig {
    /// The gradient over the root of its averaged square.
    fn normalised<const D: usize>(
        &self,
        grad: Tensor<D>,
        state: &mut AdafactorState<D>,
    ) -> Tensor<D> {
        let new = (state.step as f64).powf(-self.decay_rate);
        let average = |slot: &mut Slot<D>, now: Tensor<D>| {
            let past = slot.take_or_zeros(&now).mul_scalar(1.0 - new);
            let average = past + now.mul_scalar(new);
            *slot = average.clone().into();
            average
        };
        let square = grad.clone().square().add_scalar(self.epsilons.0);
        if D < 2 {
            return grad / average(&mut state.rows, square).sqrt();
        }
        let rows = average(&mut state.rows, square.clone().mean_dim(D - 1));
        let columns = average(&mut state.columns, square.mean_dim(D - 2));
        // Dividing twice keeps the product of two small factors out of the subnormal numbers.
        let share = rows.clone() / rows.mean_dim(D - 2);
        grad / share.sqrt() / columns.sqrt()
    }

    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut AdafactorState<D>,
    ) -> Tensor<D> {
        let update = self.normalised(grad, state);
        let excess = root_mean_square(update.clone()).div_scalar(self.clip_threshold);
        let mut update = update / excess.clamp_min(1.0).unsqueeze();
        if self.scale_parameter {
            let size = root_mean_square(tensor.clone()).clamp_min(self.epsilons.1);
            update = update * size.unsqueeze();
        }
        let rate = match self.relative_step {
            true => lr.min((state.step as f64).powf(-0.5)),
            false => lr,
        };
        shrunk(tensor, lr * self.weight_decay) - update.mul_scalar(rate)
    }
}

fn root_mean_square<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.square().mean().sqrt()
}
