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
        let rows = plural(report.non_finite, "row");
        let says = "The model answers with numbers that are not finite, so no metric is given.";
        let advice = "Lower optimizer.learning_rate, set train.max_grad_norm = 1.0, and look for extreme values in the data.";
        return Some(
            Finding::new(
                Tone::Bad,
                says,
                format!("{rows} of {split} have such an answer."),
            )
            .advise(advice),
        );
    }
    let name = headline(report)?;
    let value = *report.metrics.get(name)?;
    let interval = report
        .interval
        .as_ref()
        .filter(|interval| interval.metric == name);
    let mut evidence = format!(
        "On {} of the {split} split, {} is {}",
        plural(report.n, unit(run)),
        words(name),
        shown(name, value)
    );
    if let Some(interval) = interval {
        let (low, high) = (shown(name, interval.low), shown(name, interval.high));
        evidence += &format!(
            " ({:.0} % interval {low} to {high})",
            100.0 * interval.level
        );
    }
    evidence += ".";
    let (tone, says) = against_baseline(report, (name, value), interval, &mut evidence);
    if split == "valid" {
        evidence += " There is no test split: these samples also chose the checkpoint, so the number is optimistic.";
    }
    Some(Finding::new(tone, says, evidence))
}

fn against_baseline(
    report: &Report,
    (name, value): (&str, f64),
    interval: Option<&Interval>,
    evidence: &mut String,
) -> (Tone, String) {
    let known = report
        .baseline
        .as_ref()
        .and_then(|baseline| Some((baseline, *baseline.metrics.get(name)?)));
    let Some((baseline, trivial)) = known else {
        *evidence += " No trivial answer is known to compare it with.";
        return (
            Tone::Look,
            format!("{} is {}.", capital(words(name)), shown(name, value)),
        );
    };
    *evidence += &format!(
        " The trivial answer ({}) reaches {}.",
        baseline.answer,
        shown(name, trivial)
    );
    let better = |a: f64, b: f64| match direction(name) {
        Direction::Higher => a > b,
        Direction::Lower => a < b,
    };
    let worst_end = interval.map(|interval| match direction(name) {
        Direction::Higher => interval.low,
        Direction::Lower => interval.high,
    });
    let (value_said, trivial_said) = (shown(name, value), shown(name, trivial));
    match worst_end {
        _ if !better(value, trivial) => (
            Tone::Bad,
            format!(
                "The model is no better than a trivial answer: {} is {value_said}, against {trivial_said}.",
                words(name)
            ),
        ),
        Some(end) if !better(end, trivial) => (
            Tone::Look,
            format!(
                "The model is not surely better than a trivial answer: {} is {value_said}, against {trivial_said}, within the interval.",
                words(name)
            ),
        ),
        Some(_) => (
            Tone::Good,
            format!(
                "The model beats the trivial answer beyond chance: {} is {value_said}, against {trivial_said}.",
                words(name)
            ),
        ),
        None => (
            Tone::Good,
            format!(
                "The model beats the trivial answer: {} is {value_said}, against {trivial_said}.",
                words(name)
            ),
        ),
    }
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
        "loss" => "the loss",
        name => name,
    }
}

/// What is counted of a run.
pub(crate) fn unit(run: &RunFolder) -> &'static str {
    match run.task() {
        "causal_lm" | "masked_lm" => "token",
        "seq2seq" => "pair",
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
        "accuracy" | "subset_accuracy" => percent(value),
        _ => number(value),
    }
}
