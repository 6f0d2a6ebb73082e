//! Errors of the data, shown at the key of the configuration that they come from.

use std::path::PathBuf;

use fireclay_data::DataError;

use super::RunError;
use crate::config::Loaded;
use fireclay_config::did_you_mean;

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
    match error {
        DataError::Read { path, .. }
        | DataError::NoMatch { path }
        | DataError::Directory { path } => Some(key_of_file(loaded, path)),
        DataError::MissingColumn { column, .. } => {
            let own = loaded.config.data.section().key_of_column(column);
            own.or_else(|| key_of_group(loaded, column))
        }
        DataError::Tokenizer(_) => Some("tokenizer".into()),
        DataError::Split(_) => Some("data.split".into()),
        _ => None,
    }
}

/// The key that names this column as one of groups.
fn key_of_group(loaded: &Loaded, column: &String) -> Option<String> {
    let fairness = loaded.config.fairness.as_ref()?;
    let is_group = fairness.groups.contains(column);
    is_group.then(|| "fairness.groups".into())
}

/// The key that names this file; that of the data, if no other one does.
fn key_of_file(loaded: &Loaded, path: &PathBuf) -> String {
    let named = |text: &Option<String>| {
        text.as_ref()
            .is_some_and(|text| std::path::absolute(text).is_ok_and(|p| p == *path))
    };
    let tokenizer = loaded.config.tokenizer.as_ref();
    if tokenizer.is_some_and(|tokenizer| named(&tokenizer.config.path)) {
        return "tokenizer.path".into();
    }
    let mut files = loaded.config.data.section().located().files.into_iter();
    let found = files.find(|(_, text)| named(text));
    format!("data.{}", found.map_or("path", |(key, _)| key))
}
