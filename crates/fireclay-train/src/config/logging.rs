//! The table of how often a training is recorded, and for whom.

use fireclay_config::Problems;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is written down while training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoggingConfig {
    /// Write the training metrics after every so many updates.
    pub every_steps: u64,
    /// Write TensorBoard's event files into the run's folder: `tensorboard --logdir runs` shows them.
    pub tensorboard: bool,
    /// Write all metrics as a table, `metrics.csv` in the run's folder.
    pub csv: bool,
    /// Send parameters, metrics and files to an MLflow server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlflow: Option<MlflowConfig>,
}

/// An MLflow server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MlflowConfig {
    /// Where it listens, such as "http://127.0.0.1:5000". The access is in MLFLOW_TRACKING_TOKEN, or in
    /// MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, of the environment.
    pub url: String,
    /// The experiment that gets the run. Default: the name of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Send the files of the finished run too, its weights among them.
    #[serde(default = "with_files")]
    pub files: bool,
}

fn with_files() -> bool {
    true
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self {
            every_steps: 10,
            tensorboard: false,
            csv: false,
            mlflow: None,
        }
    }
}

impl LoggingConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        problems.at_least_one("every_steps", Some(self.every_steps));
        let wrong = self
            .mlflow
            .as_ref()
            .and_then(|mlflow| wrong_url(&mlflow.url));
        if let Some(message) = wrong {
            problems.add("mlflow.url", message);
        }
        problems.found()
    }
}

/// What is wrong with the address of a server, if anything is.
fn wrong_url(url: &str) -> Option<String> {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let Some(rest) = rest else {
        return Some(format!(
            "must begin with http:// or https://, but is {url:?}"
        ));
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Some(
            "has an access in it, which would be kept in the run folder; set MLFLOW_TRACKING_USERNAME and \
             MLFLOW_TRACKING_PASSWORD in the environment"
                .into(),
        );
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse::<u16>().is_ok()),
        _ => (host, true),
    };
    let is_closed = name.starts_with('[') == name.ends_with(']');
    let is_sound = !name.is_empty() && port && is_closed && !rest.contains(char::is_whitespace);
    (!is_sound)
        .then(|| format!("must name a server, such as \"http://127.0.0.1:5000\", but is {url:?}"))
}
