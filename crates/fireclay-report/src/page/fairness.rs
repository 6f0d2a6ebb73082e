//! How the model treats groups: the key `fairness` of the evaluation.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::more::{id, shown, words};
use crate::chart::{Bar, Chart, Words, bars};
use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{count, number, plural};

/// The rates that get a chart where they are there.
const CHARTED: [&str; 4] = [
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "accuracy",
];

/// How differences are told from chance.
const TEST: &str = "Whether the lowest and the highest rate differ beyond chance is told by Fisher's exact test, with Holm's correction for all pairs of groups; the interval of the difference is that of the two alone (Newcombe). Intervals of two groups may overlap although they differ.";

/// The groups of one attribute, or of several together.
#[derive(Debug, Deserialize)]
struct Attribute {
    name: String,
    groups: Vec<Group>,
    #[serde(default)]
    differences: BTreeMap<String, f64>,
    four_fifths: Option<bool>,
    #[serde(default)]
    farthest: BTreeMap<String, Value>,
    #[serde(default)]
    findings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    n: usize,
    #[serde(default)]
    small: bool,
    #[serde(default)]
    rates: BTreeMap<String, Rate>,
    #[serde(default)]
    values: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Rate {
    value: f64,
    low: f64,
    high: f64,
}

/// Of the split that is judged; what is written otherwise is shown by its keys.
pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, _) = run.judged()?;
    let found = run.evaluation_json.get(split)?.get("fairness");
    let found = found.or_else(|| run.evaluation_json.get("fairness"))?;
    let attributes = found
        .get("attributes")
        .cloned()
        .map(Vec::<Attribute>::deserialize);
    let Some(Ok(attributes)) = attributes else {
        return Section::of("fairness", "Fairness", shown("fairness", found, 0));
    };
    let mut blocks = vec![Block::Words(lead(split, found))];
    if attributes
        .iter()
        .any(|attribute| !attribute.farthest.is_empty())
    {
        blocks.push(Block::Words(TEST.into()));
    }
    for attribute in &attributes {
        blocks.extend(attribute_blocks(attribute));
    }
    if let Some(why) = found.get("unmitigated").and_then(Value::as_str) {
        blocks.push(Block::Words(format!(
            "No group has a threshold of its own: {why}."
        )));
    }
    if let Some(price) = found.get("thresholds") {
        blocks.push(Block::Heading("Thresholds by group".into()));
        blocks.extend(shown("fairness-thresholds", price, 1));
    }
    Section::of("fairness", "Fairness", blocks)
}

fn lead(split: &str, found: &Value) -> String {
    let least = found.get("min_group_size").and_then(Value::as_u64);
    let least = least
        .map(|least| {
            format!(
                " Groups of fewer than {least} samples are shown, and left out of every difference."
            )
        })
        .unwrap_or_default();
    format!("Of the {split} split, by group, with 95 % intervals.{least}")
}

fn attribute_blocks(attribute: &Attribute) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(attribute.name.clone())];
    blocks.extend(
        attribute
            .findings
            .iter()
            .map(|finding| Block::Words(finding.clone())),
    );
    let charts: Vec<Chart> = CHARTED
        .iter()
        .filter_map(|rate| chart(attribute, rate))
        .collect();
    blocks.push(Block::Charts(charts));
    blocks.push(Block::Table(groups(attribute)));
    if !attribute.differences.is_empty() {
        let row = |(name, value): (&String, &f64)| vec![words(name).into(), (*value).into()];
        let fifths = attribute.four_fifths.map(|holds| {
            vec![
                "four-fifths rule".into(),
                if holds { "holds" } else { "does not hold" }.into(),
            ]
        });
        let table = Table::new(
            format!("How far apart the groups of {} are", attribute.name),
            &["measure", "value"],
        );
        blocks.push(Block::Table(
            table.with(attribute.differences.iter().map(row).chain(fifths)),
        ));
    }
    blocks
}

fn groups(attribute: &Attribute) -> Table {
    let rates = names(attribute, |group| group.rates.keys().cloned().collect());
    let values = names(attribute, |group| group.values.keys().cloned().collect());
    let rows = attribute.groups.iter();
    let mut table = Table::new(
        format!("Groups of {}", attribute.name),
        &["group", "samples"],
    )
    .with(rows.map(|group| group_row(group, &rates, &values)));
    table
        .head
        .extend(rates.iter().chain(&values).map(|name| words(name)));
    table
}

/// The names that any of the groups has, each once.
fn names(attribute: &Attribute, of: impl Fn(&Group) -> Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = attribute.groups.iter().flat_map(of).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn group_row(group: &Group, rates: &[String], values: &[String]) -> Vec<Cell> {
    let name = match group.small {
        true => format!("{} (small)", group.name),
        false => group.name.clone(),
    };
    let rate = |rate: &String| {
        group.rates.get(rate).map_or(Cell::None, |rate| {
            Cell::Figure(format!(
                "{} ({} to {})",
                number(rate.value),
                number(rate.low),
                number(rate.high)
            ))
        })
    };
    let value = |name: &String| Cell::from(group.values.get(name).copied());
    let head = [Cell::Text(name), Cell::count(group.n as u64)];
    head.into_iter()
        .chain(rates.iter().map(rate))
        .chain(values.iter().map(value))
        .collect()
}

fn chart(attribute: &Attribute, rate: &str) -> Option<Chart> {
    let bar = |group: &Group| {
        let found = group.rates.get(rate)?;
        Some(Bar {
            name: group.name.clone(),
            value: found.value,
            interval: Some((found.low, found.high)),
            note: format!("{} samples", count(group.n as u64)),
        })
    };
    let list: Vec<Bar> = attribute.groups.iter().filter_map(bar).take(24).collect();
    if list.len() < 2 {
        return None;
    }
    let rows = list
        .iter()
        .map(|bar| vec![bar.name.clone().into(), bar.value.into()]);
    let table = Table::new(
        format!("{} by {}", words(rate), attribute.name),
        &["group", "value"],
    )
    .with(rows);
    Some(bars(
        &list,
        None,
        Words {
            id: &id(&format!("fairness-{}-{rate}", attribute.name)),
            title: &format!("{} by {}", words(rate), attribute.name),
            description: format!("{}, with 95 % intervals.", plural(list.len(), "group")),
            series: &["rate"],
            table,
        },
    ))
}
