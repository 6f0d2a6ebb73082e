//! The curves of the training.

use crate::chart::{Axis, Chart, Plane, Words};
use crate::folder::RunFolder;
use crate::history::Point;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::number;

/// Metrics of the validation split whose curves are shown, those of each task.
const SHOWN: [&str; 10] = [
    "accuracy",
    "balanced_accuracy",
    "roc_auc",
    "map",
    "rmse",
    "r2",
    "perplexity",
    "bits_per_byte",
    "bleu",
    "chrf",
];
/// Rows of the table of a curve.
const ROWS: usize = 200;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let mut charts: Vec<Chart> = loss(run).into_iter().collect();
    let metrics = run.history.metrics("valid");
    let shown = SHOWN
        .into_iter()
        .filter(|name| metrics.contains(name))
        .take(3);
    charts.extend(shown.filter_map(|name| metric(run, name)));
    charts.extend(steps(
        run,
        "learning_rate",
        "Learning rate",
        "How far each update goes.",
    ));
    charts.extend(steps(
        run,
        "grad_norm",
        "Norm of the gradients",
        "Peaks are updates that could have gone astray.",
    ));
    let lead = Block::Words(chosen(run)?);
    Section::of("training", "Training", vec![lead, Block::Charts(charts)])
}

/// Which weights the run kept, and where the training ended.
fn chosen(run: &RunFolder) -> Option<String> {
    let (epoch, step) = run.history.end()?;
    let end = format!("The training ended after step {step} in epoch {epoch}.");
    Some(match best(run) {
        Some(best) => {
            let monitor = monitor(run).unwrap_or_default();
            format!(
                "The run kept the weights of epoch {} (step {}), where {monitor} was best: {}. {end}",
                best.epoch,
                best.step,
                number(best.value)
            )
        }
        None => end,
    })
}

fn monitor(run: &RunFolder) -> Option<&str> {
    run.key("checkpoint.monitor")?.as_str()
}

/// The evaluation whose weights the run keeps; `None` if it keeps the last.
fn best(run: &RunFolder) -> Option<Point> {
    let keeps = run.key("checkpoint.keep_best")?.as_bool()?;
    keeps.then(|| run.history.best(monitor(run)?)).flatten()
}

fn loss(run: &RunFolder) -> Option<Chart> {
    let (train, valid) = (
        run.history.curve("train", "epoch_loss"),
        run.history.curve("valid", "loss"),
    );
    if train.len() + valid.len() < 2 {
        return None;
    }
    let both = train.iter().chain(&valid);
    let x = axis_of_steps(both.clone());
    let y = Axis::logarithmic_if_wide("loss", both.map(|point| point.value));
    let curves = [
        ("training", train.as_slice()),
        ("validation", valid.as_slice()),
    ];
    let words = Words {
        id: "loss",
        title: "Loss",
        description: "Training loss is the mean over an epoch, while the weights change; validation loss is that of the weights at its end.".into(),
        series: &["training", "validation"],
        table: table("Loss by step", &curves),
    };
    Some(chart(run, Plane::new(x, y), &curves, words))
}

fn metric(run: &RunFolder, name: &str) -> Option<Chart> {
    let curve = run.history.curve("valid", name);
    if curve.len() < 2 {
        return None;
    }
    let curves = [(name, curve.as_slice())];
    let y = Axis::logarithmic_if_wide(name, curve.iter().map(|point| point.value));
    let words = Words {
        id: &format!("valid-{}", name.replace('_', "-")),
        title: &format!("{name} of the validation split"),
        description: "Measured at every evaluation.".into(),
        series: &[name],
        table: table(&format!("{name} of the validation split by step"), &curves),
    };
    Some(chart(
        run,
        Plane::new(axis_of_steps(curve.iter()), y),
        &curves,
        words,
    ))
}

fn steps(run: &RunFolder, name: &str, title: &str, description: &str) -> Option<Chart> {
    let curve = run.history.curve("train", name);
    if curve.len() < 2 {
        return None;
    }
    let curves = [(title, curve.as_slice())];
    let y = match name {
        "grad_norm" => Axis::logarithmic_if_wide("norm", curve.iter().map(|point| point.value)),
        _ => Axis::over("learning rate", curve.iter().map(|point| point.value)),
    };
    let words = Words {
        id: &name.replace('_', "-"),
        title,
        description: description.into(),
        series: &[title],
        table: table(&format!("{title} by step"), &curves),
    };
    Some(chart(
        run,
        Plane::new(axis_of_steps(curve.iter()), y),
        &curves,
        words,
    ))
}

fn chart(run: &RunFolder, plane: Plane, curves: &[(&str, &[Point])], words: Words<'_>) -> Chart {
    let points = |curve: &[Point]| -> Vec<(f64, f64)> {
        curve
            .iter()
            .map(|point| (point.step as f64, point.value))
            .collect()
    };
    let mut plane = curves
        .iter()
        .fold(plane, |plane, (_, curve)| plane.curve(&points(curve)));
    if let Some(best) = best(run) {
        plane = plane.upright(
            best.step as f64,
            &format!("kept: {}", run.history.place(&best)),
        );
    }
    plane.chart(words)
}

fn axis_of_steps<'a>(points: impl Iterator<Item = &'a Point>) -> Axis {
    let last = points.map(|point| point.step).max().unwrap_or(1);
    Axis::between("step", 0.0, last as f64)
}

/// The values of curves side by side, by step; of many steps, some evenly chosen ones.
pub(crate) fn table(caption: &str, curves: &[(&str, &[Point])]) -> Table {
    let mut steps: Vec<(u64, u64)> = curves
        .iter()
        .flat_map(|(_, curve)| curve.iter().map(|point| (point.step, point.epoch)))
        .collect();
    steps.sort_unstable();
    steps.dedup();
    let all = steps.len();
    let steps = crate::chart::thinned(&steps, ROWS);
    let caption = match all > ROWS {
        true => format!("{caption} ({ROWS} of {all} steps)"),
        false => caption.to_owned(),
    };
    let mut head = vec!["step", "epoch"];
    head.extend(curves.iter().map(|(name, _)| *name));
    Table::new(caption, &head).with(steps.into_iter().map(|(step, epoch)| {
        let value = |curve: &[Point]| {
            curve
                .iter()
                .find(|point| point.step == step)
                .map(|point| point.value)
        };
        let cells = curves.iter().map(|(_, curve)| Cell::from(value(curve)));
        [
            Cell::Figure(step.to_string()),
            Cell::Figure(epoch.to_string()),
        ]
        .into_iter()
        .chain(cells)
        .collect()
    }))
}
