//! How far what was served is from the training: a saved answer of `/drift`.

use crate::chart::{Bar, Words, bars};
use crate::drift::{Drift, Moved};
use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{count, number};

/// Bars of the chart.
const BARS: usize = 20;
/// Rows of the table.
const ROWS: usize = 200;
/// From where on a column is said to have moved (Siddiqi 2006, *Credit Risk Scorecards*).
const LIMIT: f64 = 0.25;
/// How far above what chance gives an index must be to say anything.
const BEYOND_CHANCE: f64 = 3.0;

/// Of a run without such an answer there is nothing.
pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let drift = run.drift.as_ref()?;
    let mut blocks = vec![Block::Words(said(drift))];
    if drift.n > 0 {
        blocks.push(Block::Charts(vec![chart(drift)]));
    }
    Section::of("drift", "Drift of what was served", blocks)
}

/// Whether a column is beyond the limit, and not by chance.
fn has_moved(column: &Moved) -> bool {
    column.psi > LIMIT && column.psi > BEYOND_CHANCE * column.psi_by_chance
}

fn said(drift: &Drift) -> String {
    let compared = format!(
        "{} served samples of {} were compared with {} of the training.",
        count(drift.n),
        drift.model,
        count(drift.training_rows)
    );
    if drift.n == 0 {
        return format!("{compared} Nothing can be said yet.");
    }
    let moved: Vec<&str> = drift
        .columns
        .iter()
        .filter(|column| has_moved(column))
        .map(|column| column.name.as_str())
        .collect();
    let found = match moved[..] {
        [] => {
            "No column has moved beyond the usual limit of 0.25 and three times what chance gives."
                .to_owned()
        }
        _ => format!(
            "Beyond the usual limit of 0.25, and not by chance, are: {}.",
            moved.join(", ")
        ),
    };
    format!("{compared} {found} An index near what chance gives says that nothing has moved.")
}

fn chart(drift: &Drift) -> crate::chart::Chart {
    let bar = |column: &Moved| Bar {
        name: column.name.clone(),
        value: column.psi,
        interval: None,
        note: format!("by chance {}", number(column.psi_by_chance)),
    };
    let list: Vec<Bar> = drift.columns.iter().take(BARS).map(bar).collect();
    bars(
        &list,
        Some(LIMIT),
        Words {
            id: "drift",
            title: "Population stability index",
            description: format!(
                "The largest of {} first; the line is the usual limit of {LIMIT}.",
                drift.columns.len()
            ),
            series: &["population stability index"],
            table: table(drift),
        },
    )
}

fn table(drift: &Drift) -> Table {
    let row = |column: &Moved| {
        vec![
            Cell::from(column.name.clone()),
            Cell::Figure(count(column.n)),
            column.psi.into(),
            column.psi_by_chance.into(),
            column.unseen.map_or(Cell::None, Cell::Number),
        ]
    };
    let head = ["column", "values", "index", "by chance", "not in training"];
    Table::new("How far each column has moved", &head)
        .with(drift.columns.iter().take(ROWS).map(row))
}
