//! Checks that need more than one table.

use fireclay_config::{Sections, did_you_mean, list};
use fireclay_data::{Packing, TextFormat, TokenizerKind};
use fireclay_metrics::{
    CAUSAL_LM_METRICS, CLASSIFICATION_METRICS, MASKED_LM_METRICS, MULTILABEL_METRICS,
    REGRESSION_METRICS, SEQ2SEQ_METRICS,
};
use fireclay_train::config::OnNonFinite;

use super::data::DataConfig;
use super::model::ModelConfig;
use super::run::RunConfig;
use super::task::{RegressionLoss, TaskConfig};
use super::values::Threshold;

/// Reports everything that does not go together.
pub(super) fn check(config: &RunConfig, sections: &mut Sections<'_>) {
    for (key, monitor) in monitors(config) {
        if let Err((message, help)) = check_monitor(monitor, &config.task) {
            sections.refuse(key, &message, Some(help));
        }
    }
    for (key, reason) in unread(config) {
        if sections.is_written(key) {
            sections.refuse(key, &format!("has no effect: {reason}"), None);
        }
    }
    let task = config.task.name();
    if !matches!(config.task, TaskConfig::Classification(_))
        && config.data.split().is_some_and(|split| split.stratify)
    {
        let message = format!("needs classes, but the task is {task}");
        sections.refuse("data.split.stratify", &message, None);
    }
    for (key, message) in families(config) {
        sections.refuse(key, &message, None);
    }
    for (key, message) in targets(config) {
        sections.refuse(&format!("data.{key}"), &message, None);
    }
}

/// Keys of [data] that do not go with what the task predicts.
fn targets(config: &RunConfig) -> Vec<(String, String)> {
    match (&config.data, config.task.target_kind()) {
        (DataConfig::Image(source), Some(kind)) => source.images.validate_for(source.format, kind),
        (DataConfig::TextTable(source), Some(kind)) => source.texts.validate_for(kind),
        _ => Vec::new(),
    }
}

/// Data, model and task that are not for the same kind of input.
fn families(config: &RunConfig) -> Vec<(&'static str, String)> {
    let (data, model) = (config.data.name(), config.model.name());
    let mut problems = Vec::new();
    let (looks_at, fits) = match (&config.model, &config.data) {
        (ModelConfig::Tabular(_), data) => ("tables", matches!(data, DataConfig::Table(_))),
        (ModelConfig::Image(_), data) => ("images", matches!(data, DataConfig::Image(_))),
        (ModelConfig::Language(_), data) => ("plain text", matches!(data, DataConfig::Text(_))),
        (ModelConfig::Encoder(_), data) => {
            let fits = matches!(data, DataConfig::TextTable(_) | DataConfig::Text(_));
            ("text", fits)
        }
        (ModelConfig::Translation(_), data) => {
            ("pairs of texts", matches!(data, DataConfig::Pairs(_)))
        }
    };
    if !fits {
        let message =
            format!("\"{model}\" looks at {looks_at}, but [data] has the type \"{data}\"");
        problems.push(("model.type", message));
    }
    let (needs, has) = match (&config.task, &config.data) {
        (TaskConfig::CausalLm(_) | TaskConfig::MaskedLm(_), data) => {
            ("text", matches!(data, DataConfig::Text(_)))
        }
        (TaskConfig::Seq2Seq(_), data) => ("pairs of texts", matches!(data, DataConfig::Pairs(_))),
        (_, data) => {
            let is_other = matches!(data, DataConfig::Text(_) | DataConfig::Pairs(_));
            ("labels", !is_other)
        }
    };
    if !has {
        let task = config.task.name();
        let message = format!("\"{task}\" needs {needs}, but [data] has the type \"{data}\"");
        problems.push(("task.type", message));
    }
    problems.extend(tokenizer(config));
    problems.extend(length(config));
    problems.extend(direction(config));
    problems.extend(packing(config));
    problems.extend(lora(config));
    if matches!(config.data, DataConfig::Table(_))
        && matches!(config.task, TaskConfig::Multilabel(_))
    {
        let message =
            format!("\"multilabel\" needs images or texts, but [data] has the type \"{data}\"");
        problems.push(("task.type", message));
    }
    problems
}

