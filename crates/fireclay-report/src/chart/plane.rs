//! Curves and points over two axes.

use super::{Axis, COLOURS, Chart, Words, mark};
use crate::html::{Html, el};
use crate::text::number;

/// The size of a chart, in units of the drawing: a phone shows about as many pixels.
const SIZE: (f64, f64) = (440.0, 280.0);
/// Left, top, right and bottom of the plane inside.
const EDGE: [f64; 4] = [64.0, 30.0, 18.0, 40.0];
/// So many points of a curve at most are drawn and can be read out.
pub(crate) const MOST_POINTS: usize = 300;

/// A chart that is being drawn.
pub(crate) struct Plane {
    x: Axis,
    y: Axis,
    marks: Html,
    series: usize,
}

impl Plane {
    /// A plane without marks.
    pub fn new(x: Axis, y: Axis) -> Self {
        Self {
            x,
            y,
            marks: Html::default(),
            series: 0,
        }
    }

    /// A curve through points, as the next series. Each point can be read out.
    pub fn curve(mut self, points: &[(f64, f64)]) -> Self {
        let points = thinned(points, MOST_POINTS);
        let mut marks = self.line_through(&points);
        let class = if points.len() > 40 {
            "dot quiet"
        } else {
            "dot"
        };
        marks.push(self.dots(&points, class, "2.5"));
        self.push_series(marks);
        self
    }

    /// Points, as the next series.
    pub fn points(mut self, points: &[(f64, f64)]) -> Self {
        let points = thinned(points, 4 * MOST_POINTS);
        let marks = self.dots(&points, "dot", "2.6");
        self.push_series(marks);
        self
    }

    fn line_through(&self, points: &[(f64, f64)]) -> Html {
        let place = |point: &(f64, f64)| {
            let (x, y) = self.at(*point);
            format!("{x:.1},{y:.1}")
        };
        let line: Vec<String> = points.iter().map(place).collect();
        el("polyline", &[("points", &line.join(" "))], "")
    }

    fn dots(&self, points: &[(f64, f64)], class: &str, radius: &str) -> Html {
        let dot = |point: &(f64, f64)| {
            let (x, y) = self.at(*point);
            let tip = format!(
                "{} {}, {} {}",
                self.x.label,
                number(point.0),
                self.y.label,
                number(point.1)
            );
            let [x, y] = [x, y].map(|value| format!("{value:.1}"));
            let attributes = [
                ("class", class),
                ("cx", &x),
                ("cy", &y),
                ("r", radius),
                ("data-tip", &tip),
            ];
            el("circle", &attributes, "")
        };
        points.iter().map(dot).collect()
    }

    /// Adds marks as a series that can be switched off.
    fn push_series(&mut self, marks: Html) {
        let class = format!("series s{}", self.series % COLOURS);
        let number = self.series.to_string();
        let attributes = [("class", class.as_str()), ("data-series", &number)];
        self.marks.push(el("g", &attributes, marks));
        self.series += 1;
    }

    /// A vertical line with a word, as at the chosen checkpoint.
    pub fn upright(mut self, x: f64, word: &str) -> Self {
        let (x, top) = self.at((x, f64::INFINITY));
        let (_, bottom) = self.at((0.0, f64::NEG_INFINITY));
        let left = x > 0.7 * SIZE.0;
        let anchor = if left { "end" } else { "start" };
        let place = if left { x - 4.0 } else { x + 4.0 };
        let line = [
            format!("{x:.1}"),
            format!("{:.1}", top.max(EDGE[1])),
            format!("{:.1}", bottom.min(SIZE.1 - EDGE[3])),
        ];
        self.marks.push(mark::line(
            "rule",
            [&line[0], &line[0]],
            [&line[1], &line[2]],
        ));
        let place = format!("{place:.1}");
        self.marks
            .push(mark::words("word", (&place, "25"), anchor, word));
        self
    }

    /// A straight line, as that of a perfect or of a trivial answer.
    pub fn straight(mut self, from: (f64, f64), to: (f64, f64)) -> Self {
        let (from, to) = (self.at(from), self.at(to));
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(|value| format!("{value:.1}"));
        self.marks.push(el(
            "line",
            &[
                ("class", "rule"),
                ("x1", &x1),
                ("y1", &y1),
                ("x2", &x2),
                ("y2", &y2),
            ],
            "",
        ));
        self
    }

