//! Adam and AdamW, which share one rule.

use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use fireclay_kernels::{AdamStep, adam};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UpdateRule;
use super::groups::Groups;
use super::state::{Slot, optimizer_state};

/// Defines the table of Adam or AdamW, which differ in their weight decay alone.
macro_rules! config {
    (
        $(#[$meta:meta])* $name:ident,
        $(#[$decay_meta:meta])* weight_decay: $weight_decay:literal, decoupled: $decoupled:literal
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// Learning rate at the schedule's factor 1.
            #[serde(alias = "lr")]
            pub learning_rate: f64,
            /// How much of the past is kept in the averages of the gradient and of its square.
            pub betas: (f64, f64),
            /// Added to the root of the averaged square, against division by zero.
            #[serde(alias = "eps")]
            pub epsilon: f64,
            $(#[$decay_meta])*
            pub weight_decay: f64,
            /// Divide by the largest averaged square seen so far.
            pub amsgrad: bool,
            /// Decay biases, norms and embeddings too, as PyTorch does unless told otherwise.
            pub decay_all: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    learning_rate: 1e-3,
                    betas: (0.9, 0.999),
                    epsilon: 1e-8,
                    weight_decay: $weight_decay,
                    amsgrad: false,
                    decay_all: false,
                }
            }
        }

        impl UpdateRule for $name {
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
                    decoupled: $decoupled,
                    amsgrad: self.amsgrad,
                    rate: 1.0,
                })
            }

            fn slots(&self, _: bool) -> usize {
                2 + usize::from(self.amsgrad)
            }
        }
    };
}

config! {
    /// Adam as `torch.optim.Adam`: weight decay is added to the gradient.
    ///
    /// [Kingma and Ba 2015](https://arxiv.org/abs/1412.6980); AMSGrad: [Reddi et al.
    /// 2018](https://openreview.net/forum?id=ryQu7f-RZ).
    AdamConfig,
    /// L2 penalty added to the gradient.
    weight_decay: 0.0, decoupled: false
}

config! {
    /// Adam with decoupled weight decay, as `torch.optim.AdamW`: the parameter shrinks by
    /// `1 − learning_rate · weight_decay` before each step.
    ///
    /// [Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101).
    AdamWConfig,
    /// How fast the weights shrink, relative to the learning rate.
    weight_decay: 0.01, decoupled: true
}

/// The update rule of [`AdamConfig`] and [`AdamWConfig`] for one parameter.
#[derive(Clone, Debug)]
pub struct Adam {
    pub(super) betas: (f64, f64),
    pub(super) epsilon: f64,
    pub(super) weight_decay: f64,
    /// Shrink the parameter itself instead of adding the decay to the gradient.
    pub(super) decoupled: bool,
    pub(super) amsgrad: bool,
    /// Multiplies the learning rate, where the rule serves one group of a larger optimizer.
    pub(super) rate: f64,
}

optimizer_state! {
    /// State of [`Adam`].
    AdamState of Adam {
        /// Average of the gradient.
        first_moment,
        /// Average of its square.
        second_moment,
        /// The largest average of the square so far; AMSGrad only.
        largest_second_moment,
    }
}

impl Adam {
    /// What update number `step` does to each number:
    /// `lr · (m/c₁) / (√(v/c₂) + ε)`, with the two corrections moved out of the tensors.
    fn numbers(&self, lr: f64, step: u64) -> AdamStep {
        let (beta_1, beta_2) = self.betas;
        let correction_1 = 1.0 - beta_1.powf(step as f64);
        let root_2 = (1.0 - beta_2.powf(step as f64)).sqrt();
        let (shrink, penalty) = match self.decoupled {
            true => (1.0 - lr * self.weight_decay, 0.0),
            false => (1.0, self.weight_decay),
        };
        AdamStep {
            betas: self.betas,
            shrink,
            penalty,
            epsilon: self.epsilon * root_2,
            size: lr * root_2 / correction_1,
        }
    }

    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut AdamState<D>,
    ) -> Tensor<D> {
        let numbers = self.numbers(lr * self.rate, state.step);
        let averages = [&mut state.first_moment, &mut state.second_moment]
            .map(|slot| slot.take_or_zeros(&grad));
        let (tensor, [first, second]) = match self.amsgrad {
            true => amsgrad(
                tensor,
                averages,
                &mut state.largest_second_moment,
                grad,
                numbers,
            ),
            false => adam(tensor, averages, grad, numbers),
        };
        (state.first_moment, state.second_moment) = (first.into(), second.into());
        tensor
    }
}

/// As [`adam`], but the direction is over the root of the largest second average so far.
fn amsgrad<const D: usize>(
    tensor: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    largest: &mut Slot<D>,
    grad: Tensor<D>,
    step: AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let (beta_1, beta_2) = step.betas;
    let past = largest.take_or_zeros(&grad);
    let grad = grad + tensor.clone().mul_scalar(step.penalty);
    let first = first.mul_scalar(beta_1) + grad.clone().mul_scalar(1.0 - beta_1);
    let second = second.mul_scalar(beta_2) + grad.square().mul_scalar(1.0 - beta_2);
    let root = past.max_pair(second.clone());
    *largest = root.clone().into();
    let direction = first.clone() / root.sqrt().add_scalar(step.epsilon);
    let tensor = tensor.mul_scalar(step.shrink) - direction.mul_scalar(step.size);
    (tensor, [first, second])
}
