//! What can only be checked once the data is known, before the first step.

use std::path::Path;

use fireclay_data::{Labels, batch_count};
use fireclay_models::Family;
use fireclay_models::pretrained::weights_file;

use super::data::RunData;
use super::masked::{self, masking};
use super::{causal, shape, shards, translated};
use crate::config::{
    BatchSize, ClassWeights, ClassificationConfig, DataConfig, ModelConfig, RunConfig, TaskConfig,
    Threshold,
};
use crate::metrics::{
    CAUSAL_LM_METRICS, MASKED_LM_METRICS, MULTILABEL_METRICS, REGRESSION_METRICS, SEQ2SEQ_METRICS,
    classification_metrics,
};
use crate::strategy::Plan;

/// Everything in `config` that does not fit the data, as pairs of a key and a message; a model of
/// more than `most` parameters is taken for a mistake.
pub fn preflight(config: &RunConfig, data: &RunData, most: usize) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    if data.size("valid") == 0 {
        for (key, needs) in needs_validation(config) {
            let message = format!("{needs} needs a validation split, but data.split has none");
            problems.push((key.into(), message));
        }
    }
    if batch_size(config, data) == 1 && has_batch_norm(&config.model) {
        let message =
            "one row alone has no batch statistics; use at least 2, or another model.norm";
        problems.push(("train.batch_size".into(), message.into()));
    }
    if let TaskConfig::Classification(task) = &config.task {
        let classes = data.classes();
        if task.threshold != ClassificationConfig::default().threshold && classes.len() != 2 {
            let count = classes.len();
            let message = format!("a threshold needs two classes, but the target has {count}");
            problems.push(("task.threshold".into(), message));
        }
        problems.extend(class_weights(&task.class_weights, classes));
    }
    problems.extend(monitors(config, data));
    problems.extend(target(config, data));
    problems.extend(pretrained(config));
    problems.extend(masking(config, data).err());
    problems.extend(model(config, data, most));
    problems.extend(shards::check(config));
    let steps = total_steps(config, data);
    for (key, message) in config.lr_scheduler.validate(Some(steps)) {
        problems.push((format!("lr_scheduler.{key}"), message));
    }
    problems
}

/// Monitors of metrics that these classes do not have.
fn monitors(config: &RunConfig, data: &RunData) -> Vec<(String, String)> {
    let classes = data.classes().len();
    let metrics = match &config.task {
        TaskConfig::Classification(_) => classification_metrics(classes),
        TaskConfig::Multilabel(_) => MULTILABEL_METRICS.to_vec(),
        TaskConfig::Regression(_) => REGRESSION_METRICS.to_vec(),
        TaskConfig::CausalLm(_) => causal_lm_metrics(data),
        TaskConfig::Seq2Seq(_) => SEQ2SEQ_METRICS.to_vec(),
        TaskConfig::MaskedLm(_) => MASKED_LM_METRICS.to_vec(),
    };
    let early = config
        .early_stopping
        .as_ref()
        .map(|early| early.monitor.as_str());
    let best = config
        .checkpoint
        .keep_best
        .then_some(config.checkpoint.monitor.as_str());
    [
        ("early_stopping.monitor", early),
        ("checkpoint.monitor", best),
        ("lr_scheduler.monitor", config.lr_scheduler.monitor()),
    ]
    .into_iter()
    .filter_map(|(key, monitor)| Some((key, monitor?.strip_prefix("valid/")?)))
    .filter(|(_, name)| *name != "loss" && !metrics.contains(name))
    .map(|(key, name)| {
        (
            key.into(),
            match data {
                RunData::Text(_) => format!("is \"valid/{name}\", which these tokens do not have"),
                _ => format!("is \"valid/{name}\", which {classes} classes do not have"),
            },
        )
    })
    .collect()
}

/// How many bytes of text files of tokens stand for is not known.
fn causal_lm_metrics(data: &RunData) -> Vec<&'static str> {
    let names = CAUSAL_LM_METRICS.iter().copied();
    let RunData::Text(data) = data else {
        return names.collect();
    };
    let has_bytes = data.valid.as_ref().is_some_and(|split| split.bytes() > 0);
    names
        .filter(|name| has_bytes || *name != "bits_per_byte")
        .collect()
}

/// A number that is always the same cannot be learned.
fn target(config: &RunConfig, data: &RunData) -> Option<(String, String)> {
    let Labels::Numbers(numbers) = data.train_labels()? else {
        return None;
    };
    let first = numbers.first()?;
    let message = format!("is {first} in every training sample; there is nothing to learn");
    let key = match &config.data {
        DataConfig::Image(source) if source.images.target.is_none() => "data",
        _ => "data.target",
    };
    numbers
        .iter()
        .all(|number| number == first)
        .then(|| (key.into(), message))
}

