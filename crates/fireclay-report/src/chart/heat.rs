//! A matrix of counts as a grid of shades.

use super::{Chart, Words, mark};
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
    let grid = Grid::of(classes);
    let height = TOP + grid.span() + 8.0;
    let mut drawing = grid.axes();
    if grid.named {
        drawing.push(grid.names());
    }
    drawing.push(grid.cells(matrix));
    Chart::new(words, (WIDTH, height), drawing)
}

/// Where the cells of a matrix are.
struct Grid<'a> {
    classes: &'a [String],
    /// The side of a cell.
    side: f64,
    /// Whether the drawing has names and counts.
    named: bool,
}

impl<'a> Grid<'a> {
    fn of(classes: &'a [String]) -> Self {
        Self {
            classes,
            side: ((WIDTH - LEFT - 12.0) / classes.len().max(1) as f64).min(64.0),
            named: classes.len() <= NAMED,
        }
    }

    /// The side of the whole grid.
    fn span(&self) -> f64 {
        self.side * self.classes.len() as f64
    }

    /// What the columns and the rows are.
    fn axes(&self) -> Html {
        let [x, y] = [LEFT, TOP].map(|edge| format!("{:.1}", edge + self.span() / 2.0));
        let above = mark::words("name", (&x, "12"), "middle", "predicted");
        let beside = mark::upward(("12", &y), "true");
        [above, beside].into_iter().collect()
    }

    /// The names of the classes, before the rows and above the columns.
    fn names(&self) -> Html {
        let name = |(index, class): (usize, &String)| {
            let at = self.side * (index as f64 + 0.5);
            let [left, y, x] =
                [LEFT - 6.0, TOP + at + 4.0, LEFT + at].map(|value| format!("{value:.1}"));
            let fitting = (self.side / 6.5) as usize;
            [
                mark::words("tick", (&left, &y), "end", short(class, 11)),
                mark::words("tick", (&x, "34"), "middle", short(class, fitting)),
            ]
        };
        self.classes.iter().enumerate().flat_map(name).collect()
    }

    fn cells(&self, matrix: &[Vec<u64>]) -> Html {
        let mut cells = Html::default();
        for (truth, row) in matrix.iter().enumerate() {
            let total: u64 = row.iter().sum();
            // Of many classes, cells without a sample would only make the page large.
            for (predicted, &n) in row
                .iter()
                .enumerate()
                .filter(|(_, n)| self.named || **n > 0)
            {
                let share = n as f64 / total.max(1) as f64;
                cells.push(self.shade(
                    (truth, predicted),
                    share,
                    &self.tip((truth, predicted), n, share),
                ));
                if self.named && (n > 0 || self.classes.len() < 5) {
                    cells.push(self.count((truth, predicted), n, share));
                }
            }
        }
        cells
    }

    fn tip(&self, (truth, predicted): (usize, usize), n: u64, share: f64) -> String {
        format!(
            "true {}, predicted {}: {} ({} of the row)",
            self.classes[truth],
            self.classes[predicted],
            count(n),
            percent(share)
        )
    }

    /// The top left corner of a cell.
    fn corner(&self, (row, column): (usize, usize)) -> (f64, f64) {
        (
            LEFT + self.side * column as f64,
            TOP + self.side * row as f64,
        )
    }

    /// A cell without its count.
    fn shade(&self, place: (usize, usize), share: f64, tip: &str) -> Html {
        let (x, y) = self.corner(place);
        let hue = match place.0 == place.1 {
            true => "cell right",
            false => "cell wrong",
        };
        let [left, top, size, shade] = [x + 0.5, y + 0.5, self.side - 1.0, 0.06 + 0.94 * share]
            .map(|value| format!("{value:.2}"));
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
        el("rect", &attributes, "")
    }

    /// The count in the middle of a cell.
    fn count(&self, place: (usize, usize), n: u64, share: f64) -> Html {
        let (x, y) = self.corner(place);
        let class = if share > 0.5 { "on" } else { "tick" };
        let half = self.side / 2.0;
        let [x, y] = [x + half, y + half + 4.0].map(|value| format!("{value:.1}"));
        mark::words(class, (&x, &y), "middle", count(n))
    }
}

fn short(name: &str, letters: usize) -> String {
    let letters = letters.max(2);
    match name.chars().count() > letters {
        true => name.chars().take(letters - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}
