//! Run folders for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use fireclay_metrics::{
    Classification, Report, classification_baseline, classification_report, regression_report,
};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A class whose name is markup.
pub const EVIL: &str = "<script>alert('x')</script>\"&";

/// Samples of each split.
pub const SAMPLES: usize = 60;

/// A folder of runs.
pub struct Runs {
    pub root: TempDir,
}

impl Runs {
    pub fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The files of a run, for the task `kind`, before it has results.
    pub fn begun(&self, name: &str, kind: &str, learning_rate: f64) -> PathBuf {
        let path = self.root.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        let config = format!(
            "seed = 7\n[data]\ntype = \"csv\"\npath = \"{}\"\n[model]\ntype = \"mlp\"\ndropout = 0.1\n[task]\ntype = \"{kind}\"\n\
             [optimizer]\nlearning_rate = {learning_rate}\n[train]\nepochs = 6\n[checkpoint]\nkeep_best = true\nmonitor = \"valid/loss\"\n",
            "data <b>.csv"
        );
        write(&path, "config.toml", &config);
        let lock = "version = \"0.1.0\"\nbackend = \"flex\"\n[data_sha256]\n\"0-data.csv\" = \"ab\"\n[rows]\ntrain = 100\nvalid = 60\ntest = 60\n[cost]\nseconds = 2.5\ncompute_seconds = 1.5\nsteps = 60\nsamples = 600\n";
        write(&path, "run.lock", lock);
        let losses = [0.9, 0.6, 0.5, 0.55, 0.7, 0.9];
        let line = |(index, loss): (usize, &f64)| {
            let (step, epoch) = (10 * (index + 1), index + 1);
            let train = json!({ "step": step, "epoch": epoch, "split": "train", "epoch_loss": 0.8 / epoch as f64 });
            let valid = json!({ "step": step, "epoch": epoch, "split": "valid", "loss": loss });
            format!("{train}\n{valid}\n")
        };
        write(
            &path,
            "metrics.jsonl",
            &losses.iter().enumerate().map(line).collect::<String>(),
        );
        path
    }

    /// A finished classifier; every `wrong`-th sample of it is, and all of the group "b".
    pub fn classifier(&self, name: &str, wrong: usize) -> PathBuf {
        let path = self.begun(name, "classification", 0.1 / wrong as f64);
        let made = Classified::new(wrong);
        finish(
            &path,
            &made.report(),
            &made.columns(),
            &json!({ "task": "classification", "classes": made.classes, "threshold": 0.5, "counts": [60, 40] }),
        );
        path
    }

    /// A finished regression whose predictions are off by up to `off`.
    pub fn regression(&self, name: &str, off: f64) -> PathBuf {
        let path = self.begun(name, "regression", off);
        let truth: Vec<f64> = (0..SAMPLES).map(|row| row as f64).collect();
        let predicted: Vec<f64> = truth
            .iter()
            .map(|t| t + off * (0.37 * t * t).sin())
            .collect();
        let report = regression_report(&truth, &predicted, Some(7));
        let columns = [
            ("row".to_owned(), rows()),
            ("truth".into(), numbers(truth.iter().copied())),
            ("prediction".into(), numbers(predicted.iter().copied())),
        ];
        finish(
            &path,
            &report,
            &columns,
            &json!({ "task": "regression", "mean": 30.0, "std": 17.0 }),
        );
        path
    }
}

/// What a classifier of two classes answers.
struct Classified {
    classes: [String; 2],
    truth: Vec<u32>,
    predicted: Vec<u32>,
    probabilities: Vec<f64>,
}

impl Classified {
    fn new(wrong: usize) -> Self {
        let truth: Vec<u32> = (0..SAMPLES).map(|row| (row % 2) as u32).collect();
        let is_wrong = |row: usize| row % wrong == 1 || group(row) == "b";
        let answer = |row: usize| match is_wrong(row) {
            true => 1 - truth[row],
            false => truth[row],
        };
        let predicted: Vec<u32> = (0..SAMPLES).map(answer).collect();
        let sure = |row: usize| 0.6 + 0.39 * (row as f64 / SAMPLES as f64);
        let probability = |row: usize| match predicted[row] {
            1 => sure(row),
            _ => 1.0 - sure(row),
        };
        let probabilities = (0..SAMPLES)
            .flat_map(|row| [1.0 - probability(row), probability(row)])
            .collect();
        Self {
            classes: ["plain", EVIL].map(String::from),
            truth,
            predicted,
            probabilities,
        }
    }

    fn report(&self) -> Report {
        let answers = Classification::new(2, &self.truth, &self.probabilities);
        let baseline = classification_baseline(&self.truth, &[60, 40], 1);
        Report {
            baseline: baseline.map(|(_, metrics)| fireclay_metrics::Baseline {
                answer: "always \"plain\"".into(),
                metrics,
            }),
            classes: Some(self.classes.to_vec()),
            positive: Some(EVIL.into()),
            ..classification_report(&answers, Some(7))
        }
    }

    fn columns(&self) -> [(String, ArrayRef); 6] {
        let names =
            |of: &[u32]| texts(of.iter().map(|class| self.classes[*class as usize].clone()));
        let of_class =
            |class: usize| numbers(self.probabilities.iter().skip(class).step_by(2).copied());
        [
            ("row".to_owned(), rows()),
            ("truth".into(), names(&self.truth)),
            ("prediction".into(), names(&self.predicted)),
            ("probability_plain".into(), of_class(0)),
            (format!("probability_{EVIL}"), of_class(1)),
            (
                "group<i>".into(),
                texts((0..SAMPLES).map(|row| group(row).to_owned())),
            ),
        ]
    }
}

/// Every sixth sample is of the small group.
fn group(row: usize) -> &'static str {
    match row.is_multiple_of(6) {
        true => "b",
        false => "a",
    }
}

fn rows() -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(1..=SAMPLES as u64))
}

fn texts(cells: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(cells))
}

fn numbers(cells: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(cells))
}

/// Both splits have the same samples, which is enough for a test.
fn finish(path: &Path, report: &Report, columns: &[(String, ArrayRef)], answer: &Value) {
    write(
        path,
        "evaluation.json",
        &json!({ "test": report, "valid": report }).to_string(),
    );
    write(path, "postprocess.json", &answer.to_string());
    let batch = |split: &str| {
        let splits = (
            "split".to_owned(),
            texts((0..SAMPLES).map(|_| split.to_owned())),
        );
        let all = std::iter::once(splits).chain(columns.iter().cloned());
        RecordBatch::try_from_iter(all).expect("columns")
    };
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch("test").schema(), None).expect("a writer");
    for split in ["valid", "test"] {
        writer.write(&batch(split)).expect("written");
    }
    writer.close().expect("closed");
    fs::write(path.join("predictions.parquet"), &bytes).expect("written");
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let lock = fs::read_to_string(path.join("run.lock")).expect("read");
    write(
        path,
        "run.lock",
        &format!("{lock}[result_sha256]\n\"predictions.parquet\" = \"{hash}\"\n"),
    );
}

fn write(path: &Path, name: &str, text: &str) {
    fs::write(path.join(name), text).expect("written");
}
