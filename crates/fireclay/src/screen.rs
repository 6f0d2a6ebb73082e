//! Text that fits the terminal: lines end between words, and tables that are too wide are cut between columns.

use std::io::{stderr, stdout};

use fireclay_config::shortened;
use terminal_size::{Width, terminal_size_of};
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter, wrap};

use crate::plain::one_line;

/// Spaces between the columns of a table.
const GAP: usize = 2;
/// A column of text is made no narrower than this.
const NARROW: usize = 16;

/// What text is written to: how many columns it has, if that is known.
#[derive(Clone, Copy, Debug)]
pub struct Screen(Option<usize>);

impl Screen {
    /// Standard output. A pipe or a file has no width, unless `COLUMNS` says one.
    pub fn out() -> Self {
        Self::of(terminal_size_of(stdout()).map(|(Width(width), _)| width))
    }

    /// Standard error.
    pub fn err() -> Self {
        Self::of(terminal_size_of(stderr()).map(|(Width(width), _)| width))
    }

    fn of(terminal: Option<u16>) -> Self {
        let named = || std::env::var("COLUMNS").ok()?.parse().ok();
        let columns = terminal.map(usize::from).or_else(named);
        Self(columns.filter(|columns| *columns > 0))
    }

    /// How many columns there are.
    pub fn columns(self) -> Option<usize> {
        self.0
    }

    /// The lines of a text, each broken between words where it is too long; what goes on is indented by `hang`.
    pub fn prose(self, hang: usize, text: &str) -> String {
        let text = &*shortened(text);
        let Some(columns) = self.0 else {
            return text.to_owned();
        };
        let indent = " ".repeat(hang.min(columns / 2));
        let lines = text.lines().flat_map(|line| broken(line, columns, &indent));
        let end = if text.ends_with('\n') { "\n" } else { "" };
        lines.collect::<Vec<_>>().join("\n") + end
    }

    /// Rows of cells as left-aligned columns, two spaces apart; cells that look like numbers are aligned to the
    /// right. Where the screen is too narrow, cells of several words get several lines, and then columns go
    /// below, each part with the first column.
    pub fn table(self, rows: &[Vec<String>]) -> String {
        let cell = |cell: &String| one_line(&shortened(cell)).into_owned();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(cell).collect())
            .collect();
        let count = rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
        let mut widths: Vec<usize> = (0..count)
            .map(|column| cells(column).map(|cell| display_width(cell)).max())
            .map(Option::unwrap_or_default)
            .collect();
        let columns = self.0.unwrap_or(usize::MAX);
        for column in by_width(&widths) {
            let over = total(&widths).saturating_sub(columns);
            let least = cells(column).map(|cell| longest_word(cell)).max();
            let least = least.unwrap_or_default().max(NARROW);
            widths[column] = widths[column].min(least.max(widths[column].saturating_sub(over)));
        }
        let parts = parts(&widths, columns);
        let parts = parts.iter().map(|part| {
            let lines = rows.iter();
            let lines = lines.flat_map(|row| row_lines(row, part, &widths));
            lines.map(|line| line + "\n").collect::<String>()
        });
        parts.collect::<Vec<_>>().join("\n")
    }

    /// The same without a cell of several lines: what does not fit goes below.
    pub fn whole_cells(self, rows: &[Vec<String>]) -> String {
        let joined = |cell: &String| cell.replace(' ', NO_BREAK);
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(joined).collect())
            .collect();
        self.table(&rows).replace(NO_BREAK, " ")
    }
}

/// A blank at which no line is broken.
const NO_BREAK: &str = "\u{a0}";

/// A line in lines of at most so many columns, but for words that are longer.
fn broken(line: &str, columns: usize, indent: &str) -> Vec<String> {
    if display_width(line) <= columns {
        return vec![line.to_owned()];
    }
    let options = Options::new(columns)
        .subsequent_indent(indent)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    wrap(line, options).into_iter().map(Into::into).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// The columns, the widest first.
fn by_width(widths: &[usize]) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..widths.len()).collect();
    columns.sort_by_key(|column| std::cmp::Reverse(widths[*column]));
    columns
}

fn longest_word(cell: &str) -> usize {
    cell.split(' ').map(display_width).max().unwrap_or(0)
}

