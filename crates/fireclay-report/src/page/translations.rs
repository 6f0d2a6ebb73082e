//! The best and the worst translations.

use crate::chart::{Axis, Chart, Plane, Words};
use crate::folder::RunFolder;
use crate::kept::Translation;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{count, number};

/// Rows of a table.
const SHOWN: usize = 12;
/// Columns of the histogram, over 0 to 100.
const COLUMNS: usize = 20;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, _) = run.judged()?;
    let all = run.kept.translations.iter();
    let mut found: Vec<&Translation> = all.filter(|found| found.split == split).collect();
    if found.is_empty() {
        return None;
    }
    // The sort is stable: of equal scores the first row of the file comes first.
    found.sort_by(|a, b| a.chrf.total_cmp(&b.chrf));
    let worst = table("Worst translations", &found[..found.len().min(SHOWN)]);
    let blocks = vec![
        Block::Words(lead(split, &found)),
        Block::Charts(vec![histogram(&found)]),
        Block::Heading("Worst".into()),
        Block::Table(worst),
        Block::Heading("Best".into()),
        Block::Table(table("Best translations", &best(&found))),
    ];
    Section::of("translations", "Best and worst translations", blocks)
}

/// The best first; of equal scores the first row of the file comes first.
fn best<'a>(sorted: &[&'a Translation]) -> Vec<&'a Translation> {
    let mut best = sorted.to_vec();
    best.sort_by(|a, b| b.chrf.total_cmp(&a.chrf).then(a.row.cmp(&b.row)));
    best.truncate(SHOWN);
    best
}

fn lead(split: &str, sorted: &[&Translation]) -> String {
    let n = sorted.len();
    let mean = sorted.iter().map(|found| found.chrf).sum::<f64>() / n as f64;
    let median = (sorted[(n - 1) / 2].chrf + sorted[n / 2].chrf) / 2.0;
    format!(
        "Of the {} texts of the {split} split, each with the chrF of its translation alone, from 0 to 100: mean {}, median \
         {}. chrF of the whole split is no mean of these: it counts runs of characters over all texts.",
        count(n as u64),
        number(mean),
        number(median)
    )
}

fn histogram(sorted: &[&Translation]) -> Chart {
    let width = 100.0 / COLUMNS as f64;
    let mut counts = [0_u64; COLUMNS];
    for found in sorted {
        counts[((found.chrf / width) as usize).min(COLUMNS - 1)] += 1;
    }
    let ends = |index: usize| (width * index as f64, width * (index + 1) as f64);
    let columns = counts.iter().enumerate().map(|(index, count)| {
        let (from, to) = ends(index);
        (from, to, *count as f64)
    });
    let most = counts.iter().copied().max().unwrap_or(1) as f64;
    let rows = counts.iter().enumerate().map(|(index, texts)| {
        let (from, to) = ends(index);
        vec![
            Cell::Figure(format!("{from:.0} to {to:.0}")),
            Cell::count(*texts),
        ]
    });
    Plane::new(
        Axis::between("chrF", 0.0, 100.0),
        Axis::between("texts", 0.0, 1.05 * most),
    )
    .columns(&columns.collect::<Vec<_>>())
    .chart(Words {
        id: "chrf-of-texts",
        title: "chrF by text",
        description: "How many texts are translated how well.".into(),
        series: &["texts"],
        table: Table::new("How many texts are translated how well", &["chrF", "texts"]).with(rows),
    })
}

fn table(caption: &str, shown: &[&Translation]) -> Table {
    let row = |found: &&Translation| {
        vec![
            Cell::count(found.row),
            found.chrf.into(),
            found.source.clone().into(),
            found.reference.clone().into(),
            found.translation.clone().into(),
        ]
    };
    let head = ["row", "chrF", "source", "reference", "translation"];
    Table::new(caption, &head).with(shown.iter().map(row))
}
