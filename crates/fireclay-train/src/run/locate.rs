//! Errors of the data, shown at the key of the configuration that they come from.

use fireclay_data::DataError;

use super::RunError;
use crate::config::{Loaded, did_you_mean};

/// The same error, as one of the configuration where a key of it is to blame.
pub fn locate(loaded: &Loaded, error: DataError) -> RunError {
    match key(loaded, &error) {
        Some(key) => {
            let mut found = loaded.problems(vec![(key, error.to_string())]);
            found.problems[0].help = suggestion(&error);
            RunError::Config(found)
        }
        None => RunError::Data(error),
    }
}

fn suggestion(error: &DataError) -> Option<String> {
    let DataError::MissingColumn { column, known, .. } = error else {
        return None;
    };
    let close = did_you_mean(column, known.iter().map(String::as_str))?;
    Some(format!("did you mean {close:?}?"))
}

fn key(loaded: &Loaded, error: &DataError) -> Option<String> {
    let data = &loaded.config.data.table;
    match error {
        DataError::Read { path, .. }
        | DataError::NoMatch { path }
        | DataError::Directory { path } => {
            let named = |text: &Option<String>| {
                text.as_ref()
                    .is_some_and(|text| std::path::absolute(text).is_ok_and(|p| p == *path))
            };
            let keys = [
                ("data.valid_path", &data.valid_path),
                ("data.test_path", &data.test_path),
            ];
            let found = keys
                .into_iter()
                .find(|(_, text)| named(text))
                .map(|(key, _)| key);
            Some(found.unwrap_or("data.path").into())
        }
        DataError::MissingColumn { column, .. } => column_key(loaded, column),
        DataError::Split(_) => Some("data.split".into()),
        _ => None,
    }
}

/// Where the configuration names a column.
fn column_key(loaded: &Loaded, column: &str) -> Option<String> {
    let data = &loaded.config.data.table;
    let is = |name: &Option<String>| name.as_deref() == Some(column);
    let key = if data.target == column {
        "data.target".into()
    } else if is(&data.id) {
        "data.id".into()
    } else if data.ignore.iter().any(|name| name == column) {
        "data.ignore".into()
    } else if data.columns.contains_key(column) {
        format!("data.columns.{column}")
    } else if is(&data.split.group) {
        "data.split.group".into()
    } else if is(&data.split.time) {
        "data.split.time".into()
    } else if is(&data.split.column) {
        "data.split.column".into()
    } else {
        return None;
    };
    Some(key)
}
