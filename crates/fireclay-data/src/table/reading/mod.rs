//! How the columns of text of a table are read: what nearly all cells of a column say, the others do
//! not undo.
//!
//! Every reading that is a guess is told in a note with the key that overrides it. A column that was
//! read has the type of what it holds, and a cell that did not fit is missing.

mod judge;
mod labels;
mod style;
mod tally;

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray, StringArray};

use self::judge::{Column, Judged, judge};
use self::style::Locale;
use super::config::{ColumnKind, TableConfig};
use super::memory::Table;
use super::schema::{Role, implied, overridden, role};
use crate::column::numbers::NumberStyle;
use crate::column::reading::Reading;
use crate::error::{DataError, list};
use crate::note::Note;

/// How the columns of a table were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readings {
    /// By column; those that say themselves what they hold are not among them.
    by_column: BTreeMap<String, Reading>,
    /// The columns that were read, as they were before.
    raw: BTreeMap<String, ArrayRef>,
    /// What there is to say of them.
    pub(crate) notes: Vec<Note>,
}

impl Readings {
    /// How a column was read.
    pub(crate) fn of(&self, column: &str) -> Reading {
        self.by_column.get(column).cloned().unwrap_or_default()
    }

    /// A column as it was before it was read, if it was.
    pub(crate) fn raw(&self, column: &str) -> Option<&ArrayRef> {
        self.raw.get(column)
    }
}

impl Table {
    /// Reads the columns of text that are features or the target, judged by all their cells and by the
    /// configuration. Reading again changes nothing.
    ///
    /// # Errors
    /// [`DataError::Unusable`] for a column whose kind the configuration gives, if too many of its
    /// cells are something else.
    pub fn interpret(&mut self, config: &TableConfig) -> Result<(), DataError> {
        self.interpret_roles(&[Role::Feature, Role::Target], config)
    }

    /// The same for the target alone.
    pub(crate) fn interpret_target(&mut self, config: &TableConfig) -> Result<(), DataError> {
        self.interpret_roles(&[Role::Target], config)
    }

    fn interpret_roles(&mut self, roles: &[Role], config: &TableConfig) -> Result<(), DataError> {
        let is_read = |name: &String| roles.contains(&role(config, name));
        let columns: Vec<String> = self.columns().into_iter().filter(is_read).collect();
        let mut texts = Vec::new();
        for name in columns {
            if let Some(cells) = self.column(&name)?.as_string_opt::<i32>() {
                texts.push((name, cells.clone()));
            }
        }
        let locale = Locale::of(config, texts.iter().map(|(_, cells)| cells));
        let (mut styles, mut read) = (Vec::new(), BTreeMap::new());
        for (name, cells) in texts {
            let wanted = overridden(config, &name).or_else(|| implied(config, &name));
            let column = Column {
                name: &name,
                cells: &cells,
                is_target: role(config, &name) == Role::Target,
            };
            let Judged { reading, note } = judge(&column, wanted, &locale)?;
            let notes = note.map(|message| Note::about(&name, message));
            self.readings.notes.extend(notes);
            if let Reading::Numbers(style) = &reading
                && !style.is_plain()
                && !matches!(locale, Locale::Given(_))
            {
                add(&mut styles, style, &name, &cells);
            }
            if !reading.is_plain() {
                let raw = self.column(&name)?.clone();
                read.insert(name.clone(), reading.read(&raw));
                self.readings.raw.insert(name.clone(), raw);
                self.readings.by_column.insert(name, reading);
            }
        }
        self.replace(&read)?;
        let notes = styles.into_iter().map(note_of_style);
        self.readings.notes.extend(notes);
        Ok(())
    }
}

/// Columns whose numbers are written alike, which are told of together.
struct Alike {
    style: NumberStyle,
    columns: Vec<String>,
    /// A number that programs write otherwise.
    example: String,
    /// Whether there are numbers with groups of thousands.
    is_grouped: bool,
}

fn add(styles: &mut Vec<Alike>, style: &NumberStyle, name: &str, cells: &StringArray) {
    let numbers = || {
        cells
            .iter()
            .flatten()
            .filter(|cell| style.parse(cell).is_some())
    };
    let is_grouped = numbers().any(|cell| style.is_grouped(cell));
    if let Some(alike) = styles.iter_mut().find(|alike| alike.style == *style) {
        alike.columns.push(name.to_owned());
        alike.is_grouped |= is_grouped;
        return;
    }
    let is_marked = |cell: &&str| cell.parse::<f64>().ok() != style.parse(cell);
    styles.push(Alike {
        style: style.clone(),
        columns: vec![name.to_owned()],
        example: numbers().find(is_marked).unwrap_or_default().to_owned(),
        is_grouped,
    });
}

fn note_of_style(alike: Alike) -> Note {
    let Alike {
        style,
        columns,
        example,
        is_grouped,
    } = alike;
    let (names, words) = (list(&columns, 10), style.words(is_grouped));
    let message = format!(
        "numbers are read with {words}, such as {example:?}; data.decimal and data.thousands say otherwise, columns.NAME.kind = \"categorical\" keeps the texts"
    );
    match columns.as_slice() {
        [only] => Note::about(only, message),
        _ => Note::general(format!("columns {names}: {message}")),
    }
}

/// The word for what a column is read as.
fn plural(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Date => "dates",
        ColumnKind::Boolean => "words of yes or no",
        _ => "numbers",
    }
}