/// The columns that fit beside each other, the first in every part.
fn parts(widths: &[usize], columns: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = vec![Vec::new()];
    let mut used = 0;
    for (column, width) in widths.iter().enumerate() {
        let part = parts.last_mut().expect("one at least");
        if part.len() > 1 && used + GAP + width > columns {
            parts.push(vec![0, column]);
            used = widths[0] + GAP + width;
        } else {
            used += width + if part.is_empty() { 0 } else { GAP };
            part.push(column);
        }
    }
    parts
}

/// The lines of a row, of which a cell may take several.
fn row_lines(row: &[String], part: &[usize], widths: &[usize]) -> Vec<String> {
    let cells = part.iter().filter_map(|&column| {
        let cell = row.get(column)?;
        Some((broken(cell, widths[column], ""), widths[column]))
    });
    let cells: Vec<(Vec<String>, usize)> = cells.collect();
    let height = cells.iter().map(|(lines, _)| lines.len()).max();
    let line = |number: usize| {
        let cells = cells.iter().map(|(lines, width)| {
            let text = lines.get(number).map_or("", String::as_str);
            aligned(text, *width)
        });
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        line.trim_end().to_owned()
    };
    (0..height.unwrap_or(1)).map(line).collect()
}

fn aligned(cell: &str, width: usize) -> String {
    let space = " ".repeat(width.saturating_sub(display_width(cell)));
    match cell.parse::<f64>() {
        Ok(_) => space + cell,
        Err(_) => cell.to_owned() + &space,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<Vec<String>> {
        let row = |row: &[&str; N]| row.iter().map(|cell| (*cell).to_owned()).collect();
        rows.iter().map(row).collect()
    }

    #[test]
    fn columns_line_up() {
        let rows = rows(&[
            ["", "rows", "loss"],
            ["train", "398", "0.1"],
            ["test", "8", "0.25"],
        ]);
        let shown = "       rows  loss\ntrain   398   0.1\ntest      8  0.25\n";
        assert_eq!(Screen(None).table(&rows), shown);
        assert_eq!(Screen(Some(80)).table(&rows), shown);
    }

    #[test]
    fn a_wide_letter_takes_two_columns() {
        let rows = rows(&[["東京", "1"], ["Oslo", "2"], ["x", "3"]]);
        let shown = "東京  1\nOslo  2\nx     3\n";
        assert_eq!(Screen(None).table(&rows), shown);
    }

    #[test]
    fn a_cell_of_words_gets_lines_of_its_own() {
        let rows = rows(&[
            ["name", "a note that is too long for the screen"],
            ["7", "short"],
        ]);
        let shown = "name  a note that is too\n      long for the screen\n   7  short\n";
        assert_eq!(Screen(Some(26)).table(&rows), shown);
    }

    #[test]
    fn columns_that_do_not_fit_go_below_with_the_first() {
        let rows = rows(&[["", "alpha", "beta", "gamma"], ["row", "1", "2", "3"]]);
        let shown = "     alpha  beta\nrow      1     2\n\n     gamma\nrow      3\n";
        assert_eq!(Screen(Some(17)).table(&rows), shown);
    }

    #[test]
    fn whole_cells_stay_on_one_line() {
        let rows = rows(&[
            ["people", "rows", "found"],
            ["of 25 to < 32 years", "7", "0.1 to 0.2"],
        ]);
        let shown = "people               rows\nof 25 to < 32 years     7\n\npeople               found\nof 25 to < 32 years  0.1 to 0.2\n";
        assert_eq!(Screen(Some(32)).whole_cells(&rows), shown);
    }

    #[test]
    fn a_name_breaks_no_table() {
        let rows = rows(&[["a\nnote: b\u{1b}[2J", "1"], ["c", "2"]]);
        let shown = "a\\u000anote: b\\u001b[2J  1\nc                        2\n";
        assert_eq!(Screen(None).table(&rows), shown);
    }

    #[test]
    fn no_line_breaks_inside_a_word() {
        let text = "note    a sentence that goes on and on\nshort";
        let shown = "note    a sentence\n        that goes on\n        and on\nshort";
        assert_eq!(Screen(Some(20)).prose(8, text), shown);
        assert_eq!(Screen(None).prose(8, text), text);
        let path = format!("in {}", "x".repeat(40));
        let shown = format!("in\n  {}", "x".repeat(40));
        assert_eq!(Screen(Some(20)).prose(2, &path), shown);
    }
}
