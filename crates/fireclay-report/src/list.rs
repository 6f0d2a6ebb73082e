//! The runs below a folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde_json::{Value, json};
use toml::Table;

use crate::error::{ReportError, io};
use crate::folder::RunFolder;
use crate::outcome::headline;
use crate::page::Cost;

/// Folders below this many others are not looked into.
const DEPTH: usize = 5;

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
    /// The backend.
    pub device: String,
    /// When its files were last written, in seconds since 1970.
    pub written: u64,
    /// All metrics, as `split/name`.
    pub metrics: serde_json::Map<String, Value>,
    #[serde(skip)]
    config: Table,
}

/// All runs below `dir` that pass the filters, by their folders, or in the order that is asked for.
///
/// # Errors
///
/// If the folder cannot be read, or no run has a key that a filter or the order names.
pub fn list(
    dir: &Path,
    filters: &[Filter],
    sort: Option<&Sort>,
) -> Result<Vec<Listed>, ReportError> {
    let mut paths = Vec::new();
    fs::read_dir(dir).map_err(|source| io("read", dir, source))?;
    collect(dir, DEPTH, &mut paths);
    let mut runs: Vec<Listed> = paths.iter().map(|path| Listed::of(dir, path)).collect();
    runs.sort_by_cached_key(|run| natural(&run.name));
    let keys = filters
        .iter()
        .map(|filter| &filter.key)
        .chain(sort.map(|sort| &sort.key));
    for key in keys {
        if !runs.is_empty() && runs.iter().all(|run| run.get(key).is_none()) {
            let message = format!(
                "no run below {} has a key {key:?}: it can be state, name, task, model, metric, value, split, seconds, steps, device, written, a metric such as test/accuracy, or a key of the config such as optimizer.learning_rate",
                dir.display()
            );
            return Err(ReportError::Usage(message));
        }
    }
    runs.retain(|run| filters.iter().all(|filter| filter.passes(run)));
    if let Some(sort) = sort {
        runs.sort_by(|a, b| sort.compare(a, b));
    }
    Ok(runs)
}

fn collect(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>) {
    if dir.join("config.toml").is_file() && dir.join("run.lock").is_file() {
        paths.push(dir.to_path_buf());
        return;
    }
    // A folder that cannot be read has no run that could be.
    for entry in fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        // Links are not followed: they may lead in circles.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if depth > 0 && is_folder && !is_hidden {
            collect(&entry.path(), depth - 1, paths);
        }
    }
}

/// A name with its numbers as numbers, so that run 10 comes after run 9.
fn natural(name: &str) -> Vec<(u64, String)> {
    let parts = name.split(['/', '\\']);
    parts
        .map(|part| (part.parse().unwrap_or(u64::MAX), part.to_owned()))
        .collect()
}

