//! What each table of a configuration can be. A new `type` is one line here.

use fireclay_config::Grammar;
use fireclay_models::LoraConfig;
use fireclay_train::config::{
    CheckpointConfig, ClusterConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig, TrainConfig,
};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::schedule::LrSchedulerConfig;

use super::top::TopLevel;
use crate::config::{
    DataConfig, DeviceConfig, FairnessConfig, ModelConfig, ReportConfig, TokenizerSource,
};
use crate::task::TaskConfig;

/// Names that stand for others in `[optimizer]`: what other frameworks call these keys.
const ALIASES: &[(&str, &str)] = &[
    ("lr", "learning_rate"),
    ("eps", "epsilon"),
    ("lr_decay", "learning_rate_decay"),
    ("initial_accumulator_value", "initial_accumulator"),
];

/// The tables, in the order in which they are written.
pub(super) fn grammar() -> Grammar {
    Grammar::new::<TopLevel>()
        .plain::<DeviceConfig>("device")
        .tagged("data", &DataConfig::variants())
        .tagged("tokenizer", &TokenizerSource::variants())
        .tagged("model", &ModelConfig::variants())
        .plain::<LoraConfig>("lora")
        .tagged("task", &TaskConfig::variants())
        .plain::<FairnessConfig>("fairness")
        .tagged("optimizer", &OptimizerConfig::variants())
        .tagged("lr_scheduler", &LrSchedulerConfig::variants())
        .plain::<TrainConfig>("train")
        .plain::<ClusterConfig>("cluster")
        .plain::<EvalConfig>("eval")
        .plain::<EarlyStoppingConfig>("early_stopping")
        .plain::<CheckpointConfig>("checkpoint")
        .plain::<LoggingConfig>("logging")
        .plain::<ReportConfig>("report")
        .required(&["data", "model", "task", "train"])
        .aliases("optimizer", ALIASES)
        .exclusive("every_steps", "every_epochs")
}
