//! What is noted once every column has been judged.

use std::path::Path;

use serde_json::Value;

use super::Guess;
use crate::column::text;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::table::report::similar;
use crate::table::{ColumnKind, Table, Vocabulary, infer_kind, open_parquet};

impl Guess {
    /// Says how columns of text were read, and which labels may be the same.
    pub(super) fn note_readings(&mut self, table: &Table) {
        let is_used = |name: &String| !self.ignore.contains(name) && self.id.as_ref() != Some(name);
        let notes = table.readings.notes.iter();
        let notes = notes.filter(|note| note.column.as_ref().is_none_or(is_used));
        let mut notes: Vec<String> = notes.map(ToString::to_string).collect();
        if self.target_kind == TargetKind::Class
            && let Ok(array) = table.column(&self.target)
            && let Ok(cells) = text(&self.target, array)
        {
            let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
            notes.extend(
                similar(classes.names()).map(|note| format!("column {:?}: {note}", self.target)),
            );
        }
        self.notes.extend(notes);
    }

    /// Leaves out what pandas says is the index of a Parquet file, not a column.
    ///
    /// # Errors
    /// [`DataError::Damaged`] if the file cannot be read.
    pub(super) fn ignore_indices(&mut self, path: &Path) -> Result<(), DataError> {
        let reader = open_parquet(path)?;
        let metadata = reader.schema().metadata().get("pandas").cloned();
        let metadata = metadata.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let names = metadata
            .as_ref()
            .and_then(|value| value["index_columns"].as_array());
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        for name in names.filter(|name| **name != *self.target && self.id.as_deref() != Some(name))
        {
            let mut columns = self.columns.iter_mut();
            let Some(column) = columns.find(|column| column.name == name) else {
                continue;
            };
            if column.kind != ColumnKind::Ignore {
                column.kind = ColumnKind::Ignore;
                column.reason = "the index of pandas".into();
                self.ignore.push(name.to_owned());
                self.notes.push(format!("{name:?} is the index of the table in pandas and is ignored; take it out of ignore if it says something about a row"));
            }
        }
        Ok(())
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
        for column in &mut self.columns {
            let Ok(array) = table.column(&column.name) else {
                continue;
            };
            let kind = infer_kind(array);
            let can_be = matches!(
                kind,
                ColumnKind::Numeric | ColumnKind::Boolean | ColumnKind::Date
            );
            if can_be && self.ignore.contains(&column.name) && !super::is_pandas_index(&column.name)
            {
                let name = &column.name;
                let told = format!("{name:?} tells the target by itself");
                self.notes.retain(|note| !note.starts_with(&told));
                self.notes.push(format!(
                    "{name:?} {}, but nothing else is left to learn from, so it is kept",
                    column.reason
                ));
                self.ignore.retain(|ignored| ignored != name);
                column.kind = kind;
                column.reason = "nothing else is left to learn from".into();
            }
        }
    }
}
