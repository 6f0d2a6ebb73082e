//! What is written about a run when it has ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to write into the run folder when the training has ended. `fireclay report` writes it later, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportConfig {
    /// report.html: the verdict, curves, errors, slices and cost in one page that needs no network.
    pub html: bool,
    /// model-card.md: a model card, with what only its author knows left to be filled in.
    pub card: bool,
    /// plots/: each chart of the report as an SVG and a PNG file.
    pub plots: bool,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            html: true,
            card: false,
            plots: false,
        }
    }
}

impl ReportConfig {
    /// Every value is possible.
    pub fn validate(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