/// A file of weights that is not there, or a folder without one.
fn pretrained(config: &RunConfig) -> Option<(String, String)> {
    let path = config.model.start()?.pretrained.as_ref()?;
    let message = match weights_file(Path::new(path)) {
        Ok(path) => {
            let error = std::fs::File::open(&path).err()?;
            let path = std::path::absolute(&path).unwrap_or(path);
            format!("cannot be read: {}: {error}", path.display())
        }
        Err(error) => format!("cannot be used: {error}"),
    };
    Some(("model.pretrained".into(), message))
}

/// A model that does not fit what the data determines of it, or no machine.
fn model(config: &RunConfig, data: &RunData, most: usize) -> Vec<(String, String)> {
    match (&config.model, data) {
        (ModelConfig::Tabular(family), RunData::Table(data)) => {
            let key = format!("model.{}", family.size_key());
            fits(family, &shape::table(data), (&key, most))
        }
        (ModelConfig::Image(model), RunData::Image(data)) => {
            fits(&model.network, &shape::images(data), ("model.type", most))
        }
        (ModelConfig::Language(model), RunData::Text(data)) => {
            fits(&model.network, &causal::shape(data), ("model.type", most))
        }
        (ModelConfig::Translation(model), RunData::Pairs(data)) => fits(
            &model.network,
            &translated::shape(data),
            ("model.type", most),
        ),
        (ModelConfig::Encoder(model), RunData::Text(data)) => {
            fits(&model.network, &masked::shape(data), ("model.type", most))
        }
        (ModelConfig::Encoder(model), RunData::TextTable(data)) => {
            fits(&model.network, &shape::texts(data), ("model.type", most))
        }
        _ => Vec::new(),
    }
}

/// The size is told at a key, and may be `most`.
pub(crate) fn fits<F: Family>(
    family: &F,
    shape: &F::Shape,
    (size, most): (&str, usize),
) -> Vec<(String, String)> {
    let problems = family.validate_for(shape).into_iter();
    let mut problems: Vec<_> = problems
        .map(|(key, message)| (format!("model.{key}"), message))
        .collect();
    let weights = family.least_weights(shape);
    if weights > most {
        let message = format!("asks for {weights} parameters, but at most {most} are allowed");
        problems.push((size.into(), message));
    }
    problems
}

/// Parameters of the largest model that is trained: 40 GB of weights.
pub const LARGEST: usize = 10_000_000_000;

/// Weights that are not for the classes of the data.
fn class_weights(weights: &ClassWeights, classes: &[String]) -> Vec<(String, String)> {
    match weights {
        ClassWeights::None | ClassWeights::Balanced => Vec::new(),
        ClassWeights::ByName(weights) => {
            let unknown = weights.keys().filter(|name| !classes.contains(name));
            let message = |name| format!("{name:?} is no class; the target has {classes:?}");
            unknown
                .map(|name| (format!("task.class_weights.{name}"), message(name)))
                .collect()
        }
    }
}

/// Updates in the whole run.
fn total_steps(config: &RunConfig, data: &RunData) -> u64 {
    let batches = batch_count(
        data.size("train"),
        batch_size(config, data),
        config.train.drop_last,
    );
    Plan::from(config).total_steps(batches)
}

/// The samples of a batch, or its groups of them.
pub(super) fn batch_size(config: &RunConfig, data: &RunData) -> usize {
    match config.batch_size() {
        BatchSize::Full => data.size("train").max(1),
        BatchSize::Samples(count) => count.get(),
        BatchSize::Auto => unreachable!("decided before"),
    }
}

/// The maps of an image have many values to a channel, even those of one sample.
fn has_batch_norm(model: &ModelConfig) -> bool {
    matches!(model, ModelConfig::Tabular(model) if model.has_batch_norm())
}

fn needs_validation(config: &RunConfig) -> Vec<(&'static str, &'static str)> {
    let mut needs = Vec::new();
    if config
        .early_stopping
        .as_ref()
        .is_some_and(|early| early.monitor.starts_with("valid/"))
    {
        needs.push(("early_stopping", "early stopping"));
    }
    if config
        .lr_scheduler
        .monitor()
        .is_some_and(|monitor| monitor.starts_with("valid/"))
    {
        needs.push(("lr_scheduler", "a schedule that waits for a plateau"));
    }
    if let TaskConfig::Classification(task) = &config.task
        && task.threshold == Threshold::Tune
    {
        needs.push(("task.threshold", "tuning the threshold"));
    }
    // Without evaluations there is no best checkpoint to keep; the last weights are chosen.
    needs
}
