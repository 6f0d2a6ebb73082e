//! Predicted numbers against true ones.

use crate::chart::{Axis, Chart, Plane, Words, extremes, thinned};
use crate::folder::RunFolder;
use crate::predictions::Answers;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::number;

/// Columns of the histogram.
const COLUMNS: usize = 21;
/// Points of a table.
const ROWS: usize = 100;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, _) = run.judged()?;
    let Answers::Numbers { truth, predicted } = &run.predictions.get(split)?.answers else {
        return None;
    };
    let pairs = truth.iter().copied().zip(predicted.iter().copied());
    let pairs: Vec<(f64, f64)> = pairs
        .filter(|(t, p)| t.is_finite() && p.is_finite())
        .collect();
    if pairs.len() < 2 {
        return None;
    }
    let charts = vec![against(&pairs), residuals(&pairs), histogram(&pairs)];
    let lead = Block::Words(format!(
        "Of the {split} split, in the unit of the target. A residual is the prediction minus the truth."
    ));
    Section::of(
        "residuals",
        "Predictions and residuals",
        vec![lead, Block::Charts(charts)],
    )
}

fn against(pairs: &[(f64, f64)]) -> Chart {
    let both = || pairs.iter().flat_map(|(t, p)| [*t, *p]);
    let (low, high) = extremes(both());
    let plane = Plane::new(Axis::over("true", both()), Axis::over("predicted", both()));
    plane
        .straight((low, low), (high, high))
        .points(pairs)
        .chart(Words {
            id: "predicted-true",
            title: "Predicted against true",
            description: "On the straight line the two are the same.".into(),
            series: &["samples"],
            table: table("Predicted against true", ["true", "predicted"], pairs),
        })
}

fn residuals(pairs: &[(f64, f64)]) -> Chart {
    let points: Vec<(f64, f64)> = pairs.iter().map(|(t, p)| (*p, p - t)).collect();
    let (x, y) = (
        points.iter().map(|point| point.0),
        points.iter().map(|point| point.1),
    );
    let (low, high) = extremes(x.clone());
    let plane = Plane::new(Axis::over("predicted", x), Axis::over("residual", y));
    plane
        .straight((low, 0.0), (high, 0.0))
        .points(&points)
        .chart(Words {
            id: "residuals-predicted",
            title: "Residuals by prediction",
            description:
                "A slope, a bend or a widening here is something that the model did not learn."
                    .into(),
            series: &["samples"],
            table: table(
                "Residuals by prediction",
                ["predicted", "residual"],
                &points,
            ),
        })
}

fn histogram(pairs: &[(f64, f64)]) -> Chart {
    let residuals: Vec<f64> = pairs.iter().map(|(t, p)| p - t).collect();
    let (low, width, counts) = counted(&residuals);
    let column = |(index, count): (usize, &usize)| {
        (
            low + width * index as f64,
            low + width * (index as f64 + 1.0),
            *count as f64,
        )
    };
    let columns: Vec<(f64, f64, f64)> = counts.iter().enumerate().map(column).collect();
    let most = counts.iter().copied().max().unwrap_or(1) as f64;
    let plane = Plane::new(
        Axis::over("residual", [low, low + width * COLUMNS as f64]),
        Axis::between("samples", 0.0, 1.05 * most),
    );
    plane.columns(&columns).upright(0.0, "").chart(Words {
        id: "residuals",
        title: "Residuals",
        description: "How often the predictions are how far off; the line is 0.".into(),
        series: &["samples"],
        table: column_table(&columns),
    })
}

/// Where the first column begins, how wide each is, and how many residuals are in it.
fn counted(residuals: &[f64]) -> (f64, f64, [usize; COLUMNS]) {
    let (low, high) = extremes(residuals.iter().copied());
    let width = match high > low {
        true => (high - low) / COLUMNS as f64,
        false => 1.0,
    };
    let mut counts = [0_usize; COLUMNS];
    for residual in residuals {
        counts[(((residual - low) / width) as usize).min(COLUMNS - 1)] += 1;
    }
    (low, width, counts)
}

fn column_table(columns: &[(f64, f64, f64)]) -> Table {
    let row = |(from, to, n): &(f64, f64, f64)| {
        vec![
            Cell::Figure(format!("{} to {}", number(*from), number(*to))),
            Cell::count(*n as u64),
        ]
    };
    Table::new(
        "How often the predictions are how far off",
        &["residual", "samples"],
    )
    .with(columns.iter().map(row))
}

fn table(caption: &str, head: [&str; 2], points: &[(f64, f64)]) -> Table {
    let rows = thinned(points, ROWS)
        .into_iter()
        .map(|(x, y)| vec![Cell::from(x), y.into()]);
    let caption = match points.len() > ROWS {
        true => format!("{caption} ({ROWS} of {} samples)", points.len()),
        false => caption.to_owned(),
    };
    Table::new(caption, &head).with(rows)
}