/// A model that cannot see what the task asks for, sees the answer, or has no head for it.
fn direction(config: &RunConfig) -> Option<(&'static str, String)> {
    let (model, task) = (config.model.name(), config.task.name());
    let needs = match (&config.model, &config.task) {
        (ModelConfig::Encoder(_), TaskConfig::CausalLm(_)) => "sees only what is before a token",
        (ModelConfig::Language(_), TaskConfig::MaskedLm(_)) => "sees both sides of a token",
        (ModelConfig::Encoder(model), TaskConfig::MaskedLm(_))
            if !model.network.has_token_head() =>
        {
            "says something of each token"
        }
        _ => return None,
    };
    let message = format!("\"{task}\" needs a model that {needs}, which \"{model}\" does not");
    Some(("task.type", message))
}

/// Rows of documents for a task that does not read them apart, or without what tells them apart.
fn packing(config: &RunConfig) -> Option<(&'static str, String)> {
    let DataConfig::Text(source) = &config.data else {
        return None;
    };
    if source.text.packing == Packing::Stream {
        return None;
    }
    let needs = match (&config.task, &config.tokenizer) {
        (TaskConfig::CausalLm(_), None) if source.format == TextFormat::Tokens => {
            "a table [tokenizer], whose token that ends a text tells documents apart"
        }
        (TaskConfig::CausalLm(_), _) => return None,
        _ => "the task \"causal_lm\"",
    };
    Some(("data.packing", format!("\"documents\" needs {needs}")))
}

/// Adapters of nothing that was learned.
fn lora(config: &RunConfig) -> Option<(&'static str, String)> {
    config.lora.as_ref()?;
    let model = config.model.name();
    match config.model.start() {
        None => Some(("lora", format!("has no layer to adapt in \"{model}\""))),
        Some(start) if start.pretrained.is_none() => {
            let message = "needs model.pretrained: beside random weights there is nothing to adapt";
            Some(("lora", message.to_owned()))
        }
        Some(_) => None,
    }
}

/// Texts that are longer than what the model looks at.
fn length(config: &RunConfig) -> Option<(&'static str, String)> {
    let (length, context, ends) = match (&config.model, &config.data) {
        (ModelConfig::Encoder(model), DataConfig::TextTable(source)) => {
            (source.texts.max_length?, model.network.context_length(), 0)
        }
        (ModelConfig::Translation(model), DataConfig::Pairs(source)) => {
            (source.pairs.max_length?, model.network.context_length(), 1)
        }
        _ => return None,
    };
    (length + ends > context).then(|| {
        let ends = if ends > 0 {
            ", and one of them ends the text"
        } else {
            ""
        };
        let message = format!("is {length}, but the model looks at {context} tokens{ends}");
        ("data.max_length", message)
    })
}

/// A tokenizer without a text, or the reverse.
fn tokenizer(config: &RunConfig) -> Option<(&'static str, String)> {
    match (&config.data, &config.tokenizer) {
        (_, None) if needs_tokenizer(config) => {
            let types = TokenizerKind::ALL.map(|kind| kind.name());
            let message = format!(
                "needs a table [tokenizer] that turns text into tokens; its `type` is {}",
                list(&types)
            );
            Some(("data.type", message))
        }
        (DataConfig::Table(_) | DataConfig::Image(_), Some(_)) => {
            let data = config.data.name();
            let message = format!("is for text, but [data] has the type \"{data}\"");
            Some(("tokenizer", message))
        }
        _ => None,
    }
}

/// Files of tokens come without, unless the run has to know which token hides others.
fn needs_tokenizer(config: &RunConfig) -> bool {
    let hides = matches!(config.task, TaskConfig::MaskedLm(_));
    match &config.data {
        DataConfig::Text(source) => hides || source.format != TextFormat::Tokens,
        DataConfig::TextTable(_) | DataConfig::Pairs(_) => true,
        DataConfig::Table(_) | DataConfig::Image(_) => false,
    }
}

