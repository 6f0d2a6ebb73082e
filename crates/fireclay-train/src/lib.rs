//! Training on [Burn](https://burn.dev) by steps.
//!
//! One TOML file describes a run ([`config`]); this crate checks it, trains ([`strategy`]),
//! checkpoints and resumes to the bit ([`checkpoint`]), evaluates ([`fireclay_metrics`]) and predicts
//! ([`predict`]). The strategy is generic over any Burn `LearnerModel`, so a module of your own
//! gets the same from [`Trainer`].

pub mod config;

pub mod estimate;
pub mod run;
pub mod task;

pub mod strategy;

pub mod checkpoint;
pub mod cost;
pub mod ema;
pub mod gradients;
pub mod loader;
pub mod observer;
pub mod optim;
pub mod output;
pub mod record;
pub mod run_folder;
pub mod schedule;

pub mod export;
pub mod finished;
pub mod generate;
pub mod language;
pub mod predict;
pub mod predict_images;
pub mod predict_lines;
pub mod predictor;
pub mod translate;
pub mod translation;

mod adapters;
mod lanes;
mod lock;
mod parameters;
mod renderer;
mod weights;

pub use loader::Samples;
pub use output::StepOutput;
pub use run_folder::RunFolder;
pub use strategy::{Finished, Plan, Scorer, StopReason, Trainer, backward};
