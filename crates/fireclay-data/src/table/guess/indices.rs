//! What is noted once every column has been judged.

use std::collections::HashSet;

use super::Guess;
use crate::column::text;
use crate::labels::TargetKind;
use crate::table::report::{is_pandas_index, of_labels};
use crate::table::{ColumnKind, Table, Vocabulary, infer_kind};

impl Guess {
    /// Says how columns of text were read, and which labels may be the same.
    pub(super) fn note_readings(&mut self, table: &Table) {
        // Of a column that is ignored for what it holds the user should know.
        let ignored: HashSet<&String> = self.ignore.iter().collect();
        let is_told = |name: &String| !ignored.contains(name) || table.readings.is_mixed(name);
        let is_used = |name: &String| is_told(name) && self.id.as_ref() != Some(name);
        let notes = table.readings.notes.iter();
        let notes = notes.filter(|note| note.column.as_ref().is_none_or(is_used));
        let mut notes: Vec<String> = notes.map(ToString::to_string).collect();
        if self.target_kind == TargetKind::Class
            && let Ok(array) = table.column(&self.target)
            && let Ok(cells) = text(&self.target, array)
        {
            let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
            let said = of_labels(classes.names()).into_iter();
            notes.extend(said.map(|note| format!("column {:?}: {note}", self.target)));
        }
        self.notes.extend(notes);
    }

    /// Leaves out what the file itself says is the index of the table.
    pub(super) fn ignore_indices(&mut self, indices: Vec<String>) {
        let is_free = |name: &String| *name != self.target && self.id.as_ref() != Some(name);
        let indices: Vec<String> = indices.into_iter().filter(is_free).collect();
        for name in indices {
            let mut columns = self.columns.iter_mut();
            let Some(column) = columns.find(|column| column.name == name) else {
                continue;
            };
            if column.kind != ColumnKind::Ignore {
                column.kind = ColumnKind::Ignore;
                column.reason = "the index of pandas".into();
                self.ignore.push(name.clone());
                self.notes.push(format!("{name:?} is the index of the table in pandas and is ignored; take it out of ignore if it says something about a row"));
            }
        }
    }

    /// If nothing is left to learn from, takes back what numbers the rows or tells the target: the smallest
    /// tables are a line of points.
    pub(super) fn keep_something(&mut self, table: &Table) {
        let is_feature = |column: &super::GuessedColumn| {
            column.kind != ColumnKind::Ignore && column.name != self.target
        };
        if self.columns.iter().any(is_feature) {
            return;
        }
        let ignored: HashSet<String> = self.ignore.iter().cloned().collect();
        let mut kept = HashSet::new();
        let mut notes = Vec::new();
        for column in &mut self.columns {
            let name = &column.name;
            let Ok(array) = table.column(name) else {
                continue;
            };
            let kind = infer_kind(array);
            let can_be = matches!(
                kind,
                ColumnKind::Numeric | ColumnKind::Boolean | ColumnKind::Date
            );
            if can_be && ignored.contains(name) && !is_pandas_index(name) {
                notes.push(format!(
                    "{name:?} {}, but nothing else is left to learn from, so it is kept",
                    column.reason
                ));
                kept.insert(name.clone());
                column.kind = kind;
                column.reason = "nothing else is left to learn from".into();
            }
        }
        self.ignore.retain(|name| !kept.contains(name));
        let quoted: HashSet<String> = kept.iter().map(|name| format!("{name:?}")).collect();
        let is_of_kept = |note: &str| {
            let name = note.split_once(" tells the target by itself");
            name.is_some_and(|(name, _)| quoted.contains(name))
        };
        self.notes.retain(|note| !is_of_kept(note));
        self.notes.extend(notes);
    }
}
