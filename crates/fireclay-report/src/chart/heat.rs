//! A matrix of counts as a grid of shades.

use super::{Chart, Words};
use crate::html::{Html, el};
use crate::text::{count, percent};

/// More classes than this have no names and no counts in the drawing; the table has them.
const NAMED: usize = 14;
const WIDTH: f64 = 440.0;
const LEFT: f64 = 96.0;
const TOP: f64 = 44.0;

/// The matrix with a row for each true class and a column for each predicted one. A cell is as dark as its
/// share of the row.
pub(crate) fn heat(classes: &[String], matrix: &[Vec<u64>], words: Words<'_>) -> Chart {
    let side = ((WIDTH - LEFT - 12.0) / classes.len().max(1) as f64).min(64.0);
    let height = TOP + side * classes.len() as f64 + 8.0;
    let named = classes.len() <= NAMED;
    let mut drawing = Html::default();
    let middle = format!("{:.1}", LEFT + side * classes.len() as f64 / 2.0);
    drawing.push(el(
        "text",
        &[
            ("class", "name"),
            ("x", &middle),
            ("y", "12"),
            ("text-anchor", "middle"),
        ],
        "predicted",
    ));
    let half = format!("{:.1}", TOP + side * classes.len() as f64 / 2.0);
    let turn = format!("rotate(-90 12 {half})");
    drawing.push(el(
        "text",
        &[
            ("class", "name"),
            ("x", "12"),
            ("y", &half),
            ("text-anchor", "middle"),
            ("transform", &turn),
        ],
        "true",
    ));
    for (index, class) in classes.iter().enumerate().filter(|_| named) {
        let at = side * (index as f64 + 0.5);
        let [x, y] = [LEFT - 6.0, TOP + at + 4.0].map(|value| format!("{value:.1}"));
        drawing.push(el(
            "text",
            &[
                ("class", "tick"),
                ("x", &x),
                ("y", &y),
                ("text-anchor", "end"),
            ],
            short(class, 11),
        ));
        let x = format!("{:.1}", LEFT + at);
        drawing.push(el(
            "text",
            &[
                ("class", "tick"),
                ("x", &x),
                ("y", "34"),
                ("text-anchor", "middle"),
            ],
            short(class, (side / 6.5) as usize),
        ));
    }
    for (truth, row) in matrix.iter().enumerate() {
        let total: u64 = row.iter().sum();
        // Of many classes, cells without a sample would only make the page large.
        for (predicted, &n) in row.iter().enumerate().filter(|(_, n)| named || **n > 0) {
            let share = n as f64 / total.max(1) as f64;
            let tip = format!(
                "true {}, predicted {}: {} ({} of the row)",
                classes[truth],
                classes[predicted],
                count(n),
                percent(share)
            );
            drawing.push(cell(
                (truth, predicted),
                (
                    share,
                    (n > 0 || classes.len() < 5).then_some(n).filter(|_| named),
                ),
                side,
                &tip,
            ));
        }
    }
    Chart::new(words, (WIDTH, height), drawing)
}

fn cell(
    (row, column): (usize, usize),
    (share, shown): (f64, Option<u64>),
    side: f64,
    tip: &str,
) -> Html {
    let (x, y) = (LEFT + side * column as f64, TOP + side * row as f64);
    let hue = if row == column {
        "cell right"
    } else {
        "cell wrong"
    };
    let [left, top, size, shade] =
        [x + 0.5, y + 0.5, side - 1.0, 0.06 + 0.94 * share].map(|value| format!("{value:.2}"));
    let shade = if share > 0.0 { shade } else { "0".to_owned() };
    let attributes = [
        ("class", hue),
        ("x", &left),
        ("y", &top),
        ("width", &size),
        ("height", &size),
        ("fill-opacity", &shade),
        ("data-tip", tip),
    ];
    let mut marks = el("rect", &attributes, "");
    if let Some(n) = shown {
        let class = if share > 0.5 { "on" } else { "tick" };
        let [x, y] = [x + side / 2.0, y + side / 2.0 + 4.0].map(|value| format!("{value:.1}"));
        marks.push(el(
            "text",
            &[
                ("class", class),
                ("x", &x),
                ("y", &y),
                ("text-anchor", "middle"),
            ],
            count(n),
        ));
    }
    marks
}

fn short(name: &str, letters: usize) -> String {
    let letters = letters.max(2);
    match name.chars().count() > letters {
        true => name.chars().take(letters - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}
