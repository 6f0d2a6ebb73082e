//! Optimizers with PyTorch's numbers.
//!
//! Each file holds one optimizer: its configuration, which is a [`burn::optim::Optimizer`] too (Adam
//! and AdamW share one). The defaults and the order of operations are those of
//! `torch.optim` where the optimizer exists there, and of the paper or its author's code where it
//! does not. Burn's own optimizers are not used: they restore a saved state on the build's default
//! device, which on a machine without a GPU is a Vulkan device that cannot be created, and some
//! round their factors to `f32` before combining them. The state here stays on the host until the
//! first step brings it to its parameter (`state.rs`).
//!
//! Unless `decay_all` is set, weight decay applies to neither parameters of rank 0 and 1 (biases,
//! norms) nor embeddings.

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use fireclay_config::Invalid;

mod adafactor;
mod adagrad;
mod adam;
mod lion;
mod muon;
mod rmsprop;
mod sgd;

mod groups;
mod record;
mod state;

pub use groups::hidden_weights;
pub use muon::{MuonAdamWConfig, MuonScale};
pub use record::{OptimizerRecordError, check_shapes, from_bytes, joined, stable_ids, to_bytes};

use crate::registry::registry;
use groups::Groups;

registry! {
    /// The optimizer of a run: the table `[optimizer]`, whose `type` names the variant.
    OptimizerConfig of UpdateRule {
        sgd::Sgd(SgdConfig) = "sgd", "gradient descent, plain or with momentum";
        adam::Adam(AdamConfig) = "adam", "Adam (Kingma and Ba 2015)";
        adam::AdamW(AdamWConfig) = "adamw", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)";
        rmsprop::RmsProp(RmsPropConfig) = "rmsprop", "RMSprop (Tieleman and Hinton 2012)";
        adagrad::Adagrad(AdagradConfig) = "adagrad", "Adagrad (Duchi et al. 2011)";
        lion::Lion(LionConfig) = "lion", "Lion, the sign of a momentum (Chen et al. 2023)";
        muon::Muon(MuonConfig) = "muon", "Muon for hidden matrices, AdamW for the rest (Jordan et al. 2024)";
        adafactor::Adafactor(AdafactorConfig) = "adafactor", "Adafactor, factored second moments (Shazeer and Stern 2018)";
    }
}

/// The learning rate and the optimizer of a table that is its own update rule.
macro_rules! own_rule {
    () => {
        fn learning_rate(&self) -> f64 {
            self.learning_rate
        }

        fn init(&self, groups: &$crate::optim::groups::Groups) -> burn::optim::ModuleOptimizer {
            groups.optimizer(self.decay_all, self.weight_decay, |weight_decay| Self {
                weight_decay,
                ..self.clone()
            })
        }
    };
}
use own_rule;

/// What an optimizer's file says of its table.
trait UpdateRule {
    /// The learning rate that the schedule starts from.
    fn learning_rate(&self) -> f64;

    /// Values that cannot be used, as (key inside the table, message).
    fn validate(&self) -> Invalid;

    /// Builds the optimizer with its parameter groups.
    fn init(&self, groups: &Groups) -> ModuleOptimizer;

    /// How many tensors of its size are kept of a parameter; `hidden`: of a hidden weight.
    fn slots(&self, hidden: bool) -> usize;

    /// How many numbers are kept of a parameter of this shape.
    fn state(&self, shape: &[usize], hidden: bool) -> u64 {
        (shape.iter().product::<usize>() * self.slots(hidden)) as u64
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::AdamW(AdamWConfig::default())
    }
}

impl OptimizerConfig {
    /// The learning rate that the schedule starts from.
    pub fn learning_rate(&self) -> f64 {
        self.table().learning_rate()
    }

    /// Values that cannot be used, as (key inside the table, message); empty when all is well.
    pub fn validate(&self) -> Invalid {
        self.table().validate()
    }

    /// How many numbers the optimizer keeps of a parameter of this shape; `hidden` says whether it is
    /// one of the [`hidden_weights`], which Muon treats in a way of its own.
    pub fn state(&self, shape: &[usize], hidden: bool) -> u64 {
        self.table().state(shape, hidden)
    }

    /// Builds the optimizer with its parameter groups, which are lists of this model's parameter
    /// ids: the optimizer fits this model and its clones, not another one of the same type. Give
    /// the model [`stable_ids`] first if the optimizer's state is to be saved.
    pub fn init<M: Module>(&self, model: &M) -> ModuleOptimizer {
        self.table().init(&Groups::of(model))
    }
}
