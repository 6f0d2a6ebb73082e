//! The difference of two runs over the same samples.

use std::collections::HashMap;

use fireclay_metrics::{Direction, paired_bootstrap};
use serde::Serialize;

use crate::folder::RunFolder;
use crate::history::direction;
use crate::predictions::{Answers, Predictions};

/// The difference of a metric of two runs, with its 95 % interval by paired bootstrap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedRow {
    /// The number of the first run, from 0.
    pub first: usize,
    /// The number of the second run.
    pub second: usize,
    /// The split of the samples.
    pub split: String,
    /// How many samples.
    pub n: usize,
    /// The metric.
    pub metric: String,
    /// Its value for the second run minus that for the first.
    pub difference: f64,
    /// Lower bound of the difference.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Whether the interval leaves 0 out.
    pub real: bool,
    /// The number of the run that is better, if the difference is real.
    pub better: Option<usize>,
}

/// All pairs of runs that answered the same samples, and why others are not compared.
pub(super) fn paired(runs: &[RunFolder]) -> (Vec<PairedRow>, Vec<String>) {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for first in 0..runs.len() {
        for second in first + 1..runs.len() {
            match pair(&runs[first], &runs[second]) {
                Ok((split, values)) => {
                    rows.extend(values.into_iter().filter_map(|values| {
                        row(values, (first, second), split, runs[first].seed())
                    }))
                }
                Err(why) => notes.push(format!(
                    "{} and {} are not paired: {why}",
                    runs[first].name(),
                    runs[second].name()
                )),
            }
        }
    }
    (rows, notes)
}

/// The values of two runs for each sample, of which a metric is made.
struct Values {
    metric: &'static str,
    first: Vec<f64>,
    second: Vec<f64>,
}

fn row(
    values: Values,
    (first, second): (usize, usize),
    split: &str,
    seed: u64,
) -> Option<PairedRow> {
    let of_mean = |mean: f64| {
        if values.metric == "rmse" {
            mean.sqrt()
        } else {
            mean
        }
    };
    let found = paired_bootstrap(&values.first, &values.second, seed, of_mean)?;
    let second_is_better = match direction(values.metric) {
        Direction::Higher => found.difference > 0.0,
        Direction::Lower => found.difference < 0.0,
    };
    Some(PairedRow {
        first,
        second,
        split: split.to_owned(),
        n: values.first.len(),
        metric: values.metric.to_owned(),
        difference: found.difference,
        low: found.low,
        high: found.high,
        real: found.is_real(),
        better: found
            .is_real()
            .then_some(if second_is_better { second } else { first }),
    })
}

fn pair(first: &RunFolder, second: &RunFolder) -> Result<(&'static str, Vec<Values>), String> {
    if first.task() != second.task() {
        return Err(format!(
            "one is for {}, the other for {}",
            first.task(),
            second.task()
        ));
    }
    let has = |split: &&str| {
        first.predictions.contains_key(*split) && second.predictions.contains_key(*split)
    };
    let Some(split) = ["test", "valid"].into_iter().find(has) else {
        return Err("there are no predictions for the same split of both (eval.keep_predictions, for tasks with labels)".into());
    };
    let files = |run: &RunFolder| -> Vec<String> {
        let known = run.locked("data_sha256").and_then(toml::Value::as_table);
        let mut hashes: Vec<String> = known
            .into_iter()
            .flatten()
            .map(|(_, hash)| hash.to_string())
            .collect();
        hashes.sort();
        hashes
    };
    if files(first) != files(second) {
        return Err("their data files are not the same".into());
    }
    let (a, b) = (&first.predictions[split], &second.predictions[split]);
    let order = order(a, b)
        .ok_or_else(|| format!("their {split} samples are not the same (data.split, seed)"))?;
    let values = values(a, b, &order, (&first.classes(), &second.classes()));
    values
        .map(|values| (split, values))
        .ok_or_else(|| format!("the truth of their {split} samples is not the same"))
}

/// For each sample of the first its place in the second; `None` unless both have the same.
fn order(first: &Predictions, second: &Predictions) -> Option<Vec<usize>> {
    let places: HashMap<String, usize> = (0..second.n)
        .map(|sample| (second.name_of(sample), sample))
        .collect();
    let order = (0..first.n).map(|sample| places.get(&first.name_of(sample)).copied());
    let order: Vec<usize> = order.collect::<Option<_>>()?;
    let mut seen = order.clone();
    seen.sort_unstable();
    seen.dedup();
    (first.n == second.n && seen.len() == first.n).then_some(order)
}

fn values(
    a: &Predictions,
    b: &Predictions,
    order: &[usize],
    (first, second): (&[String], &[String]),
) -> Option<Vec<Values>> {
    let hit = |right: bool| f64::from(u8::from(right));
    match (&a.answers, &b.answers) {
        (
            Answers::Classes {
                truth,
                predicted,
                probabilities,
            },
            Answers::Classes {
                truth: truth_b,
                predicted: predicted_b,
                probabilities: probabilities_b,
            },
        ) => {
            let same = first == second
                && order
                    .iter()
                    .enumerate()
                    .all(|(i, &j)| truth[i] == truth_b[j]);
            let loss = |probabilities: &[f64], sample: usize, class: u32| {
                -probabilities[sample * first.len() + class as usize]
                    .clamp(f64::EPSILON, 1.0 - f64::EPSILON)
                    .ln()
            };
            let accuracy = Values {
                metric: "accuracy",
                first: truth
                    .iter()
                    .zip(predicted)
                    .map(|(t, p)| hit(t == p))
                    .collect(),
                second: order
                    .iter()
                    .map(|&j| hit(truth_b[j] == predicted_b[j]))
                    .collect(),
            };
            let log_loss = Values {
                metric: "log_loss",
                first: truth
                    .iter()
                    .enumerate()
                    .map(|(i, class)| loss(probabilities, i, *class))
                    .collect(),
                second: order
                    .iter()
                    .map(|&j| loss(probabilities_b, j, truth_b[j]))
                    .collect(),
            };
            same.then(|| vec![accuracy, log_loss])
        }
        (
            Answers::Numbers { truth, predicted },
            Answers::Numbers {
                truth: truth_b,
                predicted: predicted_b,
            },
        ) => {
            let same = order
                .iter()
                .enumerate()
                .all(|(i, &j)| truth[i] == truth_b[j]);
            let of = |metric, error: fn(f64) -> f64| Values {
                metric,
                first: truth
                    .iter()
                    .zip(predicted)
                    .map(|(t, p)| error(t - p))
                    .collect(),
                second: order
                    .iter()
                    .map(|&j| error(truth_b[j] - predicted_b[j]))
                    .collect(),
            };
            same.then(|| vec![of("rmse", |error| error * error), of("mae", f64::abs)])
        }
        (
            Answers::Sets {
                truth, predicted, ..
            },
            Answers::Sets {
                truth: truth_b,
                predicted: predicted_b,
                ..
            },
        ) => {
            let same = order
                .iter()
                .enumerate()
                .all(|(i, &j)| truth[i] == truth_b[j]);
            same.then(|| {
                vec![Values {
                    metric: "subset_accuracy",
                    first: truth
                        .iter()
                        .zip(predicted)
                        .map(|(t, p)| hit(t == p))
                        .collect(),
                    second: order
                        .iter()
                        .map(|&j| hit(truth_b[j] == predicted_b[j]))
                        .collect(),
                }]
            })
        }
        _ => None,
    }
}
