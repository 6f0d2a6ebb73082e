//! The difference of two runs over the same samples.

use std::collections::{BTreeSet, HashMap};

use fireclay_metrics::{Direction, paired_bootstrap};
use serde::Serialize;

use crate::folder::RunFolder;
use crate::history::direction;
use crate::outcome::FEWEST;
use crate::predictions::{Answers, Predictions};
use crate::text::plural;

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
    /// Whether the interval leaves 0 out, of enough samples to tell.
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
    notes.extend(few(&rows));
    notes.extend(many(&rows));
    (rows, notes)
}

/// That so few samples do not tell a difference from chance.
fn few(rows: &[PairedRow]) -> Option<String> {
    let n = rows.iter().map(|row| row.n).min().filter(|n| *n < FEWEST)?;
    Some(format!(
        "{} are too few to tell a difference from chance: no difference is called real below {FEWEST}",
        plural(n, "sample")
    ))
}

/// That of many differences some look real by chance.
fn many(rows: &[PairedRow]) -> Option<String> {
    let pairs: BTreeSet<(usize, usize)> = rows.iter().map(|row| (row.first, row.second)).collect();
    (pairs.len() > 1).then(|| {
        format!(
            "each of the {} pairs of runs is judged by itself: about one of 20 that do not differ looks as if it did",
            pairs.len()
        )
    })
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
    let real = found.is_real() && values.first.len() >= FEWEST;
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
        real,
        better: real.then_some(if second_is_better { second } else { first }),
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

/// The values of both runs in the order of the first; `None` unless the truth is the same.
fn values(
    a: &Predictions,
    b: &Predictions,
    order: &[usize],
    (first, second): (&[String], &[String]),
) -> Option<Vec<Values>> {
    if !has_same_truth(&a.answers, &b.answers, order, first == second) {
        return None;
    }
    let pairs = per_sample(&a.answers, first.len())
        .into_iter()
        .zip(per_sample(&b.answers, second.len()));
    let values = pairs.map(|((metric, first), (_, second))| Values {
        metric,
        first,
        second: order.iter().map(|&j| second[j]).collect(),
    });
    Some(values.collect())
}

/// Whether both answers are of one kind and for the same truth. Classes are numbers, so they also need the
/// same names.
fn has_same_truth(a: &Answers, b: &Answers, order: &[usize], same_names: bool) -> bool {
    match (a, b) {
        (Answers::Classes { truth, .. }, Answers::Classes { truth: other, .. }) => {
            same_names && are_same(truth, other, order)
        }
        (Answers::Numbers { truth, .. }, Answers::Numbers { truth: other, .. }) => {
            are_same(truth, other, order)
        }
        (Answers::Sets { truth, .. }, Answers::Sets { truth: other, .. }) => {
            are_same(truth, other, order)
        }
        _ => false,
    }
}

fn are_same<T: PartialEq>(truth: &[T], other: &[T], order: &[usize]) -> bool {
    order
        .iter()
        .zip(truth)
        .all(|(&j, truth)| *truth == other[j])
}

/// What each metric is made of, sample by sample. `width` is the number of classes.
fn per_sample(answers: &Answers, width: usize) -> Vec<(&'static str, Vec<f64>)> {
    match answers {
        Answers::Classes {
            truth,
            predicted,
            probabilities,
        } => vec![
            ("accuracy", hits(truth, predicted)),
            ("log_loss", log_losses(truth, probabilities, width)),
        ],
        Answers::Numbers { truth, predicted } => vec![
            ("rmse", errors(truth, predicted, |error| error * error)),
            ("mae", errors(truth, predicted, f64::abs)),
        ],
        Answers::Sets {
            truth, predicted, ..
        } => vec![("subset_accuracy", hits(truth, predicted))],
    }
}

/// 1 for each right answer, and 0 for each wrong one.
fn hits<T: PartialEq>(truth: &[T], predicted: &[T]) -> Vec<f64> {
    let pairs = truth.iter().zip(predicted);
    pairs.map(|(t, p)| f64::from(u8::from(t == p))).collect()
}

fn log_losses(truth: &[u32], probabilities: &[f64], width: usize) -> Vec<f64> {
    let loss = |(sample, class): (usize, &u32)| {
        // A probability of 0 has no finite loss.
        -probabilities[sample * width + *class as usize]
            .clamp(f64::EPSILON, 1.0 - f64::EPSILON)
            .ln()
    };
    truth.iter().enumerate().map(loss).collect()
}

fn errors(truth: &[f64], predicted: &[f64], of: fn(f64) -> f64) -> Vec<f64> {
    truth
        .iter()
        .zip(predicted)
        .map(|(t, p)| of(t - p))
        .collect()
}
