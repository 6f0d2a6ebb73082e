//! Runs: one TOML file describes a run ([`config`]). This crate reads the file, trains ([`Prepared`]), and
//! opens the finished run ([`open`], [`Run`]). A [`workload`] ties data to a family of models; a [`task`]
//! is what the model is trained for. The loop itself is in `fireclay-train`.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use fireclay_run::{Device, On, Raw, TableFormat, open};
//!
//! let run = open(Path::new("runs/iris/1"), &Device::flex())?;
//! let flower = r#"{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}"#;
//! let answers = run.ask(Raw::Rows(flower.as_bytes(), TableFormat::Jsonl))?;
//! println!("{}", answers.to_json());
//! let test = run.evaluate(On::Split(2))?;
//! println!("accuracy {}", test.report.metrics["accuracy"]);
//! # Ok::<(), fireclay_run::RunError>(())
//! ```
#![forbid(unsafe_code)]

pub mod answer;
pub mod chat;
pub mod config;
pub mod export;
pub mod generate;
pub mod questions;
pub mod run;
pub mod start;
pub mod task;
pub mod translate;
pub mod workload;

mod adapters;
mod artifacts;
mod beside;
mod breakdown;
mod changes;
mod device;
mod edited;
mod embedding;
mod fairness;
mod finished;
mod folds;
mod following;
mod language;
mod lock;
mod postprocess;
mod predict;
mod predictor;
mod prepared;
mod pretrained;
mod published;
mod read;
mod reference;
mod results;
mod samples;
mod seed;
mod shuffled;
mod snapshot;
mod source;
mod unfinished;

pub use artifacts::{FinishedError, Open};
pub use burn::tensor::Device;
pub use device::RunDevice;
pub use finished::{Finished, finished};
pub use fireclay_data::{TableFormat, arrow};
pub use fireclay_train::run_folder::newest;
pub use fireclay_train::strategy::At;
pub use folds::{Folds, Spread};
pub use predict::{
    IMAGES, Raw, Replies, TOP, answer_columns, image_columns, is_standard_output, predict_split,
};
pub use predictor::Differentiable;
pub use prepared::{
    Hooks, LARGEST, Outcome, Planner, Prepared, fits, is_run, load_model, open, open_at, preflight,
    shards,
};
pub use read::{keys, load_run, load_run_at, load_run_with, schema};
pub use run::{
    Answered, Evaluations, InputColumn, InputKind, InputSchema, Observations, Observed, On,
    OnError, OnSplit, Part, Parts, PredictJob, Reading, Run, RunError, SPLITS, Taken, TextWindows,
    Told, locate,
};
pub use seed::{drawn_split, other_split};
pub use unfinished::{FoldRun, Unfinished, fold_run, unfinished};
pub use workload::RunData;
