//! What is odd about the data, as far as the run knows it.

use fireclay_metrics::{CHANCE, Report, slice};

use super::{Finding, Tone};
use crate::folder::RunFolder;
use crate::outcome::{FEWEST, Outcomes};
use crate::text::{number, percent, plural};

/// A split this small says little.
const SMALL: usize = 100;
/// Metrics above this are too good to be true more often than not.
const PERFECT: f64 = 0.9995;

/// What should be looked at.
pub(super) fn findings(run: &RunFolder) -> Vec<Finding> {
    let apart = apart(run);
    let differ = apart.as_ref().filter(|apart| apart.p < CHANCE);
    let found = [
        perfect(run),
        differ.map(Apart::finding),
        small(run),
        imbalance(run),
    ];
    let found: Vec<Finding> = found.into_iter().flatten().collect();
    match found.is_empty() && judged(run).is_some() {
        true => vec![nothing(apart.as_ref())],
        false => found,
    }
}

/// That nothing was found, and what was looked at.
fn nothing(apart: Option<&Apart>) -> Finding {
    let alike = apart.map_or_else(String::new, |apart| {
        format!(
            ", and the test split fares like the validation split (p = {})",
            number(apart.p)
        )
    });
    let evidence = format!(
        "No metric is nearly perfect{alike}. A leak that lifts both splits alike is not seen here: `fireclay check` looks for suspects in the data."
    );
    Finding::new(
        Tone::Good,
        "The numbers show no leak and no other trouble with the data.",
        evidence,
    )
}

/// How the test split fares against the validation split.
struct Apart {
    metric: &'static str,
    test: f64,
    valid: f64,
    p: f64,
    is_worse: bool,
}

/// By the outcomes of their samples; `None` where one of the two has too few.
fn apart(run: &RunFolder) -> Option<Apart> {
    let of = |split: &str| Some(Outcomes::of(run.predictions.get(split)?));
    let (test, valid) = (of("test")?, of("valid")?);
    let both = [test.values.as_slice(), valid.values.as_slice()];
    if both.iter().any(|values| values.len() < FEWEST)
        || !both.concat().iter().all(|v| v.is_finite())
    {
        return None;
    }
    let rows: Vec<usize> = (0..test.values.len()).collect();
    let found = slice(&both.concat(), &rows)?;
    Some(Apart {
        metric: test.metric,
        test: found.mean,
        valid: found.others,
        p: found.p,
        is_worse: (found.mean < found.others) == test.are_hits,
    })
}

impl Apart {
    fn finding(&self) -> Finding {
        let evidence = format!(
            "The {} is {} on the test split and {} on the validation split (p = {}).",
            self.metric,
            number(self.test),
            number(self.valid),
            number(self.p)
        );
        let (says, advice) = match self.is_worse {
            true => (
                "The test split fares worse than the validation split, beyond chance.",
                "Look whether test samples come from another time, place or source than the rest, and whether samples of one person or thing are in training and validation both. Many choices made on the validation split also lift it.",
            ),
            false => (
                "The test split fares better than the validation split, beyond chance.",
                "Look whether its samples are easier, or are among the training samples too.",
            ),
        };
        Finding::new(Tone::Look, says, evidence).advise(advice)
    }
}

fn perfect(run: &RunFolder) -> Option<Finding> {
    let (split, report) = judged(run)?;
    // The order of a classifier of many classes is nearly perfect long before its answers are.
    let is_binary = report
        .classes
        .as_ref()
        .is_none_or(|classes| classes.len() < 3);
    let names: &[&str] = match is_binary {
        true => &["roc_auc", "r2", "accuracy"],
        false => &["accuracy"],
    };
    let found = names.iter().copied().find(|name| {
        report
            .metrics
            .get(*name)
            .is_some_and(|value| *value > PERFECT)
    })?;
    let evidence = format!(
        "{found} on the {split} split is {}.",
        number(report.metrics[found])
    );
    let advice = "Look for a leak: an input that is known only after the target, the same sample in two splits, or an id that gives the answer away. `fireclay check` names suspects.";
    Some(
        Finding::new(
            Tone::Look,
            "The result is nearly perfect, which is often a leak.",
            evidence,
        )
        .advise(advice),
    )
}

/// The split that is judged, if it can be.
fn judged(run: &RunFolder) -> Option<(&str, &Report)> {
    run.judged().filter(|(_, report)| report.n >= FEWEST)
}

fn small(run: &RunFolder) -> Option<Finding> {
    let (split, report) = judged(run)?;
    let interval = report.interval.as_ref()?;
    let says = format!("The {split} split is small, so the numbers are not sharp.");
    let evidence = format!(
        "{}: the 95 % interval of {} is {} wide.",
        plural(report.n, "sample"),
        interval.metric,
        number(interval.high - interval.low)
    );
    (report.n < SMALL).then(|| {
        Finding::new(Tone::Look, says, evidence)
            .advise("A larger data.split.test, or the mean over several seeds.")
    })
}

fn imbalance(run: &RunFolder) -> Option<Finding> {
    let counts = run.answer.get("counts")?.as_array()?;
    let counts: Vec<u64> = counts
        .iter()
        .filter_map(serde_json::Value::as_u64)
        .collect();
    let (total, classes) = (counts.iter().sum::<u64>(), run.classes());
    let (rarest, n) = counts.iter().enumerate().min_by_key(|(_, n)| **n)?;
    let share = *n as f64 / total.max(1) as f64;
    let name = classes.get(rarest)?;
    (share * (classes.len() as f64) < 0.2).then(|| {
        let evidence = format!("“{name}” has {} of {} ({}).", plural(*n as usize, "training sample"), total, percent(share));
        Finding::new(Tone::Look, "The classes are far from equally frequent.", evidence)
            .advise("Read balanced_accuracy, precision and recall beside accuracy; task.class_weights = \"balanced\" weighs rare classes more.")
    })
}
