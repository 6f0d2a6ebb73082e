//! What can only be checked once the data is known, before the first step.

use std::path::Path;

use burn::tensor::Device;
use fireclay_data::{Labels, batch_count};
use fireclay_metrics::conformal_least;
use fireclay_models::{EncoderConfig, Family};
use fireclay_train::TrainerConfig;

use super::shards;
use crate::config::{BatchSize, Mitigation, ModelConfig, RunConfig, TaskConfig};
use crate::fairness;
use crate::postprocess::{of_sets, steered};
use crate::pretrained::{self, Blanks};
use crate::source;
use crate::start::ModelTable;
use crate::task::{Target, Threshold};
use crate::workload::{Dataset, RunData, WithData, Workload, extra};

/// Everything in `config` that does not fit the data, as pairs of a key and a message; a model of
/// more than `most` parameters is taken for a mistake.
pub fn preflight(config: &RunConfig, data: &RunData, most: usize) -> Vec<(String, String)> {
    let (task, target) = (config.task.task(), data.dataset().target());
    let mut problems = Vec::new();
    if data.size("valid") == 0 {
        for (key, needs) in needs_validation(config) {
            let message = format!("{needs} needs a validation split, but data.split has none");
            problems.push((key.into(), message));
        }
    }
    if batch_size(config, data) == 1 && config.model.section().needs_two_samples {
        let message =
            "one row alone has no batch statistics; use at least 2, or another model.norm";
        problems.push(("train.batch_size".into(), message.into()));
    }
    problems.extend(task.validate_for(&target.classes));
    problems.extend(coverage(config, data.size("valid")));
    problems.extend(threshold(config, data.dataset()));
    problems.extend(monitors(config, &target));
    problems.extend(constant_target(config, data));
    problems.extend(pretrained(config));
    problems.extend(first_position(config, data.dataset()));
    problems.extend(data.with(Fits { config, most }));
    problems.extend(shards::check(config));
    let steps = total_steps(config, data);
    for (key, message) in config.lr_scheduler.validate(Some(steps)) {
        problems.push((format!("lr_scheduler.{key}"), message));
    }
    problems
}

/// What is to be said of groups and of a stated coverage before the training.
///
/// # Errors
///
/// What does not let groups be compared, as pairs of a key and a message.
pub(super) fn said(
    config: &RunConfig,
    data: &RunData,
) -> Result<Vec<String>, Vec<(String, String)>> {
    let train = extra(config, data.dataset(), 0);
    let labels = data.dataset().target().classes.len();
    let mut said = fairness::check(config, (&train, labels))?;
    let coverage = config.task.task().coverage();
    let steered = coverage.and_then(|_| steered(config));
    let notes = steered.into_iter().chain(of_sets(config));
    said.extend(notes.map(|note| format!("task.coverage: {note}")));
    Ok(said)
}

/// What is to be said of the parts of its batches.
pub(super) fn parts(config: &RunConfig, data: &RunData) -> Option<String> {
    shards::note(config, batch_size(config, data))
}

/// What is to be said of how long it trains.
pub(super) fn length(config: &RunConfig, data: &RunData) -> Option<String> {
    let early = config.early_stopping.as_ref()?;
    let trainer = TrainerConfig::from(config);
    let found = trainer.evaluations_before_end(batches(config, data));
    let keys = match (config.eval.every_steps, config.eval.every_epochs) {
        (Some(steps), _) => format!("eval.every_steps = {steps}"),
        (None, epochs) => format!("eval.every_epochs = {}", epochs.unwrap_or(1)),
    };
    (found <= early.patience).then(|| {
        format!(
            "early_stopping cannot stop this run: with early_stopping.patience = {} it stops after {} evaluations at the \
             earliest, and with {keys} there are {found} before the last update; lower the patience, or evaluate more often",
            early.patience,
            early.patience.saturating_add(1)
        )
    })
}

/// A threshold that the validation split cannot choose, because it has samples of one class alone.
fn threshold(config: &RunConfig, data: &dyn Dataset) -> Option<(String, String)> {
    let TaskConfig::Classification(task) = &config.task else {
        return None;
    };
    let classes = data.target().classes;
    let (Threshold::Tune, Some(Labels::Classes(found)), 2) =
        (task.threshold, data.labels(1), classes.len())
    else {
        return None;
    };
    let missing = (0u32..)
        .zip(&classes)
        .find(|(class, _)| !found.contains(class));
    let (_, name) = missing.filter(|_| !found.is_empty())?;
    let split = config.data.section().located().split;
    let advice = match split.is_some_and(|split| !split.stratify && split.column.is_none()) {
        true => "hold out more of them, or set data.split.stratify = true",
        false => "validate on samples of both classes",
    };
    let message = format!(
        "is \"tune\", but no validation sample is of the class {name:?}: {advice}, or give a number such as 0.5"
    );
    Some(("task.threshold".into(), message))
}

/// A coverage that so few validation rows cannot state.
fn coverage(config: &RunConfig, valid: usize) -> Option<(String, String)> {
    let coverage = config.task.task().coverage()?;
    let least = conformal_least(coverage);
    let message = || {
        format!(
            "is {coverage}, which takes {least} validation rows at least, and there are {valid}: hold out more of them, or state less"
        )
    };
    (valid > 0 && valid < least).then(|| ("task.coverage".to_owned(), message()))
}

