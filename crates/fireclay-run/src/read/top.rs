//! The keys before the first table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands at the top of a configuration, before the first table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TopLevel {
    /// The seed of every random choice: the same seed and configuration give the same run.
    pub seed: u64,
    /// Where run folders are made, as output_dir/<name of this file>/<number>.
    pub output_dir: String,
}

impl Default for TopLevel {
    fn default() -> Self {
        Self {
            seed: 42,
            output_dir: "runs".into(),
        }
    }
}
