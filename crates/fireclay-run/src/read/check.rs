//! Checks that need more than one table.

use fireclay_config::{Sections, did_you_mean, list};
use fireclay_data::{TargetKind, TokenizerKind};
use fireclay_models::MOST_CONTEXT;
use fireclay_train::config::OnNonFinite;

use crate::config::{FairnessConfig, Mitigation, NeedsTokenizer, RunConfig};
use crate::fairness;
use crate::task::TaskConfig;
use crate::workload::facts;

/// Reports everything that does not go together.
pub(super) fn check(config: &RunConfig, sections: &mut Sections<'_>) {
    for (key, monitor) in config.monitors() {
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
    if config.task.target_kind() != Some(TargetKind::Class)
        && config
            .data
            .section()
            .located()
            .split
            .is_some_and(|split| split.stratify)
    {
        let message = format!("needs classes, but the task is {task}");
        sections.refuse("data.split.stratify", &message, None);
    }
    for (key, message) in kinds(config) {
        sections.refuse(key, &message, None);
    }
    for (key, message) in targets(config) {
        sections.refuse(&format!("data.{key}"), &message, None);
    }
    for (key, message) in groups(config) {
        sections.refuse(key, &message, None);
    }
    for key in ignored(config) {
        sections.refuse(&key, "has no effect: the column is not a feature", None);
    }
}

/// Keys of `[data]` that do not go with the kind of target of the task.
fn targets(config: &RunConfig) -> Vec<(String, String)> {
    let kind = config.task.target_kind();
    kind.map_or_else(Vec::new, |kind| config.data.section().validate_for(kind))
}

/// Keys of columns that are ignored, and that groups are not told by either.
fn ignored(config: &RunConfig) -> Vec<String> {
    let fairness = config.fairness.as_ref();
    let compared = fairness.map_or(&[][..], |fairness| &fairness.groups);
    let names = config.data.section().table().into_iter();
    let names = names.flat_map(|table| table.ignored_with_keys());
    let idle = names.filter(|name| !compared.contains(name));
    idle.map(|name| format!("data.columns.{name}")).collect()
}

/// Groups that cannot be compared.
fn groups(config: &RunConfig) -> Vec<(&'static str, String)> {
    let Some(fairness) = &config.fairness else {
        return Vec::new();
    };
    let (data, kind) = (config.data.section(), config.task.target_kind());
    let mut problems = Vec::new();
    if !config.data.clone().section_mut().carry(&[]) {
        let message = format!(
            "needs a table, whose columns are groups, but [data] has the type \"{}\"",
            data.name()
        );
        problems.push(("fairness", message));
    } else if !fairness::is_for(kind) {
        let message = format!(
            "compares one class or one number for each row, but the task is {}",
            config.task.name()
        );
        problems.push(("fairness", message));
    }
    for name in &fairness.groups {
        if let Some(role) = data.is_told(name) {
            let message = format!("contains the {role} {name:?}, which is no group of rows");
            problems.push(("fairness.groups", message));
        }
    }
    if fairness.mitigation != Mitigation::None && kind == Some(TargetKind::Number) {
        let message = "is for classes: rows with a number as target are compared only";
        problems.push(("fairness.mitigation", message.to_owned()));
    }
    if data.table().is_some_and(|table| table.fit_rows.is_some()) {
        let message = "leaves training rows in files, without the columns that [fairness] compares";
        problems.push(("data.fit_rows", message.to_owned()));
    }
    let accumulates = config.train.gradient_accumulation_steps > 1;
    if fairness.mitigation == Mitigation::Constraint && accumulates {
        let message = "must be 1 with fairness.mitigation = \"constraint\", whose covariance is that of a whole batch";
        problems.push(("train.gradient_accumulation_steps", message.to_owned()));
    }
    problems
}

/// Data, model and task that no workload ties together.
fn kinds(config: &RunConfig) -> Vec<(&'static str, String)> {
    let RunConfig {
        data, model, task, ..
    } = config;
    let (data_type, model_type) = (data.section().name(), model.section().name);
    let (task_type, facts) = (task.name(), facts());
    let reading = || facts.iter().filter(|facts| (facts.reads)(data));
    let mut problems = Vec::new();
    let has_model = reading().any(|facts| (facts.has)(model));
    if !has_model {
        let looks_at = model.section().looks_at;
        let message = format!(
            "\"{model_type}\" looks at {looks_at}, but [data] has the type \"{data_type}\""
        );
        problems.push(("model.type", message));
    }
    let has_task = reading().any(|facts| (facts.does)(task));
    if !has_task {
        let needs = task.facts().needs;
        let message =
            format!("\"{task_type}\" needs {needs}, but [data] has the type \"{data_type}\"");
        problems.push(("task.type", message));
    }
    problems.extend(tokenizer(config));
    let mut both = reading().filter(|facts| (facts.has)(model) && (facts.does)(task));
    match both.next() {
        Some(facts) => problems.extend((facts.check)(config)),
        None if has_model && has_task => {
            let needs = task.facts().needs_of_model;
            let message = format!(
                "\"{task_type}\" needs a model that {needs}, which \"{model_type}\" does not"
            );
            problems.push(("task.type", message));
        }
        None => {}
    }
    problems.extend(lora(config));
    problems.extend(quantize(config));
    problems.extend(context(config));
    problems
}

/// More tokens than any model looks at.
fn context(config: &RunConfig) -> Option<(&'static str, String)> {
    let context = config.model.section().context;
    let message = || format!("must be at most {MOST_CONTEXT}, but is {context}");
    (context > MOST_CONTEXT).then(|| ("model.context_length", message()))
}

/// Adapters without pretrained weights.
fn lora(config: &RunConfig) -> Option<(&'static str, String)> {
    config.lora.as_ref()?;
    let model = config.model.section().name;
    match config.model.section().start {
        None => Some(("lora", format!("has no layer to adapt in \"{model}\""))),
        Some(start) if start.pretrained.is_none() => {
            let message = "needs model.pretrained: beside random weights there is nothing to adapt";
            Some(("lora", message.to_owned()))
        }
        Some(_) => None,
    }
}

/// Weights in few bits that would have to be trained, or that no layer multiplies with.
fn quantize(config: &RunConfig) -> Option<(&'static str, String)> {
    let section = config.model.section();
    section.start?.quantize?;
    let message = match section.name {
        "llama" | "decoder" if config.lora.is_some() => return None,
        "llama" | "decoder" => {
            "needs [lora]: weights in few bits cannot be trained themselves".to_owned()
        }
        name => format!(
            "is for \"llama\" and \"decoder\": no layer of \"{name}\" has weights in few bits"
        ),
    };
    Some(("model.quantize", message))
}

/// A tokenizer without a text, or the reverse.
fn tokenizer(config: &RunConfig) -> Option<(&'static str, String)> {
    let data = config.data.section();
    let reads_marks = config.task.facts().reads_marks;
    match (data.tokenizer(), &config.tokenizer) {
        (NeedsTokenizer::Never, Some(_)) => {
            let message = format!("is for text, but [data] has the type \"{}\"", data.name());
            Some(("tokenizer", message))
        }
        (NeedsTokenizer::ForMarks, None) if !reads_marks => None,
        (NeedsTokenizer::Always | NeedsTokenizer::ForMarks, None) => {
            let types = TokenizerKind::ALL.map(|kind| kind.name());
            let message = format!(
                "needs a table [tokenizer] that turns text into tokens; its `type` is {}",
                list(&types)
            );
            Some(("data.type", message))
        }
        _ => None,
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
    match config.model.section().start {
        None => keys.push(("train.layer_decay", "it is for models of images and text")),
        Some(start) if start.pretrained.is_none() => {
            let reason = "it is read if `pretrained` is given";
            keys.extend([
                ("model.allow_missing", reason),
                ("model.allow_unexpected", reason),
                ("model.quantize", reason),
            ]);
        }
        Some(_) => {}
    }
    keys.extend(unread_texts(config).map(|reason| ("eval.texts", reason)));
    keys.extend(config.fairness.iter().flat_map(unread_of_fairness));
    if config.lora.is_some() {
        keys.push(("model.freeze", "[lora] trains its adapters alone"));
    }
    if let Some(reason) = config.data.section().own_batches() {
        keys.extend([("train.batch_size", reason), ("eval.batch_size", reason)]);
    }
    keys.extend(unread_of_tokenizer(config));
    keys.extend(config.task.task().unread());
    keys
}

/// The keys of a mitigation that is not the one of the run.
fn unread_of_fairness(fairness: &FairnessConfig) -> Vec<(&'static str, &'static str)> {
    let mut keys = Vec::new();
    if fairness.mitigation != Mitigation::Thresholds {
        let reason = "it is read if mitigation is \"thresholds\"";
        keys.extend([
            ("fairness.criterion", reason),
            ("fairness.tolerance", reason),
            ("fairness.max_loss", reason),
        ]);
    }
    if fairness.mitigation != Mitigation::Constraint {
        let reason = "it is read if mitigation is \"constraint\"";
        keys.push(("fairness.strength", reason));
    }
    keys
}

/// Why a run writes no texts to be looked at, if it does not.
fn unread_texts(config: &RunConfig) -> Option<&'static str> {
    match &config.task {
        TaskConfig::CausalLm(_) if config.tokenizer.is_none() => {
            Some("it needs a table [tokenizer], which turns tokens into text")
        }
        TaskConfig::CausalLm(_) => {
            let kept = config.eval.keep_predictions;
            (!kept).then_some("it is read if keep_predictions is true")
        }
        _ => Some("it is for models that go on with a text"),
    }
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

/// Why a monitor cannot be watched, and what could.
fn check_monitor(monitor: &str, task: &TaskConfig) -> Result<(), (String, String)> {
    let metrics = task.facts().metrics.iter().map(|metric| metric.name);
    let names: Vec<_> = ["loss"].into_iter().chain(metrics).collect();
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
