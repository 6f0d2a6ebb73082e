//! A comparison as a page.

use super::Comparison;
use crate::chart::{Axis, Chart, Plane, Words};
use crate::folder::RunFolder;
use crate::history::Point;
use crate::html::{Html, el, tag};
use crate::page::{curve_table, shell};
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{count, duration, number};

/// Metrics whose curves are laid over each other.
const CURVES: [&str; 7] = [
    "loss",
    "accuracy",
    "roc_auc",
    "rmse",
    "perplexity",
    "bits_per_byte",
    "bleu",
];

/// The page of a comparison.
pub(super) fn page(comparison: &Comparison, runs: &[RunFolder]) -> String {
    let sections = [
        differences(comparison),
        paired(comparison),
        metrics(comparison),
        curves(comparison, runs),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    let header = [
        el("p", &[("class", "over")], "fireclay compare"),
        tag("h1", format!("{} runs", comparison.names.len())),
        el("p", &[("class", "facts")], comparison.names.join(" · ")),
    ];
    shell(
        "Comparison of runs",
        header.into_iter().collect::<Html>(),
        &sections,
    )
}

fn differences(comparison: &Comparison) -> Option<Section> {
    let row = |row: &super::Difference| {
        let values = row
            .values
            .iter()
            .map(|value| value.clone().map_or(Cell::None, Cell::Text));
        std::iter::once(Cell::Text(row.key.clone()))
            .chain(values)
            .collect()
    };
    let block = match comparison.differences.is_empty() {
        true => Block::Words("The configurations are the same.".into()),
        false => Block::Table(
            head("Keys that are not the same", "key", &comparison.names)
                .with(comparison.differences.iter().map(row)),
        ),
    };
    Section::of("differences", "What was set otherwise", vec![block])
}

fn paired(comparison: &Comparison) -> Option<Section> {
    let mut blocks = Vec::new();
    if let Some(first) = comparison.paired.first() {
        let split = &first.split;
        blocks.push(Block::Words(format!("Both runs answered the same samples of the {split} split; a difference is the second minus the first, its 95 % interval by paired bootstrap. It is called real if the interval leaves 0 out. That is a statement about other samples, not about other seeds.")));
        blocks.push(Block::Table(paired_table(comparison)));
    }
    let notes = comparison.notes.iter();
    blocks.extend(notes.map(|note| Block::Words(note.clone())));
    Section::of("paired", "Which differences are real", blocks)
}

fn paired_table(comparison: &Comparison) -> Table {
    let head = [
        "first",
        "second",
        "metric",
        "samples",
        "difference",
        "95 % interval",
        "verdict",
    ];
    let rows = comparison.paired.iter();
    Table::new("Differences over the same samples", &head)
        .with(rows.map(|row| paired_row(&comparison.names, row)))
}

fn paired_row(names: &[String], row: &super::PairedRow) -> Vec<Cell> {
    let verdict = match row.better {
        Some(better) => format!("real: {} is better", names[better]),
        None => "may be chance".to_owned(),
    };
    let interval = format!("{} to {}", number(row.low), number(row.high));
    vec![
        names[row.first].clone().into(),
        names[row.second].clone().into(),
        row.metric.clone().into(),
        Cell::count(row.n as u64),
        row.difference.into(),
        Cell::Figure(interval),
        verdict.into(),
    ]
}

fn metrics(comparison: &Comparison) -> Option<Section> {
    let row = |row: &super::MetricRow| {
        let values = row.values.iter().map(|value| Cell::from(*value));
        std::iter::once(Cell::Text(format!("{} {}", row.split, row.metric)))
            .chain(values)
            .collect()
    };
    let time = comparison
        .seconds
        .iter()
        .map(|seconds| seconds.map_or(Cell::None, |seconds| Cell::Figure(duration(seconds))));
    let time = std::iter::once(Cell::from("time")).chain(time).collect();
    let rows = comparison.metrics.iter().map(row).chain([time]);
    let table = head("Metrics of each run", "metric", &comparison.names).with(rows);
    Section::of("metrics", "Metrics", vec![Block::Table(table)])
}

fn curves(comparison: &Comparison, runs: &[RunFolder]) -> Option<Section> {
    let charts: Vec<Chart> = CURVES
        .iter()
        .filter_map(|metric| curve(comparison, runs, metric))
        .collect();
    if charts.is_empty() {
        return None;
    }
    Section::of(
        "curves",
        "Curves of the validation split",
        vec![Block::Charts(charts)],
    )
}

fn curve(comparison: &Comparison, runs: &[RunFolder], metric: &str) -> Option<Chart> {
    let curves: Vec<Vec<Point>> = runs
        .iter()
        .map(|run| run.history.curve("valid", metric))
        .collect();
    if curves.iter().filter(|curve| curve.len() > 1).count() < 2 {
        return None;
    }
    let points = || curves.iter().flatten();
    let last = points().map(|point| point.step).max()?;
    let values: Vec<f64> = points().map(|point| point.value).collect();
    let plane = Plane::new(
        Axis::between("step", 0.0, last as f64),
        Axis::logarithmic_if_wide(metric, values),
    );
    let flat = |curve: &Vec<Point>| -> Vec<(f64, f64)> {
        curve
            .iter()
            .map(|point| (point.step as f64, point.value))
            .collect()
    };
    let plane = curves
        .iter()
        .fold(plane, |plane, curve| plane.curve(&flat(curve)));
    let names: Vec<&str> = comparison.names.iter().map(String::as_str).collect();
    let named: Vec<(&str, &[Point])> = names
        .iter()
        .copied()
        .zip(curves.iter().map(Vec::as_slice))
        .collect();
    Some(plane.chart(Words {
        id: &metric.replace('_', "-"),
        title: metric,
        description: format!("{} evaluations in all.", count(points().count() as u64)),
        series: &names,
        table: curve_table(&format!("{metric} of the validation split by step"), &named),
    }))
}

fn head(caption: &str, first: &str, names: &[String]) -> Table {
    let mut head = vec![first];
    head.extend(names.iter().map(String::as_str));
    Table::new(caption, &head)
}
