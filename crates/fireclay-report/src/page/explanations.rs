//! What the model looks at: `explanations.json`.

use serde::Deserialize;
use serde_json::Value;

use super::more::{id, shown, words};
use crate::chart::{Bar, Words, bars};
use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{number, plural};

/// Bars of a chart.
const BARS: usize = 20;
/// Samples of a table.
const SAMPLES: usize = 10;

/// What a method found over some samples.
#[derive(Debug, Deserialize)]
struct Explanation {
    method: String,
    #[serde(default)]
    of: String,
    #[serde(default)]
    over: String,
    #[serde(default)]
    n: usize,
    baseline: Option<String>,
    #[serde(default)]
    meaning: String,
    columns: Vec<Column>,
    #[serde(default)]
    samples: Vec<Sample>,
    completeness: Option<Value>,
    randomised: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    value: f64,
    interval: Option<[f64; 2]>,
    cell: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    name: String,
    target: Option<String>,
    value: f64,
    #[serde(default)]
    columns: Vec<Column>,
}

/// What is written otherwise is shown by its keys.
pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let found = run.explanations.as_ref()?;
    let list = found.get("explanations").unwrap_or(found);
    let blocks = match Vec::<Explanation>::deserialize(list) {
        Ok(all) => all
            .iter()
            .enumerate()
            .flat_map(|(index, one)| explanation(index, one))
            .collect(),
        Err(_) => shown("explanations", found, 0),
    };
    Section::of("explanations", "Explanations", blocks)
}

fn explanation(index: usize, found: &Explanation) -> Vec<Block> {
    let mut blocks = vec![
        Block::Heading(words(&found.method)),
        Block::Words(said(found)),
    ];
    let bar = |column: &Column| Bar {
        name: column.name.clone(),
        value: column.value,
        interval: column.interval.map(|[low, high]| (low, high)),
        note: column.cell.clone().unwrap_or_default(),
    };
    let list: Vec<Bar> = found.columns.iter().take(BARS).map(bar).collect();
    if !list.is_empty() {
        let rows = found
            .columns
            .iter()
            .take(200)
            .map(|column| vec![column.name.clone().into(), column.value.into()]);
        let table = Table::new(
            format!("Importance by {}", words(&found.method)),
            &["column", "value"],
        )
        .with(rows);
        blocks.push(Block::Charts(vec![bars(
            &list,
            None,
            Words {
                id: &id(&format!("explanation-{index}-{}", found.method)),
                title: &format!("Importance by {}", words(&found.method)),
                description: format!("The largest of {} first.", found.columns.len()),
                series: &["importance"],
                table,
            },
        )]));
    }
    blocks.extend(samples(found).map(Block::Table));
    blocks
}

fn said(found: &Explanation) -> String {
    let mut said = format!(
        "Of {} over {} ({}).",
        found.of,
        found.over,
        plural(found.n, "sample")
    );
    if !found.meaning.is_empty() {
        said += &format!(" A value is {}.", found.meaning);
    }
    if let Some(baseline) = &found.baseline {
        said += &format!(" Compared with {baseline}.");
    }
    let error = found
        .completeness
        .as_ref()
        .and_then(|sums| sums.get("error")?.as_f64());
    if let Some(error) = error {
        said += &format!(
            " What the attributions of a sample add up to is off by {} at most.",
            number(error.abs())
        );
    }
    if let Some(same) = found.randomised {
        said += &format!(
            " The mean rank correlation with what the same architecture shows with shuffled weights is {}; near 1 the explanation says nothing about the model.",
            number(same)
        );
    }
    said
}

/// Some samples with what counts most in each.
fn samples(found: &Explanation) -> Option<Table> {
    let part = |column: &Column| {
        let cell = column
            .cell
            .as_ref()
            .map(|cell| format!(" = {cell}"))
            .unwrap_or_default();
        format!("{}{cell}: {}", column.name, number(column.value))
    };
    let row = |sample: &Sample| {
        let mut columns: Vec<&Column> = sample.columns.iter().collect();
        columns.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
        let most: Vec<String> = columns.into_iter().take(4).map(part).collect();
        vec![
            sample.name.clone().into(),
            sample.target.clone().map_or(Cell::None, Cell::Text),
            sample.value.into(),
            most.join("; ").into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = found.samples.iter().take(SAMPLES).map(row).collect();
    let table = Table::new(
        format!("Samples explained by {}", words(&found.method)),
        &["sample", "target", "value", "what counts most"],
    );
    (!rows.is_empty()).then(|| table.with(rows))
}
