//! Optimizers with PyTorch's numbers.
//!
//! Each file holds one optimizer: its configuration, and its update rule as a
//! [`burn::optim::Optimizer`]. The defaults and the order of operations are those of
//! `torch.optim` where the optimizer exists there, and of the paper or its author's code where it
//! does not. Burn's own optimizers are not used: they restore a saved state on the build's default
//! device, which on a machine without a GPU is a Vulkan device that cannot be created, and some
//! round their factors to `f32` before combining them. The state here stays on the host until the
//! first step brings it to its parameter (see [`Slot`]).
//!
//! Unless `decay_all` is set, weight decay applies to neither parameters of rank 0 and 1 (biases,
//! norms) nor embeddings.

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use fireclay_config::{Variant, variant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod adafactor;
mod adagrad;
mod adam;
mod adamw;
mod lion;
mod muon;
mod rmsprop;
mod sgd;

mod groups;
mod record;
mod size;
mod state;

pub use groups::hidden_weights;

pub use adafactor::{Adafactor, AdafactorConfig, AdafactorState};
pub use adagrad::{Adagrad, AdagradConfig, AdagradState};
pub use adam::{Adam, AdamConfig, AdamState};
pub use adamw::AdamWConfig;
pub use lion::{Lion, LionConfig, LionState};
pub use muon::{Muon, MuonAdamWConfig, MuonConfig, MuonScale, MuonState};
pub use record::{OptimizerRecordError, from_bytes, stable_ids, to_bytes};
pub use rmsprop::{RmsProp, RmsPropConfig, RmsPropState};
pub use sgd::{Sgd, SgdConfig, SgdState};
pub use state::Slot;

/// The optimizer of a run: the table `[optimizer]`, whose `type` names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum OptimizerConfig {
    /// Gradient descent, with momentum if asked.
    #[serde(rename = "sgd")]
    Sgd(SgdConfig),
    /// Adam, with weight decay added to the gradient.
    #[serde(rename = "adam")]
    Adam(AdamConfig),
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamWConfig),
    /// RMSprop.
    #[serde(rename = "rmsprop")]
    RmsProp(RmsPropConfig),
    /// Adagrad.
    #[serde(rename = "adagrad")]
    Adagrad(AdagradConfig),
    /// Lion.
    #[serde(rename = "lion")]
    Lion(LionConfig),
    /// Muon for the hidden matrices, AdamW for everything else.
    #[serde(rename = "muon")]
    Muon(MuonConfig),
    /// Adafactor.
    #[serde(rename = "adafactor")]
    Adafactor(AdafactorConfig),
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::AdamW(AdamWConfig::default())
    }
}

/// Applies the same expression to the configuration inside whichever variant it is.
macro_rules! each {
    ($optimizer:expr, $config:ident => $body:expr) => {
        match $optimizer {
            OptimizerConfig::Sgd($config) => $body,
            OptimizerConfig::Adam($config) => $body,
            OptimizerConfig::AdamW($config) => $body,
            OptimizerConfig::RmsProp($config) => $body,
            OptimizerConfig::Adagrad($config) => $body,
            OptimizerConfig::Lion($config) => $body,
            OptimizerConfig::Muon($config) => $body,
            OptimizerConfig::Adafactor($config) => $body,
        }
    };
}

impl OptimizerConfig {
    /// How each `type` is read.
    pub fn variants() -> Vec<Variant<Self>> {
        vec![
            variant("sgd", Self::Sgd),
            variant("adam", Self::Adam),
            variant("adamw", Self::AdamW),
            variant("rmsprop", Self::RmsProp),
            variant("adagrad", Self::Adagrad),
            variant("lion", Self::Lion),
            variant("muon", Self::Muon),
            variant("adafactor", Self::Adafactor),
        ]
    }

    /// Every `type` and what it is, in the order in which they are listed to the user.
    pub const TYPES: &[(&str, &str)] = &[
        ("sgd", "gradient descent, plain or with momentum"),
        ("adam", "Adam (Kingma and Ba 2015)"),
        (
            "adamw",
            "Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
        ),
        ("rmsprop", "RMSprop (Tieleman and Hinton 2012)"),
        ("adagrad", "Adagrad (Duchi et al. 2011)"),
        ("lion", "Lion, the sign of a momentum (Chen et al. 2023)"),
        (
            "muon",
            "Muon for hidden matrices, AdamW for the rest (Jordan et al. 2024)",
        ),
        (
            "adafactor",
            "Adafactor, factored second moments (Shazeer and Stern 2018)",
        ),
    ];

    /// The `type` that names this optimizer in a configuration file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
            Self::RmsProp(_) => "rmsprop",
            Self::Adagrad(_) => "adagrad",
            Self::Lion(_) => "lion",
            Self::Muon(_) => "muon",
            Self::Adafactor(_) => "adafactor",
        }
    }

    /// The learning rate that the schedule starts from.
    pub fn learning_rate(&self) -> f64 {
        each!(self, config => config.learning_rate)
    }

    /// Values that cannot be used, as (key inside the table, message); empty when all is well.
    pub fn validate(&self) -> Vec<(String, String)> {
        each!(self, config => config.validate())
    }

    /// Builds the optimizer with its parameter groups, which are lists of this model's parameter
    /// ids: the optimizer fits this model and its clones, not another one of the same type. Give
    /// the model [`stable_ids`] first if the optimizer's state is to be saved.
    pub fn init<M: Module>(&self, model: &M) -> ModuleOptimizer {
        each!(self, config => config.init(model))
    }
}
