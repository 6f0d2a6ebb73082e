//! What the answers of a run to a split come to, sample by sample.

use fireclay_metrics::{
    Classification, DEFAULT_THRESHOLD, Report, bootstrap_interval, wilson_interval,
};

use crate::folder::RunFolder;
use crate::predictions::{Answers, Predictions};

/// The fewest samples that a model is judged by.
pub(crate) const FEWEST: usize = 30;
/// The fewest samples that a part of them, such as a class or a slice, is judged by.
pub(crate) const FEWEST_OF_A_PART: usize = 10;

/// A value of each sample: how right it is, or how far off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcomes {
    /// What the mean of the values is called.
    pub metric: &'static str,
    /// Whether a larger mean is better: the values are 1 where the answer is right, else 0.
    pub are_hits: bool,
    /// The values.
    pub values: Vec<f64>,
}

impl Outcomes {
    /// Those of a split.
    pub fn of(predictions: &Predictions) -> Self {
        let hit = |right: bool| f64::from(u8::from(right));
        match &predictions.answers {
            Answers::Classes {
                truth, predicted, ..
            } => Self {
                metric: "accuracy",
                are_hits: true,
                values: truth
                    .iter()
                    .zip(predicted)
                    .map(|(t, p)| hit(t == p))
                    .collect(),
            },
            Answers::Sets {
                truth, predicted, ..
            } => Self {
                metric: "subset accuracy",
                are_hits: true,
                values: truth
                    .iter()
                    .zip(predicted)
                    .map(|(t, p)| hit(t == p))
                    .collect(),
            },
            Answers::Numbers { truth, predicted } => Self {
                metric: "mean absolute error",
                are_hits: false,
                values: truth
                    .iter()
                    .zip(predicted)
                    .map(|(t, p)| (t - p).abs())
                    .collect(),
            },
        }
    }

    /// The mean of the values of some samples.
    pub fn mean(&self, samples: &[usize]) -> f64 {
        samples
            .iter()
            .map(|&sample| self.values[sample])
            .sum::<f64>()
            / samples.len().max(1) as f64
    }

    /// The 95 % interval of that mean: Wilson's for hits, else by bootstrap.
    pub fn interval(&self, samples: &[usize], seed: u64) -> Option<(f64, f64)> {
        if self.are_hits {
            let hits = samples
                .iter()
                .filter(|&&sample| self.values[sample] > 0.0)
                .count();
            return wilson_interval(hits, samples.len());
        }
        let mean = |rows: &[usize]| {
            let sum: f64 = rows.iter().map(|&row| self.values[samples[row]]).sum();
            Some(sum / rows.len() as f64)
        };
        bootstrap_interval(
            samples.len(),
            seed,
            fireclay_metrics::DEFAULT_RESAMPLES,
            mean,
        )
    }
}

impl RunFolder {
    /// The answers of a classifier to a split, decided as the run decides; none of another task, or where a
    /// probability is no number.
    pub(crate) fn classified(&self, split: &str) -> Option<Classification<'_>> {
        let Answers::Classes {
            truth,
            probabilities,
            ..
        } = &self.predictions.get(split)?.answers
        else {
            return None;
        };
        if probabilities
            .iter()
            .any(|probability| !probability.is_finite())
        {
            return None;
        }
        let classes = self.answer.get("classes")?.as_array()?.len();
        let scored = Classification::new(classes, truth, probabilities);
        if classes != 2 {
            return Some(scored);
        }
        let scored = scored.with_positive(self.positive());
        match self.threshold() {
            DEFAULT_THRESHOLD => Some(scored),
            threshold => Some(scored.with_threshold(threshold)),
        }
    }

    /// Which of two classes is the positive one.
    pub(crate) fn positive(&self) -> usize {
        let positive = self
            .answer
            .get("positive")
            .and_then(serde_json::Value::as_u64);
        positive.map_or(1, |positive| positive.min(1) as usize)
    }

    /// The probability from which on the positive class is the answer.
    pub(crate) fn threshold(&self) -> f64 {
        let threshold = self
            .answer
            .get("threshold")
            .and_then(serde_json::Value::as_f64);
        threshold.unwrap_or(DEFAULT_THRESHOLD)
    }

    /// The thresholds of groups that have their own, by the name of the group.
    pub(crate) fn group_thresholds(&self) -> Vec<(String, f64)> {
        let groups = self
            .answer
            .get("groups")
            .and_then(|found| found.get("thresholds"));
        let groups = groups.and_then(serde_json::Value::as_object);
        let threshold =
            |(name, value): (&String, &serde_json::Value)| Some((name.clone(), value.as_f64()?));
        groups.into_iter().flatten().filter_map(threshold).collect()
    }

    /// The columns that tell the groups apart, as they are called together.
    pub(crate) fn group_columns(&self) -> String {
        let columns = self
            .answer
            .get("groups")
            .and_then(|found| found.get("columns"));
        let columns = columns
            .and_then(serde_json::Value::as_array)
            .into_iter()
            .flatten();
        let names = columns.filter_map(|column| column.get("name")?.as_str());
        names.collect::<Vec<_>>().join(" & ")
    }

    /// The seed of the run, for intervals.
    pub(crate) fn seed(&self) -> u64 {
        self.key("seed")
            .and_then(toml::Value::as_integer)
            .unwrap_or(0) as u64
    }
}

/// The metric that a report is named by: the one with an interval, or the one that its task is about.
pub(crate) fn headline(report: &Report) -> Option<&str> {
    const NAMES: [&str; 8] = [
        "accuracy",
        "map",
        "subset_accuracy",
        "rmse",
        "bleu",
        "bits_per_byte",
        "perplexity",
        "loss",
    ];
    let with_interval = report
        .interval
        .as_ref()
        .map(|interval| interval.metric.as_str());
    let known = NAMES
        .into_iter()
        .find(|name| report.metrics.contains_key(*name));
    with_interval.or(known)
}
