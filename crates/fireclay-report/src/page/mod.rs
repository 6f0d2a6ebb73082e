//! The page of a run.

mod again;
mod classes;
mod confusion;
mod cost;
mod drift;
mod explanations;
mod fairness;
mod language;
mod metrics;
mod more;
mod numbers;
mod samples;
mod sheet;
mod shell;
mod slices;
mod threshold;
mod training;
mod translations;
mod verdict;

pub(crate) use cost::{Cost, energy};
pub(crate) use metrics::in_order;
pub(crate) use shell::shell;
pub(crate) use training::table as curve_table;

use std::collections::BTreeSet;

use crate::chart::Chart;
use crate::folder::RunFolder;
use crate::html::{Html, el, tag};
use crate::section::Section;

/// The parts of the page of a run, in order.
pub(crate) fn sections(run: &RunFolder) -> Vec<Section> {
    let sections = [
        verdict::section(run),
        training::section(run),
        metrics::section(run),
        classes::section(run),
        threshold::section(run),
        numbers::section(run),
        slices::section(run),
        language::section(run),
        translations::section(run),
        samples::section(run),
        fairness::section(run),
        explanations::section(run),
        drift::section(run),
        cost::section(run),
        again::section(run),
    ];
    let mut sections: Vec<Section> = sections.into_iter().flatten().collect();
    one_of_each_name(&mut sections);
    sections
}

/// Gives a chart whose name another one before it has a number: names are links and files.
fn one_of_each_name(sections: &mut [Section]) {
    let charts = || sections.iter().flat_map(Section::charts);
    let mut names: BTreeSet<String> = charts().map(|chart| chart.id.clone()).collect();
    let mut seen = BTreeSet::new();
    for chart in sections.iter_mut().flat_map(Section::charts_mut) {
        if seen.insert(chart.id.clone()) {
            continue;
        }
        let mut numbered = (2..).map(|number: usize| format!("{}-{number}", chart.id));
        let free = numbered.find(|name| !names.contains(name));
        chart.id = free.expect("there are more numbers than charts");
        names.insert(chart.id.clone());
    }
}

/// All charts of a run.
pub(crate) fn charts(run: &RunFolder) -> Vec<Chart> {
    sections(run)
        .iter()
        .flat_map(|section| section.charts().cloned().collect::<Vec<_>>())
        .collect()
}

/// The page of a run: one HTML file that needs no other.
pub(crate) fn page(run: &RunFolder) -> String {
    shell(
        &format!("{}: report", run.name()),
        header(run),
        &sections(run),
    )
}

fn header(run: &RunFolder) -> Html {
    let text = |key: &str| run.key(key).and_then(toml::Value::as_str).unwrap_or("?");
    let device = run
        .locked("backend")
        .and_then(toml::Value::as_str)
        .unwrap_or(text("device.backend"));
    let facts = format!(
        "{} · model {} · data {} · {device}",
        text("task.type"),
        text("model.type"),
        data(run)
    );
    let inside = [
        el("p", &[("class", "over")], "fireclay report"),
        tag("h1", run.name()),
        el("p", &[("class", "facts")], facts),
    ];
    inside.into_iter().collect()
}

fn data(run: &RunFolder) -> String {
    let text = |key: &str| run.key(key).and_then(toml::Value::as_str);
    text("data.path")
        .or(text("data.url"))
        .or(text("data.type"))
        .unwrap_or("?")
        .to_owned()
}
