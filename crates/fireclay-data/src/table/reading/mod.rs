//! How the columns of text of a table are read: what nearly all cells of a column say, the others do
//! not undo.
//!
//! Every reading that is a guess is told in a note with the key that overrides it. A column that was
//! read has the type of what it holds, and a cell that did not fit is missing.

mod again;
mod alike;
mod candidates;
mod judge;
mod labels;
mod names;
mod single;
mod style;
mod tally;
mod varied;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, StringArray};
use arrow::datatypes::Float64Type;

use self::alike::Styles;
use self::judge::{Column, Judged, judge};
use self::names::names_alike;
pub use self::single::{NumberReading, number_reading};
use self::style::Locale;
pub(super) use self::tally::is_missing;
use super::config::{ColumnKind, TableConfig};
use super::memory::Table;
use super::schema::{Role, Roles, implied, overridden};
use crate::column::reading::Reading;
use crate::column::{has_numbers, words};
use crate::error::DataError;
use crate::note::Note;

/// How the columns of a table were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readings {
    /// By column; those that say themselves what they hold are not among them.
    by_column: BTreeMap<String, Reading>,
    /// The columns that were read, as they were before.
    raw: BTreeMap<String, ArrayRef>,
    /// The columns that have too many odd cells to be read.
    mixed: BTreeMap<String, Mixed>,
    /// What there is to say of them.
    pub(crate) notes: Vec<Note>,
}

/// A column half of which is of one kind, and the rest too much to be mistakes.
#[derive(Clone, Debug)]
pub(crate) struct Mixed {
    /// What it holds, in words with examples.
    what: String,
    /// The key that reads the odd cells as missing.
    key: String,
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

    /// Why a column teaches nothing: what it holds, if that is two kinds of things.
    pub(crate) fn reason(&self, column: &str, reason: String) -> String {
        match self.mixed.get(column) {
            Some(Mixed { what, key }) => format!("left out: it has {what}; {key}"),
            None => reason,
        }
    }

    /// Whether a column has two kinds of things.
    pub(crate) fn is_mixed(&self, column: &str) -> bool {
        self.mixed.contains_key(column)
    }

    fn insert(&mut self, column: &str, raw: ArrayRef, reading: Reading) {
        self.raw.insert(column.to_owned(), raw);
        self.by_column.insert(column.to_owned(), reading);
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
        // Sets of labels, and columns of 0 and 1 for labels, are read by themselves.
        let is_of_sets = config.label_separator.is_some() || !config.targets.is_empty();
        let all = Roles::of(config);
        let is_read = |name: &String| {
            let role = all.role(name);
            roles.contains(&role) && !(role == Role::Target && is_of_sets)
        };
        let columns: Vec<String> = self.columns().into_iter().filter(is_read).collect();
        let (mut texts, mut read) = (Vec::new(), BTreeMap::new());
        for name in columns {
            let array = self.column(&name)?.clone();
            if let Some(cells) = words(&array) {
                texts.push((name, cells, has_numbers(&array)));
            } else if let Some((finite, note)) = without_infinite(&name, &array) {
                self.readings.notes.push(note);
                read.insert(name, finite);
            }
        }
        let told = self.read_texts(&texts, config, &mut read)?;
        self.replace(&read)?;
        self.readings.notes.extend(told.notes());
        Ok(())
    }

    /// Reads columns of text, each with whether it has numbers by the grammar of its file.
    fn read_texts(
        &mut self,
        texts: &[(String, StringArray, bool)],
        config: &TableConfig,
        read: &mut BTreeMap<String, ArrayRef>,
    ) -> Result<Styles, DataError> {
        let voters = texts.iter().filter(|(_, _, has_numbers)| !has_numbers);
        let locale = Locale::of(config, voters.map(|(_, cells, _)| cells));
        let mut styles = Styles::default();
        let roles = Roles::of(config);
        for (name, cells, has_numbers) in texts {
            let wanted = overridden(config, name).or_else(|| implied(config, name));
            let is_target = roles.role(name) == Role::Target;
            let column = Column::new(name, (cells, *has_numbers), is_target, config);
            let judged = judge(&column, wanted, &locale)?;
            styles.add(name, cells, &judged, &locale);
            let Judged {
                reading,
                note,
                mixed,
                ..
            } = judged;
            let is_names = !is_target && matches!(wanted, None | Some(ColumnKind::Categorical));
            let alike = || names_alike(cells).filter(|_| is_names && reading.is_plain());
            let note = note.or_else(alike);
            let notes = note.map(|message| Note::about(name, message));
            self.readings.notes.extend(notes);
            let mixed = mixed.map(|mixed| (name.clone(), mixed));
            self.readings.mixed.extend(mixed);
            if !reading.is_plain() {
                let raw = self.column(name)?.clone();
                read.insert(name.clone(), reading.read(&raw));
                self.readings.insert(name, raw, reading);
            }
        }
        Ok(styles)
    }
}

/// A column of reals without those that are infinite, and what there is to say of that.
fn without_infinite(name: &str, array: &ArrayRef) -> Option<(ArrayRef, Note)> {
    let (finite, count) = finite(array)?;
    let note = format!("{count} cells are infinite and read as missing");
    Some((finite, Note::about(name, note)))
}

/// A column of reals in which those that are infinite are missing, and how many they are, if some are.
pub(super) fn finite(array: &ArrayRef) -> Option<(ArrayRef, usize)> {
    let values = array.as_primitive_opt::<Float64Type>()?;
    let count = values.iter().flatten().filter(|value| value.is_infinite());
    let count = count.count();
    let finite = || -> Float64Array {
        let finite = values.iter();
        finite
            .map(|value| value.filter(|value| !value.is_infinite()))
            .collect()
    };
    (count > 0).then(|| (Arc::new(finite()) as ArrayRef, count))
}

/// The word for what a column is read as.
fn plural(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Date => "dates",
        ColumnKind::Boolean => "words of yes or no",
        _ => "numbers",
    }
}