/// Monitors of metrics that this target does not have.
fn monitors(config: &RunConfig, target: &Target) -> Vec<(String, String)> {
    let classes = target.classes.len();
    let metrics = config.task.task().metrics_of(target);
    let unknown = config
        .monitors()
        .filter_map(|(key, monitor)| Some((key, monitor.strip_prefix("valid/")?)))
        .filter(|(_, name)| *name != "loss" && !metrics.contains(name));
    let message = |name| match config.task.target_kind() {
        None => format!("is \"valid/{name}\", which these tokens do not have"),
        Some(_) => format!("is \"valid/{name}\", which {classes} classes do not have"),
    };
    unknown
        .map(|(key, name)| (key.into(), message(name)))
        .collect()
}

/// A number that is always the same cannot be learned.
fn constant_target(config: &RunConfig, data: &RunData) -> Option<(String, String)> {
    let number = data.dataset().constant_target()?;
    let message = format!("is {number} in every training sample; there is nothing to learn");
    Some((config.data.section().target_key().into(), message))
}

/// A file of weights that is not there, a folder without one, a run without weights.
fn pretrained(config: &RunConfig) -> Option<(String, String)> {
    let path = config.model.section().pretrained?;
    let message = source::check(Path::new(path)).err()?;
    Some(("model.pretrained".into(), message))
}

/// A table of positions that does not begin where `transformers` look: after the number of the token that fills texts
/// up, of which its own `config.json` says one for both.
fn first_position(config: &RunConfig, data: &dyn Dataset) -> Option<(String, String)> {
    let ModelConfig::Encoder(model) = &config.model else {
        return None;
    };
    let EncoderConfig::Roberta(model) = &model.network else {
        return None;
    };
    let ids = data.tokenizer()?.ids();
    let padding = usize::try_from(ids.get("pad_token_id")?.as_u64()?).ok()?;
    let (own, expected) = (model.first_position, padding.checked_add(1)?);
    let message = format!(
        "is {own}, but texts are filled up with token {padding}, after which RoBERTa counts positions: set {expected}"
    );
    (own != expected).then(|| ("model.first_position".to_owned(), message))
}

/// Whether the weights that the run starts from fit its model and its tokenizer, as pairs of a key and a
/// message; and what is to be said of them.
pub(super) fn weights(
    config: &RunConfig,
    data: &RunData,
    blanks: Blanks,
) -> Result<Vec<String>, Vec<(String, String)>> {
    let mut checked = Ok(Vec::new());
    blanks(&mut |device| {
        checked = data.with(WeightsFit {
            config,
            data,
            device,
        });
    });
    checked
}

struct WeightsFit<'a> {
    config: &'a RunConfig,
    data: &'a RunData,
    device: &'a Device,
}

impl WithData for WeightsFit<'_> {
    type Output = Result<Vec<String>, Vec<(String, String)>>;

    fn with<W: Workload>(self, data: &W::Data) -> Self::Output {
        let table = W::table(self.config);
        let checked = table.check_first(&W::shape(self.config, data), self.device);
        let unusable = |error: String| {
            (
                "model.pretrained".into(),
                format!("cannot be used: {error}"),
            )
        };
        let (report, said) = checked.map_err(|error| vec![unusable(error)])?;
        let (start, tokenizer) = (
            self.config.model.section().start,
            self.data.dataset().tokenizer(),
        );
        let problem =
            start.and_then(|start| pretrained::fits(self.config, start, tokenizer, &report));
        match problem {
            Some(problem) => Err(vec![problem]),
            None => Ok(said),
        }
    }
}

/// Checks that the model fits the data, and that it is not too large.
struct Fits<'a> {
    config: &'a RunConfig,
    most: usize,
}

impl WithData for Fits<'_> {
    type Output = Vec<(String, String)>;

    fn with<W: Workload>(self, data: &W::Data) -> Vec<(String, String)> {
        let mut problems = W::check_data(self.config, data);
        let family = W::table(self.config).family();
        problems.extend(fits(family, &W::shape(self.config, data), self.most));
        problems
    }
}

/// Everything in an architecture that does not fit the shape that the data determines, as (key, message);
/// it may have `most` weights.
pub fn fits<F: Family>(family: &F, shape: &F::Shape, most: usize) -> Vec<(String, String)> {
    let problems = family.validate_for(shape).into_iter();
    let mut problems: Vec<_> = problems
        .map(|(key, message)| (format!("model.{key}"), message))
        .collect();
    let weights = family.least_weights(shape);
    if weights > most {
        let message = format!("asks for {weights} parameters, but at most {most} are allowed");
        problems.push((format!("model.{}", family.size_key()), message));
    }
    problems
}

/// Parameters of the largest model that is trained: 40 GB of weights.
pub const LARGEST: usize = 10_000_000_000;

/// Updates in the whole run.
fn total_steps(config: &RunConfig, data: &RunData) -> u64 {
    TrainerConfig::from(config).total_steps(batches(config, data))
}

/// Micro-batches of an epoch.
fn batches(config: &RunConfig, data: &RunData) -> usize {
    batch_count(
        data.size("train"),
        batch_size(config, data),
        config.train.drop_last,
    )
}

/// The samples of a batch, or its groups of them.
pub(super) fn batch_size(config: &RunConfig, data: &RunData) -> usize {
    match config.batch_size() {
        BatchSize::Full => data.size("train").max(1),
        BatchSize::Samples(count) => count.get(),
        BatchSize::Auto => unreachable!("decided before"),
    }
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
    needs.extend(config.task.task().needs_validation());
    let fairness = config.fairness.as_ref();
    if fairness.is_some_and(|fairness| fairness.mitigation == Mitigation::Thresholds) {
        needs.push(("fairness.mitigation", "choosing thresholds by group"));
    }
    // Without evaluations there is no best checkpoint to keep; the last weights are chosen.
    needs
}
