//! Explanations on the terminal.

use fireclay_explain::{Column, Explanation, Method, Sample};

use crate::screen::Screen;
use crate::text::{number, prose, say};

/// Columns of all samples, and of one, that are shown.
const COLUMNS: usize = 15;
const OF_SAMPLE: usize = 8;

/// Shows every explanation.
pub(super) fn all(explanations: &[Explanation]) {
    for (index, explanation) in explanations.iter().enumerate() {
        if index > 0 {
            say!("");
        }
        one(explanation);
    }
}

fn one(explanation: &Explanation) {
    let (method, n) = (explanation.method.name(), explanation.n);
    let (of, over) = (&explanation.of, &explanation.over);
    prose!(2, "{method}: {of} ({over}, n = {n})");
    let baseline = explanation.baseline.iter();
    baseline.for_each(|words| prose!(2, "compared with {words}"));
    prose!(2, "value: {}\n", explanation.meaning);
    say!("{}", Screen::out().table(&rows(explanation)).trim_end());
    let more = explanation.columns.len().saturating_sub(COLUMNS);
    if more > 0 {
        say!("and {more} more");
    }
    explanation.file.iter().for_each(|file| say!("see {file}"));
    explanation.samples.iter().for_each(sample);
    checks(explanation);
}

/// A row for each of the most important columns.
fn rows(explanation: &Explanation) -> Vec<Vec<String>> {
    let columns = explanation.columns.iter().take(COLUMNS);
    let is_curve = explanation.method == Method::PartialDependence;
    let header: &[&str] = match is_curve {
        true => &["", "value", "lowest", "at", "highest", "at"],
        false => &["", "value", "95 % interval"],
    };
    let header = header.iter().map(|name| (*name).to_owned()).collect();
    let row = |column: &Column| {
        let mut row = vec![column.name.clone(), number(column.value)];
        row.extend(match is_curve {
            true => ends(column),
            false => vec![interval(column)],
        });
        row
    };
    std::iter::once(header).chain(columns.map(row)).collect()
}

/// Where a curve is lowest and highest.
fn ends(column: &Column) -> Vec<String> {
    let by = |a: &&fireclay_explain::Step, b: &&fireclay_explain::Step| a.value.total_cmp(&b.value);
    let steps = || column.curve.iter();
    let found = [steps().min_by(by), steps().max_by(by)];
    let cells = found.into_iter().flatten();
    cells
        .flat_map(|step| [number(step.value), shown(&step.at)])
        .collect()
}

fn shown(cell: &str) -> String {
    if cell.is_empty() {
        "missing".to_owned()
    } else {
        cell.to_owned()
    }
}

fn interval(column: &Column) -> String {
    let bounds = column
        .interval
        .map(|[low, high]| format!("{} to {}", number(low), number(high)));
    bounds.unwrap_or_default()
}

fn sample(sample: &Sample) {
    let target = sample.target.as_ref();
    let target = target.map_or_else(String::new, |target| format!(", {target:?}"));
    let base = sample
        .base
        .map(|base| format!(", the baseline's is {}", number(base)));
    let (name, value) = (&sample.name, number(sample.value));
    prose!(2, "\n{name}{target}: {value}{}", base.unwrap_or_default());
    match sample.file.as_deref() {
        // Where something is in an image is to be seen, not to be read.
        Some(picture) if picture.ends_with(".png") => say!("see {picture}"),
        _ => say!("\n{}", Screen::out().table(&parts(sample)).trim_end()),
    }
}

/// A row for each of the most important columns or tokens of a sample.
fn parts(sample: &Sample) -> Vec<Vec<String>> {
    let mut columns: Vec<&Column> = sample.columns.iter().collect();
    columns.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    let has_cells = columns.iter().any(|column| column.cell.is_some());
    let has_intervals = columns.iter().any(|column| column.interval.is_some());
    let row = |name: String, cell: String, value: String, interval: String| {
        let cells = [
            (true, name),
            (has_cells, cell),
            (true, value),
            (has_intervals, interval),
        ];
        let shown = cells.into_iter().filter(|(is_shown, _)| *is_shown);
        shown.map(|(_, cell)| cell).collect::<Vec<String>>()
    };
    let words = ["", "cell", "adds", "95 % interval"].map(String::from);
    let [name, cell, value, bounds] = words;
    let header = row(name, cell, value, bounds);
    let columns = columns.iter().take(OF_SAMPLE).map(|column| {
        let cell = shown(column.cell.as_deref().unwrap_or_default());
        row(
            column.name.clone(),
            cell,
            number(column.value),
            interval(column),
        )
    });
    std::iter::once(header).chain(columns).collect()
}

fn checks(explanation: &Explanation) {
    if let (Method::IntegratedGradients, Some(sums)) =
        (explanation.method, explanation.completeness)
    {
        prose!(
            2,
            "\ncompleteness: the attributions of a sample add up to the difference between its answer and the baseline's; \
             at worst {} of {}, an error of {}",
            number(sums.sum),
            number(sums.difference),
            number(sums.error)
        );
    }
    if let Some(alike) = explanation.randomised {
        prose!(
            2,
            "\nrandomised weights: rank correlation {} with a model whose weights are shuffled; near 1, the method would \
             show the input and not what the model has learned",
            number(alike)
        );
    }
}
