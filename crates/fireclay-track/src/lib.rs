//! Follows a run's folder and tells other tools about it: TensorBoard, a CSV file, MLflow.
//!
//! The folder itself is the queue. A training appends every metric to `metrics.jsonl` whether or not
//! anybody follows. A [`Tracker`] reads what is new there, on a thread of its own, so it never slows a step,
//! and a server that is away loses nothing. A finished run can be followed as well: everything is new then.
#![forbid(unsafe_code)]

mod csv;
mod error;
mod follow;
mod mlflow;
mod run;
mod tensorboard;
mod tracker;
mod tracking;

pub use csv::Csv;
pub use error::TrackError;
pub use follow::{Follower, Record};
pub use mlflow::Mlflow;
pub use run::Run;
pub use tensorboard::TensorBoard;
pub use tracker::{Ending, Tracker};
pub use tracking::{Tracking, send};
