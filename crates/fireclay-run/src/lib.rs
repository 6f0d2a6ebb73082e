//! Runs: one TOML file describes a run ([`config`]). This crate reads the file, trains ([`Prepared`]), and
//! opens the finished run ([`open`], [`Run`]). A [`workload`] ties data to a family of models; a [`task`]
//! is what the model is trained for. The loop itself is in `fireclay-train`.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use burn::tensor::Device;
//! use fireclay_run::{On, open};
//!
//! let run = open(Path::new("runs/iris/1"), &Device::flex())?;
//! let test = run.evaluate(On::Split(2))?;
//! println!("accuracy {}", test.report.metrics["accuracy"]);
//! # Ok::<(), fireclay_run::RunError>(())
//! ```
#![forbid(unsafe_code)]

pub mod answer;
pub mod config;
pub mod export;
pub mod generate;
pub mod run;
pub mod start;
pub mod task;
pub mod translate;
pub mod workload;

mod adapters;
mod artifacts;
mod breakdown;
mod changes;
mod device;
mod edited;
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
mod read;
mod results;
mod samples;
mod seed;
mod shuffled;
mod snapshot;
mod source;
mod unfinished;

pub use artifacts::{FinishedError, Open};
pub use device::RunDevice;
pub use finished::{Finished, finished};
pub use fireclay_train::strategy::At;
pub use folds::{Folds, Spread};
pub use predict::{IMAGES, TOP, answer_columns, image_columns};
pub use predictor::Differentiable;
pub use prepared::{
    Hooks, LARGEST, Outcome, Planner, Prepared, fits, open, open_at, preflight, shards,
};
pub use read::{keys, load_run, load_run_at, load_run_with, schema};
pub use run::{
    Answered, Evaluations, InputColumn, InputKind, InputSchema, Observations, Observed, On,
    OnError, Part, Parts, PredictJob, Reading, Run, RunError, SPLITS, Taken, locate,
};
pub use seed::{drawn_split, other_split};
pub use unfinished::{FoldRun, Unfinished, fold_run, unfinished};
pub use workload::RunData;
