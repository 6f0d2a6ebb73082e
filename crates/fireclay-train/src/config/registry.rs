//! What each table of a configuration can be. A new `type` is one line here.

use fireclay_data::TableFormat;
use fireclay_models::TabularConfig;

use super::run::DataConfig;
use super::section::{Variant, variant};
use super::task::TaskConfig;
use crate::optim::OptimizerConfig;
use crate::schedule::LrSchedulerConfig;

/// The tables, in the order in which they are written.
pub(super) const TABLES: &[&str] = &[
    "device",
    "data",
    "model",
    "task",
    "optimizer",
    "lr_scheduler",
    "train",
    "eval",
    "early_stopping",
    "checkpoint",
    "logging",
];

/// The tables that a run cannot do without.
pub(super) const REQUIRED: &[&str] = &["data", "model", "task", "train"];

pub(super) fn data() -> Vec<Variant<DataConfig>> {
    vec![
        variant("csv", |table| DataConfig {
            format: TableFormat::Csv,
            table,
        }),
        variant("jsonl", |table| DataConfig {
            format: TableFormat::Jsonl,
            table,
        }),
        variant("parquet", |table| DataConfig {
            format: TableFormat::Parquet,
            table,
        }),
    ]
}

pub(super) fn model() -> Vec<Variant<TabularConfig>> {
    vec![
        variant("linear", TabularConfig::Linear),
        variant("mlp", TabularConfig::Mlp),
    ]
}

pub(super) fn task() -> Vec<Variant<TaskConfig>> {
    vec![
        variant("classification", TaskConfig::Classification),
        variant("regression", TaskConfig::Regression),
    ]
}

pub(super) fn optimizer() -> Vec<Variant<OptimizerConfig>> {
    vec![
        variant("sgd", OptimizerConfig::Sgd),
        variant("adam", OptimizerConfig::Adam),
        variant("adamw", OptimizerConfig::AdamW),
        variant("rmsprop", OptimizerConfig::RmsProp),
        variant("adagrad", OptimizerConfig::Adagrad),
        variant("lion", OptimizerConfig::Lion),
        variant("muon", OptimizerConfig::Muon),
        variant("adafactor", OptimizerConfig::Adafactor),
    ]
}

pub(super) fn lr_scheduler() -> Vec<Variant<LrSchedulerConfig>> {
    vec![
        variant("constant", LrSchedulerConfig::Constant),
        variant("step", LrSchedulerConfig::Step),
        variant("multistep", LrSchedulerConfig::MultiStep),
        variant("exponential", LrSchedulerConfig::Exponential),
        variant("linear", LrSchedulerConfig::Linear),
        variant("cosine", LrSchedulerConfig::Cosine),
        variant("one_cycle", LrSchedulerConfig::OneCycle),
        variant("noam", LrSchedulerConfig::Noam),
        variant("reduce_on_plateau", LrSchedulerConfig::ReduceOnPlateau),
    ]
}
