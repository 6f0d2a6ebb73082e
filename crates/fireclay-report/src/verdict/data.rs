//! What is odd about the data, as far as the run knows it.

use fireclay_metrics::Report;

use super::{Finding, Tone};
use crate::folder::RunFolder;
use crate::outcome::FEWEST;
use crate::text::{percent, plural};

/// A split this small says little.
const SMALL: usize = 100;
/// Metrics above this are too good to be true more often than not.
const PERFECT: f64 = 0.9995;

/// What should be looked at.
pub(super) fn findings(run: &RunFolder) -> Vec<Finding> {
    [perfect(run), small(run), imbalance(run)]
        .into_iter()
        .flatten()
        .collect()
}

fn perfect(run: &RunFolder) -> Option<Finding> {
    let (split, report) = judged(run)?;
    let found = ["roc_auc", "r2", "accuracy"].into_iter().find(|name| {
        report
            .metrics
            .get(*name)
            .is_some_and(|value| *value > PERFECT)
    })?;
    let evidence = format!(
        "{found} on the {split} split is {}.",
        crate::text::number(report.metrics[found])
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
        crate::text::number(interval.high - interval.low)
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
