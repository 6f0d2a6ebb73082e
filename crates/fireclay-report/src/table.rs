//! Tables of a page.

use crate::html::{Html, el, tag, value};
use crate::text::number;

/// A table: a head, and rows whose first cell names them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// What it shows, for those who do not see it.
    pub caption: String,
    /// The names of the columns.
    pub head: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Words.
    Text(String),
    /// A count, or a number that is already written as it should be.
    Figure(String),
    /// A number, shown short, with all of its digits as its value.
    Number(f64),
    /// Nothing to say.
    None,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<f64>> for Cell {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::None, Self::Number)
    }
}

impl Cell {
    /// A count.
    pub fn count(n: u64) -> Self {
        Self::Figure(crate::text::count(n))
    }

    /// The cell as plain text.
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) | Self::Figure(text) => text.clone(),
            Self::Number(value) => number(*value),
            Self::None => "–".to_owned(),
        }
    }

    fn html(&self) -> Html {
        match self {
            Self::Text(text) => tag("td", text.as_str()),
            Self::Figure(text) => el("td", &[("class", "n")], text.as_str()),
            Self::Number(number) => el("td", &[("class", "n")], value(*number)),
            Self::None => el("td", &[("class", "n")], "–"),
        }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(caption: impl Into<String>, head: &[&str]) -> Self {
        Self {
            caption: caption.into(),
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// The same with these rows.
    pub fn with(mut self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        self.rows.extend(rows);
        self
    }

    /// The table, in a frame that scrolls where it is too wide.
    pub fn html(&self) -> Html {
        // A column is set to the right if its cells are.
        let right = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let mut cells = cells.filter(|cell| **cell != Cell::None).peekable();
            cells.peek().is_some() && cells.all(|cell| !matches!(cell, Cell::Text(_)))
        };
        let name = |(column, name): (usize, &String)| {
            let class = if right(column) { "n" } else { "" };
            match name.is_empty() {
                true => tag("td", ""),
                false => el("th", &[("scope", "col"), ("class", class)], name.as_str()),
            }
        };
        let head: Html = self.head.iter().enumerate().map(name).collect();
        let rows: Html = self
            .rows
            .iter()
            .map(|row| tag("tr", row_html(row)))
            .collect();
        let inside = [
            el("caption", &[("class", "unseen")], self.caption.as_str()),
            tag("thead", tag("tr", head)),
            tag("tbody", rows),
        ];
        let table = tag("table", inside.into_iter().collect::<Html>());
        el(
            "div",
            &[
                ("class", "scroll"),
                ("role", "region"),
                ("tabindex", "0"),
                ("aria-label", &self.caption),
            ],
            table,
        )
    }

    /// The table in Markdown, of cells that are Markdown.
    pub fn markdown(&self) -> String {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = line(self.head.iter().map(|name| cell(name)).collect());
        let rule = line(self.head.iter().map(|_| "---".to_owned()).collect());
        let rows = self.rows.iter();
        let rows = rows.map(|row| line(row.iter().map(|found| cell(&found.plain())).collect()));
        format!("{head}{rule}{}", rows.collect::<String>())
    }
}

fn row_html(row: &[Cell]) -> Html {
    let cell = |(column, cell): (usize, &Cell)| match (column, cell) {
        (0, Cell::Text(text)) => el("th", &[("scope", "row")], text.as_str()),
        (_, cell) => cell.html(),
    };
    row.iter().enumerate().map(cell).collect()
}
