//! Curves and points over two axes.

use super::{Axis, COLOURS, Chart, Words};
use crate::html::{Html, el};
use crate::text::number;

/// The size of a chart, in units of the drawing: a phone shows about as many pixels.
const SIZE: (f64, f64) = (440.0, 280.0);
/// Left, top, right and bottom of the plane inside.
const EDGE: [f64; 4] = [52.0, 30.0, 18.0, 40.0];
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
    pub fn curve(self, points: &[(f64, f64)]) -> Self {
        self.drawn(points, true)
    }

    /// Points, as the next series.
    pub fn points(self, points: &[(f64, f64)]) -> Self {
        self.drawn(points, false)
    }

    fn drawn(mut self, points: &[(f64, f64)], joined: bool) -> Self {
        let points = thinned(points, if joined { MOST_POINTS } else { 4 * MOST_POINTS });
        let class = format!("series s{}", self.series % COLOURS);
        let mut marks = Html::default();
        if joined {
            let line: Vec<String> = points
                .iter()
                .map(|point| {
                    let (x, y) = self.at(*point);
                    format!("{x:.1},{y:.1}")
                })
                .collect();
            marks.push(el("polyline", &[("points", &line.join(" "))], ""));
        }
        let quiet = joined && points.len() > 40;
        let radius = if joined { "2.5" } else { "2.6" };
        for point in &points {
            let (x, y) = self.at(*point);
            let tip = format!(
                "{} {}, {} {}",
                self.x.label,
                number(point.0),
                self.y.label,
                number(point.1)
            );
            let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
            let class = if quiet { "dot quiet" } else { "dot" };
            marks.push(el(
                "circle",
                &[
                    ("class", class),
                    ("cx", &x),
                    ("cy", &y),
                    ("r", radius),
                    ("data-tip", &tip),
                ],
                "",
            ));
        }
        let number = self.series.to_string();
        self.marks.push(el(
            "g",
            &[("class", &class), ("data-series", &number)],
            marks,
        ));
        self.series += 1;
        self
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
        self.marks.push(el(
            "line",
            &[
                ("class", "rule"),
                ("x1", &line[0]),
                ("x2", &line[0]),
                ("y1", &line[1]),
                ("y2", &line[2]),
            ],
            "",
        ));
        let place = format!("{place:.1}");
        self.marks.push(el(
            "text",
            &[
                ("class", "word"),
                ("x", &place),
                ("y", "25"),
                ("text-anchor", anchor),
            ],
            word,
        ));
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
        self.marks.push(el(
            "line",
            &[
                ("class", &class),
                ("x1", &x),
                ("x2", &x),
                ("y1", &low),
                ("y2", &high),
            ],
            "",
        ));
        self
    }

    /// Columns from the bottom, each over `(from, to)` and so high, as the next series.
    pub fn columns(mut self, columns: &[(f64, f64, f64)]) -> Self {
        let mut marks = Html::default();
        for &(from, to, height) in columns {
            let (left, top) = self.at((from, height));
            let (right, bottom) = self.at((to, 0.0));
            let [x, y, width, tall] = [
                left,
                top,
                (right - left - 1.0).max(0.5),
                (bottom - top).max(0.0),
            ]
            .map(|value| format!("{value:.1}"));
            let tip = format!(
                "{} {} to {}: {} {}",
                self.x.label,
                number(from),
                number(to),
                number(height),
                self.y.label
            );
            marks.push(el(
                "rect",
                &[
                    ("class", "bar"),
                    ("x", &x),
                    ("y", &y),
                    ("width", &width),
                    ("height", &tall),
                    ("data-tip", &tip),
                ],
                "",
            ));
        }
        let (class, number) = (
            format!("series s{}", self.series % COLOURS),
            self.series.to_string(),
        );
        self.marks.push(el(
            "g",
            &[("class", &class), ("data-series", &number)],
            marks,
        ));
        self.series += 1;
        self
    }

    /// The chart.
    pub fn chart(self, words: Words<'_>) -> Chart {
        let mut drawing = self.frame();
        drawing.push(self.marks);
        Chart::new(words, SIZE, drawing)
    }

    fn frame(&self) -> Html {
        let mut frame = Html::default();
        let [left, right] = [EDGE[0], SIZE.0 - EDGE[2]].map(|value| format!("{value:.1}"));
        let bottom = SIZE.1 - EDGE[3];
        for (mark, text) in self.y.ticks(5) {
            let y = format!("{:.1}", self.at((0.0, mark)).1);
            frame.push(el(
                "line",
                &[
                    ("class", "grid"),
                    ("x1", &left),
                    ("x2", &right),
                    ("y1", &y),
                    ("y2", &y),
                ],
                "",
            ));
            let y = format!("{:.1}", self.at((0.0, mark)).1 + 3.5);
            frame.push(el(
                "text",
                &[
                    ("class", "tick"),
                    ("x", "46"),
                    ("y", &y),
                    ("text-anchor", "end"),
                ],
                text,
            ));
        }
        let (low, base) = (format!("{:.1}", bottom + 15.0), format!("{bottom:.1}"));
        frame.push(el(
            "line",
            &[
                ("class", "axis"),
                ("x1", &left),
                ("x2", &right),
                ("y1", &base),
                ("y2", &base),
            ],
            "",
        ));
        for (mark, text) in self.x.ticks(6) {
            let x = format!("{:.1}", self.at((mark, 0.0)).0);
            frame.push(el(
                "text",
                &[
                    ("class", "tick"),
                    ("x", &x),
                    ("y", &low),
                    ("text-anchor", "middle"),
                ],
                text,
            ));
        }
        let (middle, foot) = (
            format!("{:.1}", (EDGE[0] + SIZE.0 - EDGE[2]) / 2.0),
            format!("{:.1}", SIZE.1 - 6.0),
        );
        frame.push(el(
            "text",
            &[
                ("class", "name"),
                ("x", &middle),
                ("y", &foot),
                ("text-anchor", "middle"),
            ],
            self.x.label.as_str(),
        ));
        let half = format!("{:.1}", (EDGE[1] + bottom) / 2.0);
        let turn = format!("rotate(-90 11 {half})");
        frame.push(el(
            "text",
            &[
                ("class", "name"),
                ("x", "11"),
                ("y", &half),
                ("text-anchor", "middle"),
                ("transform", &turn),
            ],
            self.y.label.as_str(),
        ));
        frame
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
