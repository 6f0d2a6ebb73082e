//! Training on [Burn](https://burn.dev) by steps: the loop for any Burn `LearnerModel`.
//!
//! A [`Trainer`] takes a module of your own, [`Samples`] and a [`TrainerConfig`]. It trains ([`strategy`]),
//! evaluates, checkpoints and resumes to the bit ([`checkpoint`]), in a [`RunFolder`].
#![forbid(unsafe_code)]

pub mod config;

pub mod strategy;

pub mod checkpoint;
pub mod cluster;
pub mod cost;
pub mod energy;
pub mod files;
pub mod gradients;
pub mod loader;
pub mod observer;
pub mod optim;
pub mod output;
pub mod parameters;
pub mod run_folder;
pub mod schedule;
pub mod scratch;
pub mod weights;
pub mod workers;

mod ema;
mod position;
mod record;
mod registry;
mod renderer;

pub use loader::Samples;
pub use observer::StopReason;
pub use output::StepOutput;
pub use run_folder::RunFolder;
pub use strategy::{Finished, Scorer, Trainer, TrainerConfig, backward, backward_of};
