//! The parts of a split that the columns give.

use crate::chart::{Bar, Chart, Words, bars};
use crate::folder::RunFolder;
use crate::outcome::Outcomes;
use crate::section::{Block, Section};
use crate::slices::{Part, parts};
use crate::table::{Cell, Table};
use crate::text::{count, number, plural};

/// Bars of a chart.
const SHOWN: usize = 20;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, _) = run.judged()?;
    let outcomes = Outcomes::of(run.predictions.get(split)?);
    let parts = parts(run, split);
    if parts.is_empty() {
        return None;
    }
    let table = table(outcomes.metric, &parts);
    let chart = chart(&outcomes, &parts, table.clone());
    let lead = format!(
        "Found in the columns that the run kept beside its predictions, and in pairs of them: {} of ten samples or more. A slice differs beyond chance if it does after correction for their number (Bonferroni, 5 %).",
        plural(parts.len(), "slice")
    );
    Section::of(
        "slices",
        "Slices",
        vec![
            Block::Words(lead),
            Block::Charts(vec![chart]),
            Block::Table(table),
        ],
    )
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
        (false, _) => "no",
        (true, true) => "worse",
        (true, false) => "better",
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
