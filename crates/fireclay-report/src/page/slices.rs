//! The parts of a split that the columns give.

use crate::chart::{Bar, Chart, Words, bars};
use crate::folder::RunFolder;
use crate::outcome::{FEWEST_OF_A_PART, Outcomes};
use crate::section::{Block, Section};
use crate::slices::{Part, left_out, parts};
use crate::table::{Cell, Table};
use crate::text::{count, listed, number, plural};

/// Bars of a chart.
const SHOWN: usize = 20;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, _) = run.judged()?;
    let predictions = run.predictions.get(split)?;
    let outcomes = Outcomes::of(predictions);
    let (parts, names) = (parts(run, split), left_out(predictions));
    if parts.is_empty() && names.is_empty() {
        return None;
    }
    let mut blocks = match names.is_empty() {
        true => Vec::new(),
        false => vec![Block::Words(format!(
            "No slices are made of {}: too many different values that are no numbers.",
            listed(&names, 12)
        ))],
    };
    if parts.is_empty() {
        return Section::of("slices", "Slices", blocks);
    }
    let table = table(outcomes.metric, &parts);
    let chart = chart(&outcomes, &parts, table.clone());
    let lead = format!(
        "Found in the columns that the run kept beside its predictions (data.extra_columns), in pairs of them, and for numbers in how large the prediction is: {} of {FEWEST_OF_A_PART} samples or more. Numbers are cut into quarters of the samples. A slice differs beyond chance if its samples, drawn at random, would do so in fewer than 5 % of the cases ({}), after Holm's correction for the number of slices.",
        plural(parts.len(), "slice"),
        match outcomes.are_hits {
            true => "Fisher's exact test",
            false => "a permutation test",
        }
    );
    let found = [
        Block::Words(lead),
        Block::Charts(vec![chart]),
        Block::Table(table),
    ];
    blocks.splice(0..0, found);
    Section::of("slices", "Slices", blocks)
}

fn table(metric: &str, parts: &[Part]) -> Table {
    let head = [
        "slice",
        "samples",
        metric,
        "95 % interval",
        "all others",
        "differs beyond chance",
    ];
    Table::new(format!("{metric} by slice"), &head).with(parts.iter().map(row))
}

fn row(part: &Part) -> Vec<Cell> {
    let (low, high) = part.interval.unwrap_or((part.value, part.value));
    let differs = match (part.differs, part.worse) {
        (false, _) => format!("no (p = {})", number(part.p)),
        (true, true) => format!("worse (p = {})", number(part.p)),
        (true, false) => format!("better (p = {})", number(part.p)),
    };
    vec![
        part.name.clone().into(),
        Cell::count(part.n as u64),
        part.value.into(),
        Cell::Figure(format!("{} to {}", number(low), number(high))),
        part.others.into(),
        differs.into(),
    ]
}

fn chart(outcomes: &Outcomes, parts: &[Part], table: Table) -> Chart {
    let all: Vec<usize> = (0..outcomes.values.len()).collect();
    let whole = outcomes.mean(&all);
    let bar = |part: &Part| Bar {
        name: part.name.clone(),
        value: part.value,
        interval: part.interval,
        note: format!("{} samples", count(part.n as u64)),
    };
    let list: Vec<Bar> = parts.iter().take(SHOWN).map(bar).collect();
    let words = Words {
        id: "slices",
        title: &format!("{} by slice", outcomes.metric),
        description: format!(
            "The worst first, with 95 % intervals; the line is the whole split, {}.",
            number(whole)
        ),
        series: &["slices"],
        table,
    };
    bars(&list, Some(whole), words)
}
