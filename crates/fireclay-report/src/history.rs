//! `metrics.jsonl`: what was measured while training, in order.

use std::collections::BTreeMap;
use std::path::Path;

use fireclay_guard::{LARGEST, text};
use fireclay_metrics::{CLASSIFICATION_METRICS, Direction, MULTILABEL_METRICS, REGRESSION_METRICS};
use serde_json::Value;

use crate::error::{ReportError, damaged, io};

/// A line: some metrics of one split after so many updates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Updates made so far.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: u64,
    /// `train` or `valid`.
    pub split: String,
    /// Values by name; what is no finite number is left out.
    pub values: BTreeMap<String, f64>,
    /// Whether a value is no finite number.
    pub is_broken: bool,
}

/// All lines of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Vec<Line>);

/// A value of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Updates made so far.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: u64,
    /// The value.
    pub value: f64,
}

impl History {
    /// Reads the file; a run that has not measured anything yet has none. Half a line at the end, of a run
    /// that goes on or crashed, does not count.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        Ok(Self(lines(path)?.iter().filter_map(line).collect()))
    }

    /// The values of a metric of a split, in the order of the steps.
    pub fn curve(&self, split: &str, metric: &str) -> Vec<Point> {
        let of_split = self.0.iter().filter(|line| line.split == split);
        let point = |line: &Line| {
            let value = *line.values.get(metric)?;
            Some(Point {
                step: line.step,
                epoch: line.epoch,
                value,
            })
        };
        of_split.filter_map(point).collect()
    }

    /// The names of the metrics of a split, in the order of the alphabet.
    pub fn metrics(&self, split: &str) -> Vec<&str> {
        let of_split = self.0.iter().filter(|line| line.split == split);
        let mut names: Vec<&str> = of_split
            .flat_map(|line| line.values.keys().map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The last epoch and step that are written down.
    pub fn end(&self) -> Option<(u64, u64)> {
        let last = self.0.last()?;
        Some((last.epoch, last.step))
    }

    /// Where a point is: in which epoch, or after which step where an epoch has several evaluations.
    pub fn place(&self, point: &Point) -> String {
        let measured = self.0.iter().filter(|line| line.split == "valid");
        let epochs: Vec<u64> = measured.map(|line| line.epoch).collect();
        match epochs.windows(2).any(|pair| pair[0] == pair[1]) {
            true => format!("step {}", point.step),
            false => format!("epoch {}", point.epoch),
        }
    }

    /// The epoch and the step at which the training diverged: the record then ends with an update whose loss is no
    /// finite number. A run that goes on from a checkpoint before it has cut the line off.
    pub fn diverged(&self) -> Option<(u64, u64)> {
        let last = self.0.last()?;
        (last.split == "train" && last.is_broken).then_some((last.epoch, last.step))
    }

    /// The evaluation whose value of `monitor`, such as `valid/loss`, is the best: the first of several.
    pub fn best(&self, monitor: &str) -> Option<Point> {
        let (split, name) = monitor.split_once('/')?;
        let name = if monitor == "train/loss" {
            "epoch_loss"
        } else {
            name
        };
        let better = |a: f64, b: f64| match direction(name) {
            Direction::Higher => a > b,
            Direction::Lower => a < b,
        };
        let keep = |best: Point, next: Point| {
            if better(next.value, best.value) {
                next
            } else {
                best
            }
        };
        self.curve(split, name).into_iter().reduce(keep)
    }
}

/// Which values of a metric are better. Losses, errors and perplexity are best when small.
pub(crate) fn direction(name: &str) -> Direction {
    let known = [
        CLASSIFICATION_METRICS,
        MULTILABEL_METRICS,
        REGRESSION_METRICS,
    ]
    .concat();
    match known.iter().find(|metric| metric.name == name) {
        Some(metric) => metric.better,
        None if ["bleu", "chrf", "accuracy"].contains(&name) => Direction::Higher,
        None => Direction::Lower,
    }
}

/// The whole lines of a file of JSON lines; none if there is no such file.
pub(crate) fn lines(path: &Path) -> Result<Vec<Value>, ReportError> {
    let text = match text(path, LARGEST) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|source| io("read", path, source))?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| damaged(path, format!("line {}: {error}", number + 1)))
    };
    whole.lines().enumerate().map(parse).collect()
}

fn line(value: &Value) -> Option<Line> {
    let fields = value.as_object()?;
    let numbers = fields
        .iter()
        .filter(|(name, _)| !["step", "epoch"].contains(&name.as_str()));
    let is_broken = fields.values().any(Value::is_null);
    Some(Line {
        step: fields.get("step")?.as_u64()?,
        epoch: fields.get("epoch")?.as_u64()?,
        split: fields.get("split")?.as_str()?.to_owned(),
        values: numbers
            .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
            .collect(),
        is_broken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(text: &str) -> Result<History, ReportError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, text).expect("written");
        History::read(&path)
    }

    #[test]
    fn curves_are_read_and_a_torn_line_is_not() {
        let text = "{\"step\":2,\"epoch\":1,\"split\":\"train\",\"epoch_loss\":0.5}\n\
                    {\"step\":2,\"epoch\":1,\"split\":\"valid\",\"loss\":0.4,\"accuracy\":0.8}\n\
                    {\"step\":4,\"epoch\":2,\"split\":\"valid\",\"loss\":0.4,\"accuracy\":0.9}\n\
                    {\"step\":6,\"epo";
        let history = history(text).expect("read");
        assert_eq!(history.metrics("valid"), ["accuracy", "loss"]);
        // The first of two that are alike, as the training keeps it.
        assert_eq!(history.best("valid/loss").expect("measured").epoch, 1);
        assert_eq!(history.best("valid/accuracy").expect("measured").epoch, 2);
        assert_eq!(history.best("train/loss").expect("measured").value, 0.5);
        assert_eq!(history.end(), Some((2, 4)));
    }

    #[test]
    fn a_place_is_a_step_where_epochs_have_several_evaluations() {
        let line = |step: u64, epoch: u64| {
            format!("{{\"step\":{step},\"epoch\":{epoch},\"split\":\"valid\",\"loss\":0.5}}\n")
        };
        let place = |text: String| {
            let history = history(&text).expect("read");
            history.place(&history.curve("valid", "loss")[1])
        };
        assert_eq!(place(line(2, 1) + &line(4, 2)), "epoch 2");
        assert_eq!(place(line(2, 1) + &line(4, 1) + &line(6, 2)), "step 4");
    }

    #[test]
    fn a_record_that_ends_with_no_finite_loss_is_of_a_training_that_diverged() {
        let text = "{\"step\":2,\"epoch\":1,\"split\":\"train\",\"loss\":0.5}\n\
                    {\"step\":2,\"epoch\":1,\"split\":\"valid\",\"loss\":null}\n";
        assert_eq!(history(text).expect("read").diverged(), None);
        let end = "{\"step\":3,\"epoch\":2,\"split\":\"train\",\"loss\":null}\n";
        let text = format!("{text}{end}");
        assert_eq!(history(&text).expect("read").diverged(), Some((2, 3)));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let error = history("{}\nnonsense\n{}\n").expect_err("damaged");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
