//! A run folder, read whole.

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

use fireclay_guard::{LARGEST, open, read, text};
use fireclay_metrics::Report;
use serde_json::Value;
use sha2::{Digest, Sha256};
use toml::Table;

use crate::drift::Drift;
use crate::error::{ReportError, damaged, io};
use crate::history::{History, lines};
use crate::kept::{KEPT, Kept};
use crate::predictions::{self, Predictions};

/// A run, finished or not, as its folder tells it.
#[derive(Debug)]
pub struct RunFolder {
    /// Its folder.
    pub path: PathBuf,
    pub(crate) config: Table,
    pub(crate) config_text: String,
    pub(crate) lock: Table,
    pub(crate) lock_text: String,
    pub(crate) history: History,
    pub(crate) timing: Vec<Value>,
    /// Metrics by split.
    pub(crate) evaluation: BTreeMap<String, Report>,
    /// `evaluation.json` as it is, with what a later version may have added.
    pub(crate) evaluation_json: Value,
    /// `postprocess.json`: what outputs mean.
    pub(crate) answer: Value,
    pub(crate) predictions: BTreeMap<String, Predictions>,
    /// What it keeps beside its predictions.
    pub(crate) kept: Kept,
    /// `explanations.json`, if the run has been explained.
    pub(crate) explanations: Option<Value>,
    /// How far what was served is from the training, if that is known.
    pub(crate) drift: Option<Drift>,
}

impl RunFolder {
    /// Reads the run at `path`. A folder of numbered runs, such as `runs/NAME`, stands for the newest of
    /// them. Of a finished run, the files are verified by the hashes of `run.lock`.
    ///
    /// # Errors
    ///
    /// If there is no run, or a file cannot be read or is not what the run wrote.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        let mut run = Self::glance(path)?;
        verify(&run.path, &run.lock, RESULTS, &results())?;
        run.predictions = run.read_predictions()?;
        run.kept = Kept::read(&run.path)?;
        Ok(run)
    }

    /// The same without its predictions, which may be large, and without verifying them. What it ended with beside them
    /// is verified.
    pub(crate) fn glance(path: &Path) -> Result<Self, ReportError> {
        let path = find(path)?;
        let (config_text, config) = toml_file(&path.join("config.toml"))?;
        let (lock_text, lock) = match path.join("run.lock") {
            lock if lock.exists() => toml_file(&lock)?,
            _ => Default::default(),
        };
        // What is being trained again has not ended yet.
        if !is_held(&path) {
            verify(&path, &lock, ENDED, &RECORD)?;
            check_lengths(&path, &lock)?;
        }
        let evaluation_json = json(&path.join("evaluation.json"))?.unwrap_or(Value::Null);
        let answer = json(&path.join("postprocess.json"))?.unwrap_or(Value::Null);
        Ok(Self {
            evaluation: reports(&path, &evaluation_json)?,
            history: History::read(&path.join("metrics.jsonl"))?,
            timing: lines(&path.join("timing.jsonl"))?,
            explanations: json(&path.join("explanations.json"))?,
            predictions: BTreeMap::new(),
            kept: Kept::default(),
            drift: None,
            path,
            config,
            config_text,
            lock,
            lock_text,
            evaluation_json,
            answer,
        })
    }

    /// The same with an answer of `/drift` that was saved in a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no such answer, or is about another run.
    pub fn with_drift(self, file: &Path) -> Result<Self, ReportError> {
        let drift = Drift::read(file, &self.path)?;
        Ok(Self {
            drift: Some(drift),
            ..self
        })
    }

    fn read_predictions(&self) -> Result<BTreeMap<String, Predictions>, ReportError> {
        let path = self.path.join("predictions.parquet");
        let mut found = BTreeMap::new();
        if !path.exists() {
            return Ok(found);
        }
        let classes = self.classes();
        for split in ["valid", "test"] {
            let read = predictions::read(&path, split, (&classes, self.task() == "multilabel"))?;
            found.extend(read.map(|read| (split.to_owned(), read)));
        }
        Ok(found)
    }

    /// What the run is called: the name of its configuration and its number.
    pub fn name(&self) -> String {
        let parts: Vec<_> = self.path.iter().rev().take(2).collect();
        let parts = parts.iter().rev().map(|part| part.to_string_lossy());
        parts.collect::<Vec<_>>().join("/")
    }

    /// The `type` of `[task]`.
    pub(crate) fn task(&self) -> &str {
        self.key("task.type")
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
    }

    /// The value of a key of the configuration, dotted from the top.
    pub(crate) fn key(&self, key: &str) -> Option<&toml::Value> {
        lookup(&self.config, key)
    }

    /// The value of a key of `run.lock`, dotted from the top.
    pub(crate) fn locked(&self, key: &str) -> Option<&toml::Value> {
        lookup(&self.lock, key)
    }

    /// The names of the classes or labels; none where the answer is a number or a text.
    pub(crate) fn classes(&self) -> Vec<String> {
        let classes = self.answer.get("classes").or(self.answer.get("labels"));
        let classes = classes.and_then(Value::as_array).into_iter().flatten();
        classes
            .filter_map(|class| Some(class.as_str()?.to_owned()))
            .collect()
    }

    /// Whether the run has ended, and its results are whole.
    pub fn is_finished(&self) -> bool {
        self.lock.contains_key("result_sha256")
    }

    /// The epoch and the step at which the training diverged, if it did and has not gone on since.
    pub(crate) fn diverged(&self) -> Option<(u64, u64)> {
        self.history.diverged().filter(|_| !self.is_finished())
    }

    /// The updates that the newest checkpoint knows of; `None` where there is none.
    pub(crate) fn saved(&self) -> Option<u64> {
        let entries = fs::read_dir(self.path.join("checkpoints")).into_iter();
        let names = entries.flatten().flatten().map(|entry| entry.file_name());
        let step = |name: std::ffi::OsString| name.to_str()?.strip_prefix("step-")?.parse().ok();
        names.filter_map(step).max()
    }

    /// The split that the verdict is about: that of the test, or the validation split where there is none.
    pub(crate) fn judged(&self) -> Option<(&str, &Report)> {
        let of = |split: &'static str| Some((split, self.evaluation.get(split)?));
        of("test").or_else(|| of("valid"))
    }
}

