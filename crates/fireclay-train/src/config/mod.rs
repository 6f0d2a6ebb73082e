//! The sections of a configuration that the loop obeys.

mod cluster;
mod logging;
mod precision;
mod sections;
mod values;

pub use cluster::ClusterConfig;
pub use logging::{LoggingConfig, MlflowConfig};
pub use precision::Precision;
pub use sections::{CheckpointConfig, EarlyStoppingConfig, EvalConfig, OnNonFinite, TrainConfig};
pub use values::{BatchSize, CpuShards};