impl Listed {
    fn of(dir: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(dir).unwrap_or(path).display().to_string();
        let name = if name.is_empty() {
            path.display().to_string()
        } else {
            name
        };
        let written = fs::metadata(path.join("run.lock"))
            .and_then(|known| known.modified())
            .ok();
        let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mut listed = Self {
            path: path.to_path_buf(),
            name,
            state: State::Damaged,
            problem: None,
            task: String::new(),
            model: String::new(),
            metric: None,
            value: None,
            split: None,
            seconds: None,
            steps: None,
            device: String::new(),
            written: written.map_or(0, |since| since.as_secs()),
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
        let text = |key: &str| {
            run.key(key)
                .and_then(toml::Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let cost = Cost::of(run);
        self.state = match run.is_finished() {
            true => State::Finished,
            false if is_held(&run.path) => State::Running,
            false => State::Unfinished,
        };
        (self.task, self.model) = (text("task.type"), text("model.type"));
        self.device = run
            .locked("backend")
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
            .to_owned();
        self.seconds = cost.as_ref().and_then(|cost| cost.get("seconds"));
        let recorded = run.history.end().map(|(_, step)| step);
        // It goes on from there, whatever was recorded after it or before.
        let saved = || run.saved().filter(|_| self.state == State::Unfinished);
        self.steps = saved().or(recorded);
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
        self.config = run.config.clone();
    }

    /// The value of a column, of a metric, or of a key of the configuration.
    fn get(&self, key: &str) -> Option<Value> {
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
            key => {
                let of_split = |split: &str| self.metrics.get(&format!("{split}/{key}"));
                let metric = self
                    .metrics
                    .get(key)
                    .or_else(|| of_split("test"))
                    .or_else(|| of_split("valid"));
                let configured =
                    || crate::folder::lookup(&self.config, key).map(|value| json!(value));
                metric.cloned().or_else(configured)?
            }
        };
        (!value.is_null()).then_some(value)
    }
}

/// Whether a process trains the run: it holds the lock.
fn is_held(run: &Path) -> bool {
    let lock = File::open(run.join(".lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// What a run must be to be listed: `KEY=VALUE`, with `!=`, `<`, `<=`, `>` or `>=` in place of `=`. A `*` in
/// the value of `=` and `!=` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    key: String,
    relation: Relation,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Other,
    Less,
    LessOrSame,
    More,
    MoreOrSame,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const RELATIONS: [(&str, Relation); 6] = [
            ("!=", Relation::Other),
            ("<=", Relation::LessOrSame),
            (">=", Relation::MoreOrSame),
            ("=", Relation::Same),
            ("<", Relation::Less),
            (">", Relation::More),
        ];
        let wrong = || "must be KEY=VALUE, or with !=, <, <=, > or >= in place of =".to_owned();
        let start = text.find(['!', '<', '>', '=']).ok_or_else(wrong)?;
        let (key, rest) = text.split_at(start);
        let known = RELATIONS
            .iter()
            .find_map(|(sign, relation)| Some((rest.strip_prefix(sign)?, *relation)));
        let (value, relation) = known.ok_or_else(wrong)?;
        let is_order = !matches!(relation, Relation::Same | Relation::Other);
        if is_order && value.trim().parse::<f64>().is_err() {
            return Err(format!(
                "{} is no number, so nothing is less or more",
                value.trim()
            ));
        }
        Ok(Self {
            key: key.trim().to_owned(),
            relation,
            value: value.trim().to_owned(),
        })
    }
}

impl Filter {
    fn passes(&self, run: &Listed) -> bool {
        let Some(found) = run.get(&self.key) else {
            return self.relation == Relation::Other;
        };
        let text = found
            .as_str()
            .map_or_else(|| found.to_string(), str::to_owned);
        let numbers = found.as_f64().zip(self.value.parse::<f64>().ok());
        let order = numbers.and_then(|(found, value)| found.partial_cmp(&value));
        let same = match order {
            Some(order) => order.is_eq(),
            None => is_like(&text, &self.value),
        };
        match self.relation {
            Relation::Same => same,
            Relation::Other => !same,
            Relation::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Relation::LessOrSame => order.is_some_and(std::cmp::Ordering::is_le),
            Relation::More => order.is_some_and(std::cmp::Ordering::is_gt),
            Relation::MoreOrSame => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

/// Whether a text is as a pattern, in which each `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(place) => text = &text[place + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// The order of a list: a key, and `-` before it for the largest first. Runs without a value come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    key: String,
    falling: bool,
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let falling = text.starts_with('-');
        let key = text.trim_start_matches('-').to_owned();
        match key.is_empty() {
            true => Err("must be a key, such as value, or -value for the largest first".into()),
            false => Ok(Self { key, falling }),
        }
    }
}

impl Sort {
    fn compare(&self, a: &Listed, b: &Listed) -> std::cmp::Ordering {
        let order = match (a.get(&self.key), b.get(&self.key)) {
            (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.to_string().cmp(&b.to_string()),
            },
            (a, b) => return b.is_some().cmp(&a.is_some()),
        };
        if self.falling { order.reverse() } else { order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, value: f64) -> Listed {
        let dir = Path::new("runs");
        let mut run = Listed::of(dir, &dir.join(name));
        run.value = Some(value);
        run.config = "[model]\nhidden = [64, 32]\ntype = \"mlp\""
            .parse()
            .expect("a table");
        run
    }

    #[test]
    fn filters_compare_numbers_and_patterns() {
        let run = run("iris/2", 0.95);
        let cases = [
            ("value>0.9", true),
            ("value>=0.95", true),
            ("value<0.9", false),
            ("value!=0.95", false),
            ("name=iris/*", true),
            ("name=*ris*2", true),
            ("name=iris", false),
            ("model.type=mlp", true),
            ("model.type!=cnn", true),
            ("accuracy>0", false),
            ("state=damaged", true),
        ];
        for (text, passes) in cases {
            let filter: Filter = text.parse().expect("a filter");
            assert_eq!(filter.passes(&run), passes, "{text}");
        }
        assert!("value".parse::<Filter>().is_err());
        assert!("name<x".parse::<Filter>().is_err());
    }

    #[test]
    fn runs_are_sorted_by_a_key() {
        let mut runs = [run("a/9", 0.3), run("a/10", 0.2), run("b/1", 0.4)];
        runs[1].value = None;
        let sort: Sort = "-value".parse().expect("an order");
        runs.sort_by(|a, b| sort.compare(a, b));
        assert_eq!(
            runs.each_ref().map(|run| run.name.as_str()),
            ["b/1", "a/9", "a/10"]
        );
        assert!(natural("a/9") < natural("a/10"));
    }
}
