//! Columns whose numbers are written alike, which are told of together.

use arrow::array::StringArray;

use super::judge::Judged;
use super::style::Locale;
use crate::column::numbers::NumberStyle;
use crate::column::reading::Reading;
use crate::error::list;
use crate::note::Note;

/// What there is to say of how the numbers of columns are written.
#[derive(Default)]
pub(super) struct Styles {
    alike: Vec<Alike>,
    /// The columns whose points may stand between thousands, and a cell of the first.
    doubtful: Vec<String>,
    example: String,
}

struct Alike {
    style: NumberStyle,
    columns: Vec<String>,
    /// A number that programs write otherwise.
    example: String,
    /// Whether there are numbers with groups of thousands.
    is_grouped: bool,
}

impl Styles {
    /// Adds a column that was judged.
    pub(super) fn add(
        &mut self,
        name: &str,
        cells: &StringArray,
        judged: &Judged,
        locale: &Locale,
    ) {
        if judged.has_doubtful_points {
            self.doubtful.push(name.to_owned());
            let first = cells.iter().flatten().next().unwrap_or_default();
            if self.example.is_empty() {
                self.example = first.to_owned();
            }
        }
        if let Reading::Numbers(style) = &judged.reading
            && !style.is_plain()
            && !matches!(locale, Locale::Given(_))
        {
            self.add_style(style, name, cells);
        }
    }

    fn add_style(&mut self, style: &NumberStyle, name: &str, cells: &StringArray) {
        let present = cells.iter().flatten();
        let numbers = present.filter(|cell| style.parse(cell).is_some());
        let is_grouped = numbers.clone().any(|cell| style.is_grouped(cell));
        let is_marked = |cell: &&str| cell.parse::<f64>().ok() != style.parse(cell);
        let Some(example) = numbers.clone().find(is_marked) else {
            return;
        };
        if let Some(alike) = self.alike.iter_mut().find(|alike| alike.style == *style) {
            alike.columns.push(name.to_owned());
            alike.is_grouped |= is_grouped;
            return;
        }
        self.alike.push(Alike {
            style: style.clone(),
            columns: vec![name.to_owned()],
            example: example.to_owned(),
            is_grouped,
        });
    }

    /// A note for each way of writing.
    pub(super) fn notes(self) -> Vec<Note> {
        let Self {
            alike,
            doubtful,
            example,
        } = self;
        let mut notes: Vec<Note> = alike.into_iter().map(Alike::note).collect();
        if !doubtful.is_empty() {
            let message = format!(
                "numbers such as {example:?} are read with a decimal point; where points stand between thousands, set thousands = \".\" and decimal = \",\" in [data]"
            );
            notes.push(about(&doubtful, message));
        }
        notes
    }
}

impl Alike {
    fn note(self) -> Note {
        let (words, example) = (self.style.words(self.is_grouped), self.example);
        let value = self.style.parse(&example).unwrap_or_default();
        let message = format!(
            "numbers are read with {words}, such as {example:?} as {value}; data.decimal and data.thousands say otherwise, columns.NAME.kind = \"categorical\" keeps the texts"
        );
        about(&self.columns, message)
    }
}

/// A note on one column or several.
fn about(columns: &[String], message: String) -> Note {
    match columns {
        [only] => Note::about(only, message),
        _ => Note::general(format!("columns {}: {message}", list(columns, 10))),
    }
}
