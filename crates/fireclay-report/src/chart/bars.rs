//! Values of named things, with their intervals.

use super::{Chart, Words, extremes, mark};
use crate::html::{Html, el};
use crate::text::number;

/// A value of a named thing.
pub(crate) struct Bar {
    /// The thing.
    pub name: String,
    /// The value.
    pub value: f64,
    /// From where to where the value may be.
    pub interval: Option<(f64, f64)>,
    /// What is said of it beside the value, such as the number of rows.
    pub note: String,
}

const WIDTH: f64 = 440.0;
const ROW: f64 = 22.0;
const RIGHT: f64 = 64.0;
/// Names are cut after so many letters; the table has them whole.
const LETTERS: usize = 30;
/// The width of a letter of a name, more or less.
const LETTER: f64 = 6.6;

/// A bar for each of the things, from 0 on; `reference` is a line across all of them, as the value of the
/// whole split.
pub(crate) fn bars(list: &[Bar], reference: Option<f64>, words: Words<'_>) -> Chart {
    let ends = list.iter().flat_map(|bar| {
        [
            Some(bar.value),
            bar.interval.map(|(low, _)| low),
            bar.interval.map(|(_, high)| high),
        ]
    });
    let (low, high) = extremes(ends.flatten().chain(reference).chain([0.0]));
    let span = if high > low { high - low } else { 1.0 };
    let longest = list.iter().map(|bar| bar.name.chars().count().min(LETTERS));
    // Where the bars begin: names are before.
    let left = 12.0 + LETTER * longest.max().unwrap_or(0) as f64;
    let place = |value: f64| left + (WIDTH - left - RIGHT) * (value - low) / span;
    let height = ROW * list.len() as f64 + 8.0;
    let mut drawing = Html::default();
    let mut marks = Html::default();
    for (index, bar) in list.iter().enumerate() {
        let middle = 4.0 + ROW * (index as f64 + 0.5);
        drawing.push(label(&bar.name, (left - 8.0, middle)));
        marks.push(drawn(bar, (place(0.0), &place), middle));
    }
    drawing.push(el("g", &[("class", "series s0")], marks));
    if let Some(reference) = reference {
        let x = format!("{:.1}", place(reference));
        let bottom = format!("{height:.1}");
        drawing.push(mark::line("rule", [&x, &x], ["0", &bottom]));
    }
    Chart::new(words, (WIDTH, height), drawing)
}

fn label(name: &str, (end, middle): (f64, f64)) -> Html {
    let shown: String = match name.chars().count() > LETTERS {
        true => name.chars().take(LETTERS - 1).chain(['…']).collect(),
        false => name.to_owned(),
    };
    let y = format!("{:.1}", middle + 4.0);
    let x = format!("{end:.1}");
    mark::words("name", (&x, &y), "end", shown)
}

fn drawn(bar: &Bar, (zero, place): (f64, &impl Fn(f64) -> f64), middle: f64) -> Html {
    let end = place(bar.value);
    let mut marks = body(bar, (zero, end), middle);
    let mut last = end.max(zero);
    if let Some((low, high)) = bar.interval {
        marks.push(whisker((place(low), place(high)), middle));
        last = last.max(place(high));
    }
    let [x, y] = [last + 5.0, middle + 4.0].map(|value| format!("{value:.1}"));
    marks.push(el(
        "text",
        &[("class", "tick"), ("x", &x), ("y", &y)],
        number(bar.value),
    ));
    marks
}

/// The bar itself, from 0 to its end.
fn body(bar: &Bar, (zero, end): (f64, f64), middle: f64) -> Html {
    let tip = format!(
        "{}: {}{}{}",
        bar.name,
        number(bar.value),
        interval(bar),
        note(bar)
    );
    let size = ((end - zero).abs().max(1.0), 13.0);
    mark::bar((zero.min(end), middle - 6.5), size, &tip)
}

fn whisker((low, high): (f64, f64), middle: f64) -> Html {
    let [x1, x2, y] = [low, high, middle].map(|value| format!("{value:.1}"));
    mark::line("whisker", [&x1, &x2], [&y, &y])
}

fn interval(bar: &Bar) -> String {
    match bar.interval {
        Some((low, high)) => format!(" ({} to {})", number(low), number(high)),
        None => String::new(),
    }
}

fn note(bar: &Bar) -> String {
    match bar.note.is_empty() {
        true => String::new(),
        false => format!(", {}", bar.note),
    }
}