    /// A vertical bar of an interval, as part of the series before.
    pub fn whisker(mut self, x: f64, low: f64, high: f64) -> Self {
        let class = format!("whisker s{}", self.series.saturating_sub(1) % COLOURS);
        let (x, low) = self.at((x, low));
        let (_, high) = self.at((0.0, high));
        let [x, low, high] = [x, low, high].map(|value| format!("{value:.1}"));
        self.marks.push(mark::line(&class, [&x, &x], [&low, &high]));
        self
    }

    /// Columns from the bottom, each over `(from, to)` and so high, as the next series.
    pub fn columns(mut self, columns: &[(f64, f64, f64)]) -> Self {
        let marks = columns.iter().map(|column| self.column(*column)).collect();
        self.push_series(marks);
        self
    }

    fn column(&self, (from, to, height): (f64, f64, f64)) -> Html {
        let (left, top) = self.at((from, height));
        let (right, bottom) = self.at((to, 0.0));
        let tip = format!(
            "{} {} to {}: {} {}",
            self.x.label,
            number(from),
            number(to),
            number(height),
            self.y.label
        );
        let size = ((right - left - 1.0).max(0.5), (bottom - top).max(0.0));
        mark::bar((left, top), size, &tip)
    }

    /// The chart.
    pub fn chart(self, words: Words<'_>) -> Chart {
        let mut drawing = self.frame();
        drawing.push(self.marks);
        Chart::new(words, SIZE, drawing)
    }

    /// What is behind the marks: the grid with its numbers, and the names of the axes.
    fn frame(&self) -> Html {
        let parts = [self.rows(), base(), self.ticks(), self.names()];
        parts.into_iter().collect()
    }

    /// The lines of the grid, each with its number.
    fn rows(&self) -> Html {
        let [left, right] = sides();
        let row = |(place, text): (f64, String)| {
            let y = self.at((0.0, place)).1;
            let [line, word, end] = [y, y + 3.5, EDGE[0] - 6.0].map(|value| format!("{value:.1}"));
            [
                mark::line("grid", [&left, &right], [&line, &line]),
                mark::words("tick", (&end, &word), "end", text),
            ]
        };
        self.y.ticks(5).into_iter().flat_map(row).collect()
    }

    /// The numbers below the plane.
    fn ticks(&self) -> Html {
        let low = format!("{:.1}", SIZE.1 - EDGE[3] + 15.0);
        let tick = |(place, text): (f64, String)| {
            let x = format!("{:.1}", self.at((place, 0.0)).0);
            mark::words("tick", (&x, &low), "middle", text)
        };
        self.x.ticks(6).into_iter().map(tick).collect()
    }

    fn names(&self) -> Html {
        let [middle, foot, half] = [
            (EDGE[0] + SIZE.0 - EDGE[2]) / 2.0,
            SIZE.1 - 6.0,
            (EDGE[1] + SIZE.1 - EDGE[3]) / 2.0,
        ]
        .map(|value| format!("{value:.1}"));
        let across = mark::words("name", (&middle, &foot), "middle", self.x.label.as_str());
        let up = mark::upward(("11", &half), self.y.label.as_str());
        [across, up].into_iter().collect()
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let width = SIZE.0 - EDGE[0] - EDGE[2];
        let height = SIZE.1 - EDGE[1] - EDGE[3];
        (
            EDGE[0] + width * self.x.place(x),
            EDGE[1] + height * (1.0 - self.y.place(y)),
        )
    }
}

/// The line that the plane stands on.
fn base() -> Html {
    let [left, right] = sides();
    let y = format!("{:.1}", SIZE.1 - EDGE[3]);
    mark::line("axis", [&left, &right], [&y, &y])
}

/// Where the plane begins and ends from left to right.
fn sides() -> [String; 2] {
    [EDGE[0], SIZE.0 - EDGE[2]].map(|value| format!("{value:.1}"))
}

/// At most so many of the points, evenly chosen, the first and the last among them.
pub(crate) fn thinned<T: Copy>(points: &[T], most: usize) -> Vec<T> {
    let n = points.len();
    if n <= most {
        return points.to_vec();
    }
    (0..most)
        .map(|index| points[index * (n - 1) / (most - 1)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_are_thinned_with_both_ends() {
        let points: Vec<usize> = (0..1000).collect();
        let few = thinned(&points, 300);
        assert_eq!((few.len(), few[0], few[299]), (300, 0, 999));
        assert_eq!(thinned(&points[..5], 300), [0, 1, 2, 3, 4]);
    }
}
