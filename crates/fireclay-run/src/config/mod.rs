//! The run configuration: one TOML file, checked as a whole.
//!
//! [`RunConfig::load`] reads a file, the files that it `extends` and the overrides of the command
//! line (`--set key.path=value`), in this order of increasing weight. Whatever is wrong is reported
//! at once, in a [`ConfigError`](fireclay_config::ConfigError)
//! whose every [`Problem`](fireclay_config::Problem) knows its file, line and column. A key
//! that the run would not read is an error.
//!
//! ```
//! use fireclay_run::config::RunConfig;
//!
//! let text = "
//!     [data]
//!     type = 'csv'
//!     path = 'iris.csv'
//!     target = 'species'
//!     [model]
//!     type = 'mlp'
//!     hiden = [16]
//!     [task]
//!     type = 'classification'
//!     [train]
//!     epochs = 5
//! ";
//! let error = RunConfig::parse("iris.toml", text, &[]).unwrap_err();
//! assert_eq!(error.problems[0].line, 8);
//! assert_eq!(error.problems[0].help.as_deref(), Some("did you mean `hidden`?"));
//!
//! let fixed = RunConfig::parse("iris.toml", &text.replace("hiden", "hidden"), &[])?;
//! assert_eq!(fixed.config.train.epochs, Some(5));
//! # Ok::<(), fireclay_config::ConfigError>(())
//! ```

mod data;
mod device;
mod fairness;
mod model;
mod report;
mod run;

pub use crate::task::TaskConfig;
pub use data::*;
pub(crate) use data::{carry, split_key};
pub use device::{BackendName, DeviceConfig};
pub use fairness::{FairnessConfig, Mitigation};
pub use fireclay_train::config::{BatchSize, CpuShards};
pub use model::{ModelConfig, ModelSection, NetworkConfig, StartConfig, TableModel, TableStart};
pub use report::ReportConfig;
pub use run::{Loaded, RunConfig};

/// A key, dotted from the top of the configuration, and what is wrong with its value.
pub type Refusal = (String, String);
