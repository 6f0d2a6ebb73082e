//! The sections of a configuration that the loop obeys.

mod precision;
mod sections;
mod values;

pub use precision::Precision;
pub use sections::{
    CheckpointConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig, MlflowConfig, OnNonFinite,
    TrainConfig,
};
pub use values::{BatchSize, CpuShards};
