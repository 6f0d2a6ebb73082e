//! Every table of a configuration, each by itself.

use fireclay_config::{Invalid, Sections};
use fireclay_models::LoraConfig;
use fireclay_train::config::{
    CheckpointConfig, ClusterConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig, TrainConfig,
};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::schedule::LrSchedulerConfig;
use serde::de::DeserializeOwned;

use super::top::TopLevel;
use crate::config::{
    DataConfig, DeviceConfig, FairnessConfig, ModelConfig, ReportConfig, RunConfig, TokenizerSource,
};
use crate::task::TaskConfig;

/// Reads all tables before it gives up, so that every problem is found.
pub(super) fn read(sections: &mut Sections<'_>) -> Option<RunConfig> {
    let top = sections.top::<TopLevel>();
    let device = sections.plain("device", some(), DeviceConfig::validate);
    let data = data(sections);
    let tokenizer = tokenizer(sections);
    let model = model(sections);
    let lora = optional(sections, "lora", LoraConfig::validate);
    let task = task(sections);
    let fairness = optional(sections, "fairness", FairnessConfig::validate);
    let optimizer = optimizer(sections);
    let train = sections.plain("train", None, TrainConfig::validate);
    let lr_scheduler = lr_scheduler(sections, train.as_ref());
    let cluster = optional(sections, "cluster", ClusterConfig::validate);
    let eval = sections.plain("eval", some(), EvalConfig::validate);
    let early_stopping = optional(sections, "early_stopping", EarlyStoppingConfig::validate);
    let checkpoint = sections.plain("checkpoint", some(), CheckpointConfig::validate);
    let logging = sections.plain("logging", some(), LoggingConfig::validate);
    let report = optional(sections, "report", ReportConfig::validate);
    let TopLevel { seed, output_dir } = top?;
    Some(RunConfig {
        seed,
        output_dir,
        device: device?,
        data: data?,
        tokenizer: tokenizer?,
        model: model?,
        lora: lora?,
        task: task?,
        fairness: fairness?,
        optimizer: optimizer?,
        lr_scheduler: lr_scheduler?,
        train: train?,
        cluster: cluster?,
        eval: eval?,
        early_stopping: early_stopping?,
        checkpoint: checkpoint?,
        logging: logging?,
        report: report?,
    })
}

fn data(sections: &mut Sections<'_>) -> Option<DataConfig> {
    sections.tagged("data", &DataConfig::variants(), None, |data| {
        data.section().validate()
    })
}

fn tokenizer(sections: &mut Sections<'_>) -> Option<Option<TokenizerSource>> {
    sections.optional("tokenizer", |sections, name| {
        let kinds = TokenizerSource::variants();
        sections.tagged(name, &kinds, None, TokenizerSource::validate)
    })
}

fn model(sections: &mut Sections<'_>) -> Option<ModelConfig> {
    let models = ModelConfig::variants();
    sections.tagged("model", &models, None, ModelConfig::validate)
}

fn task(sections: &mut Sections<'_>) -> Option<TaskConfig> {
    sections.tagged("task", &TaskConfig::variants(), None, |task| {
        task.task().validate()
    })
}

fn optimizer(sections: &mut Sections<'_>) -> Option<OptimizerConfig> {
    let (optimizers, usual) = (OptimizerConfig::variants(), OptimizerConfig::default());
    let check = OptimizerConfig::validate;
    sections.usually("optimizer", &optimizers, usual.name(), check)
}

/// Checked against the number of steps, where `[train]` says one.
fn lr_scheduler(
    sections: &mut Sections<'_>,
    train: Option<&TrainConfig>,
) -> Option<LrSchedulerConfig> {
    let steps = train.and_then(|train| train.max_steps);
    let (schedules, usual) = (LrSchedulerConfig::variants(), LrSchedulerConfig::default());
    let check = |schedule: &LrSchedulerConfig| schedule.validate(steps);
    sections.usually("lr_scheduler", &schedules, usual.name(), check)
}

/// A table that a run can do without.
fn optional<T: DeserializeOwned>(
    sections: &mut Sections<'_>,
    name: &str,
    validate: impl Fn(&T) -> Invalid,
) -> Option<Option<T>> {
    sections.optional(name, |sections, name| sections.plain(name, None, validate))
}

/// The default of a table that may be left out.
fn some<T: Default>() -> Option<T> {
    Some(T::default())
}
