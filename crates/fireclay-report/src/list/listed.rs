//! A run of the list, and what its files say of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde_json::{Value, json};
use toml::Table;

use crate::folder::{RunFolder, is_held, lookup};
use crate::outcome::headline;
use crate::page::Cost;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has ended, and its results are whole.
    Finished,
    /// A process holds it.
    Running,
    /// It can be resumed.
    Unfinished,
    /// Its loss, or its weights, became no finite numbers.
    Diverged,
    /// It cannot be read.
    Damaged,
}

impl State {
    /// The state as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Running => "running",
            Self::Unfinished => "unfinished",
            Self::Diverged => "diverged",
            Self::Damaged => "damaged",
        }
    }
}

/// A run of the list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its folder.
    pub path: PathBuf,
    /// Its folder below the one that was listed.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// What is wrong with it, if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The `type` of its task.
    pub task: String,
    /// The `type` of its model.
    pub model: String,
    /// The metric that it is named by.
    pub metric: Option<String>,
    /// The value of that metric, on the test split, or else on the validation split.
    pub value: Option<f64>,
    /// The split of that value.
    pub split: Option<String>,
    /// Wall-clock time of the processes that trained it, in seconds.
    pub seconds: Option<f64>,
    /// Updates; of an unfinished run, those that its newest checkpoint knows of.
    pub steps: Option<u64>,
    /// The update at which it diverged, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diverged_at: Option<u64>,
    /// The backend.
    pub device: String,
    /// When its files were last written, in seconds since 1970.
    pub written: u64,
    /// All metrics, as `split/name`.
    pub metrics: serde_json::Map<String, Value>,
    #[serde(skip)]
    pub(super) config: Table,
}

impl Listed {
    /// The run at `path`, named by where it is below `dir`.
    pub(super) fn of(dir: &Path, path: &Path) -> Self {
        let mut listed = Self {
            path: path.to_path_buf(),
            name: name_below(dir, path),
            state: State::Damaged,
            problem: None,
            task: String::new(),
            model: String::new(),
            metric: None,
            value: None,
            split: None,
            seconds: None,
            steps: None,
            diverged_at: None,
            device: String::new(),
            written: written(path),
            metrics: serde_json::Map::new(),
            config: Table::new(),
        };
        match RunFolder::glance(path) {
            Ok(run) => listed.fill(&run),
            Err(error) => listed.problem = Some(error.to_string()),
        }
        listed
    }

    fn fill(&mut self, run: &RunFolder) {
        let cost = Cost::of(run);
        self.state = match run.is_finished() {
            true => State::Finished,
            false if is_held(&run.path) => State::Running,
            false if run.diverged().is_some() => State::Diverged,
            false => State::Unfinished,
        };
        self.diverged_at = run.diverged().map(|(_, step)| step);
        (self.task, self.model) = (text(run.key("task.type")), text(run.key("model.type")));
        self.device = text(run.locked("backend"));
        self.seconds = cost.as_ref().and_then(|cost| cost.get("seconds"));
        let recorded = run.history.end().map(|(_, step)| step);
        // It goes on from there, whatever was recorded after it or before.
        let goes_on = matches!(self.state, State::Unfinished | State::Diverged);
        let saved = || run.saved().filter(|_| goes_on);
        self.steps = saved().or(recorded);
        self.fill_metrics(run);
        self.config = run.config.clone();
    }

    fn fill_metrics(&mut self, run: &RunFolder) {
        for (split, report) in &run.evaluation {
            self.metrics.extend(
                report
                    .metrics
                    .iter()
                    .map(|(name, value)| (format!("{split}/{name}"), json!(value))),
            );
        }
        if let Some((split, report)) = run.judged() {
            self.split = Some(split.to_owned());
            self.metric = headline(report).map(str::to_owned);
            self.value = self
                .metric
                .as_ref()
                .and_then(|name| report.metrics.get(name).copied());
        }
    }

    /// The value of a column, of a metric, or of a key of the configuration.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        let value = match key {
            "name" => json!(self.name),
            "state" => json!(self.state.word()),
            "task" => json!(self.task),
            "model" => json!(self.model),
            "metric" => json!(self.metric),
            "value" => json!(self.value),
            "split" => json!(self.split),
            "seconds" | "duration" => json!(self.seconds),
            "steps" => json!(self.steps),
            "device" => json!(self.device),
            "written" => json!(self.written),
            key => self.measured(key).or_else(|| self.configured(key))?,
        };
        (!value.is_null()).then_some(value)
    }

    /// A metric of a split that is named, or else of the test split before the validation split.
    fn measured(&self, key: &str) -> Option<Value> {
        let of_split = |split: &str| self.metrics.get(&format!("{split}/{key}"));
        let metric = self
            .metrics
            .get(key)
            .or_else(|| of_split("test"))
            .or_else(|| of_split("valid"));
        metric.cloned()
    }

    fn configured(&self, key: &str) -> Option<Value> {
        lookup(&self.config, key).map(|value| json!(value))
    }
}

/// Where a run is below the folder that is listed; the whole path if it is that folder.
fn name_below(dir: &Path, path: &Path) -> String {
    let name = path.strip_prefix(dir).unwrap_or(path).display().to_string();
    match name.is_empty() {
        true => path.display().to_string(),
        false => name,
    }
}

/// When the files of a run were last written, in seconds since 1970; 0 if that is not known.
fn written(run: &Path) -> u64 {
    let time = fs::metadata(run.join("run.lock")).and_then(|known| known.modified());
    let since = time
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs())
}

/// A value of a table as text; empty if there is none.
fn text(value: Option<&toml::Value>) -> String {
    value
        .and_then(toml::Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
