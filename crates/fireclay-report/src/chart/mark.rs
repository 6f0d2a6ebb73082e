//! Lines and words of a drawing. Places come as texts: how many digits they have is up to the drawing.

use crate::html::{Html, el};

/// A line between two places across and two places down.
pub(super) fn line(class: &str, [x1, x2]: [&str; 2], [y1, y2]: [&str; 2]) -> Html {
    let attributes = [
        ("class", class),
        ("x1", x1),
        ("x2", x2),
        ("y1", y1),
        ("y2", y2),
    ];
    el("line", &attributes, "")
}

/// A bar from its left and upper edge on, so wide and so high, that says `tip`.
pub(super) fn bar((x, y): (f64, f64), (width, height): (f64, f64), tip: &str) -> Html {
    let [x, y, width, height] = [x, y, width, height].map(|value| format!("{value:.1}"));
    let attributes = [
        ("class", "bar"),
        ("x", &x),
        ("y", &y),
        ("width", &width),
        ("height", &height),
        ("data-tip", tip),
    ];
    el("rect", &attributes, "")
}

/// Words at a place, which is their `start`, `middle` or `end`.
pub(super) fn words(
    class: &str,
    (x, y): (&str, &str),
    anchor: &str,
    words: impl Into<Html>,
) -> Html {
    let attributes = [
        ("class", class),
        ("x", x),
        ("y", y),
        ("text-anchor", anchor),
    ];
    el("text", &attributes, words)
}

/// The name of a vertical axis: words that read upwards, with their middle at the place.
pub(super) fn upward((x, y): (&str, &str), words: impl Into<Html>) -> Html {
    let turn = format!("rotate(-90 {x} {y})");
    let attributes = [
        ("class", "name"),
        ("x", x),
        ("y", y),
        ("text-anchor", "middle"),
        ("transform", &turn),
    ];
    el("text", &attributes, words)
}
