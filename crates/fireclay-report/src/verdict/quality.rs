//! How good the answers are, and whether that is more than a trivial answer reaches.

use fireclay_metrics::{Direction, Interval, Report};

use super::{Finding, Tone};
use crate::folder::RunFolder;
use crate::history::direction;
use crate::outcome::headline;
use crate::text::{number, percent, plural};

/// The finding on the split that is judged.
pub(super) fn finding(run: &RunFolder) -> Option<Finding> {
    let (split, report) = run.judged()?;
    if report.non_finite > 0 {
        return Some(not_finite(split, report));
    }
    let name = headline(report)?;
    let value = *report.metrics.get(name)?;
    let interval = report
        .interval
        .as_ref()
        .filter(|interval| interval.metric == name);
    let samples = plural(report.n, unit(run));
    let mut evidence = format!(
        "On {samples} of the {split} split, {} is {}{}.",
        words(name),
        shown(name, value),
        interval_said(name, interval)
    );
    let (tone, says, compared) = compared(report, (name, value), interval);
    evidence += &compared;
    if tone == Tone::Bad
        && let Some((ranks, in_numbers)) = ranks_better(report, name)
    {
        evidence += &in_numbers;
        let advice = "Judge by these where classes are rare, and choose task.threshold (or threshold = \"tune\") by what misses and false alarms cost.";
        return Some(Finding::new(Tone::Look, ranks, evidence).advise(advice));
    }
    if split == "valid" {
        evidence += " There is no test split: these samples also chose the checkpoint, so the number is optimistic.";
    }
    Some(Finding::new(tone, says, evidence))
}

fn not_finite(split: &str, report: &Report) -> Finding {
    let rows = plural(report.non_finite, "row");
    let says = "The model answers with numbers that are not finite, so no metric is given.";
    let advice = "Lower optimizer.learning_rate, set train.max_grad_norm = 1.0, and look for extreme values in the data.";
    Finding::new(
        Tone::Bad,
        says,
        format!("{rows} of {split} have such an answer."),
    )
    .advise(advice)
}

/// The interval behind a value; nothing where there is none.
fn interval_said(name: &str, interval: Option<&Interval>) -> String {
    let said = interval.map(|interval| {
        let (low, high) = (shown(name, interval.low), shown(name, interval.high));
        format!(
            " ({:.0} % interval {low} to {high})",
            100.0 * interval.level
        )
    });
    said.unwrap_or_default()
}

/// The trivial answer, and what it reaches.
fn trivial<'a>(report: &'a Report, name: &str) -> Option<(&'a str, f64)> {
    let baseline = report.baseline.as_ref()?;
    Some((&baseline.answer, *baseline.metrics.get(name)?))
}

/// What the headline says beside a trivial answer, and what that reaches.
fn compared(
    report: &Report,
    (name, value): (&str, f64),
    interval: Option<&Interval>,
) -> (Tone, String, String) {
    let Some((answer, trivial)) = trivial(report, name) else {
        let says = format!("{} is {}.", capital(words(name)), shown(name, value));
        let evidence = " No trivial answer is known to compare it with.";
        return (Tone::Look, says, evidence.to_owned());
    };
    let (tone, says) = against_trivial(name, (value, trivial), interval);
    let trivial = shown(name, trivial);
    let evidence = format!(" The trivial answer ({answer}) reaches {trivial}.");
    (tone, says, evidence)
}

/// The headline against what a trivial answer reaches: the worst end of the interval has to beat it.
fn against_trivial(
    name: &str,
    (value, trivial): (f64, f64),
    interval: Option<&Interval>,
) -> (Tone, String) {
    let better = |a: f64, b: f64| match direction(name) {
        Direction::Higher => a > b,
        Direction::Lower => a < b,
    };
    let worst_end = interval.map(|interval| match direction(name) {
        Direction::Higher => interval.low,
        Direction::Lower => interval.high,
    });
    let (tone, says, chance) = match worst_end {
        _ if !better(value, trivial) => (Tone::Bad, "is no better than a trivial answer", ""),
        Some(end) if !better(end, trivial) => (
            Tone::Look,
            "is not surely better than a trivial answer",
            ", within the interval",
        ),
        Some(_) => (Tone::Good, "beats the trivial answer beyond chance", ""),
        None => (Tone::Good, "beats the trivial answer", ""),
    };
    let (name_said, value, trivial) = (words(name), shown(name, value), shown(name, trivial));
    let says = format!("The model {says}: {name_said} is {value}, against {trivial}{chance}.");
    (tone, says)
}

/// Where classes are rare the most frequent one is nearly always right: then the order and the probabilities tell
/// whether the model has learned anything. The words and their numbers, if it has.
fn ranks_better(report: &Report, headline: &str) -> Option<(String, String)> {
    let baseline = report.baseline.as_ref()?;
    let both = |name: &str| Some((*report.metrics.get(name)?, *baseline.metrics.get(name)?));
    let (auc, trivial_auc) = both("roc_auc")?;
    let (loss, trivial_loss) = both("log_loss")?;
    if auc <= trivial_auc || loss >= trivial_loss {
        return None;
    }
    let says = format!(
        "By {} the model is no better than a trivial answer, but its probabilities are.",
        words(headline)
    );
    let numbers = format!(
        " ROC AUC is {} against {}, and log-loss {} against {}.",
        number(auc),
        number(trivial_auc),
        number(loss),
        number(trivial_loss)
    );
    Some((says, numbers))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A metric in words.
pub(crate) fn words(name: &str) -> &str {
    match name {
        "rmse" => "the root mean squared error",
        "bits_per_byte" => "the loss in bits per byte",
        "bleu" => "BLEU",
        "map" => "mean average precision",
        "subset_accuracy" => "the share of samples with all labels right",
        "reward_accuracy" => "the share of pairs whose better answer has the larger reward",
        "loss" => "the loss",
        name => name,
    }
}

/// What is counted of a run.
pub(crate) fn unit(run: &RunFolder) -> &'static str {
    match run.task() {
        "causal_lm" | "masked_lm" => "token",
        "seq2seq" | "dpo" | "orpo" | "reward" => "pair",
        _ if run
            .key("data.type")
            .and_then(toml::Value::as_str)
            .is_some_and(|kind| kind.contains("image")) =>
        {
            "image"
        }
        _ => "sample",
    }
}

/// A share in percent where people say it so.
fn shown(name: &str, value: f64) -> String {
    match name {
        "accuracy" | "reward_accuracy" | "subset_accuracy" => percent(value),
        _ => number(value),
    }
}
