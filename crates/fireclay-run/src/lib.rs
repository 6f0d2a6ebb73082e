//! Runs of a configuration: one TOML file describes a run ([`config`]); this crate checks it, trains
//! and evaluates ([`run`]), and answers with what came of it ([`finished`], [`predict`],
//! [`generate`], [`translate`]). The loop itself is `fireclay-train`'s.

pub mod config;

pub mod device;
pub mod run;
pub mod task;

pub mod artifacts;
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
mod lock;