/// The keys that this run would not read, with the reason. They are refused if they are written,
/// and not written by [`RunConfig::to_toml`].
pub(super) fn unread(config: &RunConfig) -> Vec<(&'static str, &'static str)> {
    let mut keys = Vec::new();
    if config.train.on_non_finite == OnNonFinite::Stop {
        keys.push((
            "train.max_skipped_batches",
            "it is read if on_non_finite is \"skip\"",
        ));
    }
    if !config.checkpoint.keep_best {
        keys.push(("checkpoint.monitor", "it is read if keep_best is true"));
    }
    match config.model.start() {
        None => keys.push(("train.layer_decay", "it is for models of images and text")),
        Some(start) if start.pretrained.is_none() => {
            let reason = "it is read if `pretrained` is given";
            keys.extend([
                ("model.allow_missing", reason),
                ("model.allow_unexpected", reason),
            ]);
        }
        Some(_) => {}
    }
    if config.lora.is_some() {
        keys.push(("model.freeze", "[lora] trains its adapters alone"));
    }
    if matches!(config.data, DataConfig::Pairs(_)) {
        let reason = "batches of pairs are counted in tokens: data.batch_tokens";
        keys.extend([("train.batch_size", reason), ("eval.batch_size", reason)]);
    }
    keys.extend(unread_of_tokenizer(config));
    match &config.task {
        TaskConfig::Classification(task) if task.threshold != Threshold::Tune => {
            keys.push(("task.tune_metric", "it is read if threshold is \"tune\""));
        }
        TaskConfig::Regression(task) if task.loss != RegressionLoss::Huber => {
            keys.push(("task.huber_delta", "it is read if loss is \"huber\""));
        }
        _ => {}
    }
    keys
}

fn unread_of_tokenizer(config: &RunConfig) -> Vec<(&'static str, &'static str)> {
    let training = "it is for tokenizers that are trained: bpe, wordpiece, unigram";
    match config.tokenizer.as_ref().map(|tokenizer| tokenizer.kind) {
        Some(TokenizerKind::Char | TokenizerKind::Byte | TokenizerKind::File) => vec![
            ("tokenizer.vocabulary_size", training),
            ("tokenizer.min_frequency", training),
            ("tokenizer.lowercase", training),
        ],
        Some(TokenizerKind::Unigram) => vec![(
            "tokenizer.min_frequency",
            "it is for tokenizers that join pairs: bpe, wordpiece",
        )],
        _ => Vec::new(),
    }
}

fn monitors(config: &RunConfig) -> Vec<(&'static str, &str)> {
    let mut monitors = Vec::new();
    if let Some(early) = &config.early_stopping {
        monitors.push(("early_stopping.monitor", early.monitor.as_str()));
    }
    if config.checkpoint.keep_best {
        monitors.push(("checkpoint.monitor", config.checkpoint.monitor.as_str()));
    }
    if let Some(monitor) = config.lr_scheduler.monitor() {
        monitors.push(("lr_scheduler.monitor", monitor));
    }
    monitors
}

/// Why a monitor cannot be watched, and what could.
fn check_monitor(monitor: &str, task: &TaskConfig) -> Result<(), (String, String)> {
    let metrics = match task {
        TaskConfig::Classification(_) => CLASSIFICATION_METRICS,
        TaskConfig::Multilabel(_) => MULTILABEL_METRICS,
        TaskConfig::Regression(_) => REGRESSION_METRICS,
        TaskConfig::CausalLm(_) => CAUSAL_LM_METRICS,
        TaskConfig::Seq2Seq(_) => SEQ2SEQ_METRICS,
        TaskConfig::MaskedLm(_) => MASKED_LM_METRICS,
    };
    let names: Vec<_> = ["loss"].iter().chain(metrics).copied().collect();
    let Some((split, name)) = monitor.split_once('/') else {
        let name = did_you_mean(monitor, names.iter().copied()).unwrap_or("loss");
        let message = format!("must be a split and a metric, but is \"{monitor}\"");
        return Err((message, format!("did you mean `valid/{name}`?")));
    };
    if !["train", "valid"].contains(&split) {
        let message = format!("must begin with train/ or valid/, but is \"{monitor}\"");
        return Err((message, format!("did you mean `valid/{name}`?")));
    }
    if split == "train" && name != "loss" {
        let message = format!("is \"{monitor}\", but the training rows are only given a loss");
        return Err((
            message,
            format!("did you mean `valid/{name}`, or `train/loss`?"),
        ));
    }
    if !names.contains(&name) {
        let message = format!("is \"{monitor}\", but a {} has no such metric", task.name());
        let help = match did_you_mean(name, names.iter().copied()) {
            Some(close) => format!("did you mean `{split}/{close}`?"),
            None => format!("the metrics are {}", list(&names)),
        };
        return Err((message, help));
    }
    Ok(())
}