/// A key of a table, dotted from the top.
pub(crate) fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a toml::Value> {
    let mut parts = key.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// The folder of the run at `path`, or of the newest of the numbered runs in it.
pub(crate) fn find(path: &Path) -> Result<PathBuf, ReportError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let is_run = |path: &Path| path.join("config.toml").is_file();
    if is_run(&path) {
        return Ok(path);
    }
    let entries = fs::read_dir(&path)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    let newest = numbers
        .filter(|number| is_run(&path.join(number.to_string())))
        .max();
    match newest {
        Some(number) => Ok(path.join(number.to_string())),
        None if path.join("run.lock").is_file() => {
            Err(damaged(&path.join("config.toml"), NO_CONFIG))
        }
        None => Err(ReportError::NotARun(path)),
    }
}

const NO_CONFIG: &str = "it is gone; put it back: run.lock has its text, under the key config";

fn toml_file(path: &Path) -> Result<(String, Table), ReportError> {
    let text = text(path, LARGEST).map_err(|source| io("read", path, source))?;
    let table = text
        .parse()
        .map_err(|error: toml::de::Error| damaged(path, error.message()))?;
    Ok((text, table))
}

fn json(path: &Path) -> Result<Option<Value>, ReportError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = read(path, LARGEST).map_err(|source| io("read", path, source))?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| damaged(path, error))
}

/// The splits of `evaluation.json`: what has metrics. Other keys are for other readers.
fn reports(run: &Path, json: &Value) -> Result<BTreeMap<String, Report>, ReportError> {
    let entries = json.as_object().into_iter().flatten();
    let splits =
        entries.filter(|(_, value)| value.get("metrics").is_some() && value.get("n").is_some());
    let report = |(name, value): (&String, &Value)| {
        let report = serde_json::from_value(value.clone());
        let report = report.map_err(|error| damaged(&run.join("evaluation.json"), error))?;
        Ok((name.clone(), report))
    };
    splits.map(report).collect()
}

fn sha256(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    std::io::copy(&mut open(path)?, &mut hash)?;
    Ok(hash.finalize().into())
}

/// Whether a process trains the run: it holds the lock.
pub(crate) fn is_held(run: &Path) -> bool {
    let lock = open(&run.join(".lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Refuses a finished run whose configuration, record or evaluation is not what it was at its end.
///
/// # Errors
///
/// If there is no run, a file of those cannot be read, or it is another.
pub fn check_record(run: &Path) -> Result<(), ReportError> {
    let path = find(run)?;
    let lock = path.join("run.lock");
    match lock.exists() && !is_held(&path) {
        true => verify(&path, &toml_file(&lock)?.1, ENDED, &RECORD),
        false => Ok(()),
    }
}

/// Refuses a finished run of which a file was cut. One that is gone may have been too large to keep.
fn check_lengths(run: &Path, lock: &Table) -> Result<(), ReportError> {
    let known = lookup(lock, "result_bytes").and_then(toml::Value::as_table);
    for (name, bytes) in known.into_iter().flatten() {
        let path = run.join(name);
        let found = path.metadata().ok().map(|found| found.len());
        let bytes = bytes.as_integer().map(i64::unsigned_abs);
        if found.is_some_and(|found| bytes.is_some_and(|bytes| bytes != found)) {
            return Err(damaged(&path, "it is not as long as it was"));
        }
    }
    Ok(())
}

/// The tables of `run.lock` with the hashes of the results, and of what else is as it was at the end.
const RESULTS: &str = "result_sha256";
const ENDED: &str = "ended_sha256";
/// What else that is.
const RECORD: [&str; 3] = ["config.toml", "metrics.jsonl", "evaluation.json"];

/// The results that are read. Weights are not, and are not hashed.
fn results() -> Vec<&'static str> {
    let names = ["predictions.parquet", "postprocess.json", "preprocess.json"];
    names.into_iter().chain(KEPT).collect()
}

/// Refuses files that are not what the run wrote, by a table of `run.lock`.
fn verify(run: &Path, lock: &Table, table: &str, names: &[&str]) -> Result<(), ReportError> {
    let known = lookup(lock, table).and_then(toml::Value::as_table);
    for name in names {
        let Some(hash) = known.and_then(|known| known.get(*name)?.as_str()) else {
            continue;
        };
        let path = run.join(name);
        if !path.exists() {
            return Err(damaged(
                &path,
                "it is gone; `fireclay resume` of the run makes it again",
            ));
        }
        let bytes = lookup(lock, "result_bytes").and_then(|known| known.get(*name)?.as_integer());
        let is_as_long = |bytes: i64| {
            let found = path.metadata();
            found.is_ok_and(|found| found.len() == bytes.unsigned_abs())
        };
        // What has become longer, by terabytes perhaps, is not read.
        if !bytes.is_none_or(is_as_long) {
            return Err(damaged(&path, "it is not as long as it was"));
        }
        let found = sha256(&path).map_err(|source| io("read", &path, source))?;
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        if found != hash {
            return Err(damaged(&path, "it is not what the run wrote"));
        }
    }
    Ok(())
}
