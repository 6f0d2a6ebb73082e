//! The metrics of every split beside the trivial answer.

use fireclay_metrics::{ClassCoverage, Interval, IntervalMethod, Report};
use serde::Deserialize;
use serde_json::Value;

use crate::folder::RunFolder;
use crate::outcome::headline;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{number, percent};

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let mut blocks = Vec::new();
    for (split, report) in in_order(run) {
        blocks.push(Block::Heading(format!("{} split", named(split))));
        blocks.push(Block::Words(said(report)));
        blocks.push(Block::Table(table(split, report)));
        blocks.extend(more(run, split));
    }
    Section::of("metrics", "Metrics", blocks)
}

/// A finding of the evaluation in words; `None` if it is not written as expected.
type Told = fn(&Value) -> Option<String>;

/// What the evaluation says beside metrics: what a temperature changes, and how often sets or intervals hold
/// the truth.
fn more(run: &RunFolder, split: &str) -> Vec<Block> {
    let found = |key: &str| run.evaluation_json.get(split)?.get(key);
    let said = |(key, words): (&str, Told)| words(found(key)?).map(Block::Words);
    let known: [(&str, Told); 2] = [("calibration", temperature), ("coverage", coverage)];
    let classes = found("coverage").and_then(|found| by_class(split, found));
    let said = known.into_iter().filter_map(said);
    said.chain(classes.map(Block::Table)).collect()
}

/// How often the sets of the samples of each class hold it, where the coverage is stated of every class.
fn by_class(split: &str, found: &Value) -> Option<Table> {
    let classes = Vec::<ClassCoverage>::deserialize(found.get("by_class")?).ok()?;
    let row = |class: &ClassCoverage| {
        let measured = class.measured;
        let interval = measured.map(|rate| {
            let [low, high] = [rate.low, rate.high].map(percent);
            Cell::Figure(format!("{low} to {high}"))
        });
        vec![
            Cell::Text(class.class.clone()),
            Cell::count(measured.map_or(0, |rate| rate.n as u64)),
            measured.map_or(Cell::None, |rate| Cell::Figure(percent(rate.value))),
            interval.unwrap_or(Cell::None),
            class.least.into(),
        ]
    };
    let head = [
        "class",
        "samples",
        "held by their sets",
        "95 % interval",
        "least probability in a set",
    ];
    let table = Table::new(format!("Coverage by class of the {split} split"), &head);
    (!classes.is_empty()).then(|| table.with(classes.iter().map(row)))
}

fn temperature(found: &Value) -> Option<String> {
    let of = |key: &str| found.get(key)?.as_f64().map(number);
    Some(format!(
        "A temperature of {} was fitted on the validation split. Without it the expected calibration error would be {}, with it it is {}; log-loss {} and {}.",
        of("temperature")?,
        of("ece_before")?,
        of("ece")?,
        of("log_loss_before")?,
        of("log_loss")?
    ))
}

fn coverage(found: &Value) -> Option<String> {
    let measured = |key: &str| found.get("measured")?.get(key)?.as_f64().map(percent);
    let note = found.get("note").and_then(Value::as_str);
    let note = note
        .map(|note| format!(" Note: {note}."))
        .unwrap_or_default();
    Some(format!(
        "Prediction sets or intervals with a stated coverage of {} hold the truth of {} of the samples (95 % interval {} to {}); their mean size is {}.{note}",
        percent(found.get("stated")?.as_f64()?),
        measured("value")?,
        measured("low")?,
        measured("high")?,
        number(found.get("mean_size")?.as_f64()?)
    ))
}

/// The splits, the one that is judged first.
pub(crate) fn in_order(run: &RunFolder) -> Vec<(&str, &Report)> {
    let mut splits: Vec<(&str, &Report)> = run
        .evaluation
        .iter()
        .map(|(name, report)| (name.as_str(), report))
        .collect();
    let place = |name: &str| {
        ["test", "valid", "train"]
            .iter()
            .position(|known| *known == name)
            .unwrap_or(3)
    };
    splits.sort_by_key(|(name, _)| place(name));
    splits
}

fn named(split: &str) -> &str {
    match split {
        "test" => "Test",
        "valid" => "Validation",
        "train" => "Training",
        other => other,
    }
}

fn said(report: &Report) -> String {
    let mut said = format!("{} samples.", crate::text::count(report.n as u64));
    if let Some(baseline) = &report.baseline {
        said += &format!(" Trivial answer: {}.", baseline.answer);
    }
    if let Some(positive) = &report.positive {
        said += &format!(" Precision, recall and F1 are those of the class “{positive}”.");
    }
    if let Some(interval) = &report.interval {
        said += &format!(" {}.", method(interval));
    }
    said
}

fn method(interval: &Interval) -> String {
    let how = match interval.method {
        IntervalMethod::Bootstrap => "by bootstrap over the samples",
        IntervalMethod::Wilson => "by Wilson's score",
    };
    format!(
        "The {:.0} % interval of {} is {how}",
        100.0 * interval.level,
        interval.metric
    )
}

/// A row for each metric, the headline first.
fn table(split: &str, report: &Report) -> Table {
    let first = headline(report);
    let mut metrics: Vec<(&String, &f64)> = report.metrics.iter().collect();
    metrics.sort_by_key(|(name, _)| (Some(name.as_str()) != first, name.as_str()));
    let baseline = report.baseline.as_ref();
    let interval = |name: &str| {
        report
            .interval
            .as_ref()
            .filter(|interval| interval.metric == name)
    };
    let row = |(name, value): (&String, &f64)| {
        let mut row = vec![Cell::Text(name.clone()), Cell::Number(*value)];
        row.push(match interval(name) {
            Some(interval) => Cell::Figure(format!(
                "{} to {}",
                number(interval.low),
                number(interval.high)
            )),
            None => Cell::None,
        });
        row.extend(baseline.map(|baseline| Cell::from(baseline.metrics.get(name).copied())));
        row
    };
    let mut head = vec!["metric", "value", "95 % interval"];
    head.extend(baseline.map(|_| "trivial answer"));
    Table::new(format!("Metrics of the {split} split"), &head).with(metrics.into_iter().map(row))
}
