//! Errors of the data, shown at the key of the configuration that they come from.

use fireclay_config::did_you_mean;
use fireclay_data::{DataError, ImageDataConfig, SplitConfig, TableConfig, TextTableConfig};

use super::RunError;
use crate::config::{DataConfig, Loaded};

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
    let (valid, test) = match &loaded.config.data {
        DataConfig::Table(source) => (&source.table.valid_path, &source.table.test_path),
        DataConfig::Image(source) => (&source.images.valid_path, &source.images.test_path),
        DataConfig::Text(source) => (&source.text.valid_path, &source.text.test_path),
        DataConfig::Pairs(source) => (&source.pairs.valid_path, &source.pairs.test_path),
        DataConfig::TextTable(source) => (&source.texts.valid_path, &source.texts.test_path),
    };
    match error {
        DataError::Read { path, .. }
        | DataError::NoMatch { path }
        | DataError::Directory { path } => {
            let named = |text: &Option<String>| {
                text.as_ref()
                    .is_some_and(|text| std::path::absolute(text).is_ok_and(|p| p == *path))
            };
            let tokenizer = loaded.config.tokenizer.as_ref();
            let tokenizer = tokenizer.map_or(&None, |tokenizer| &tokenizer.config.path);
            let [target, valid_target, test_target] = targets(loaded);
            let keys = [
                ("data.target_path", target),
                ("data.valid_target_path", valid_target),
                ("data.test_target_path", test_target),
                ("data.valid_path", valid),
                ("data.test_path", test),
                ("tokenizer.path", tokenizer),
            ];
            let found = keys
                .into_iter()
                .find(|(_, text)| named(text))
                .map(|(key, _)| key);
            Some(found.unwrap_or("data.path").into())
        }
        DataError::MissingColumn { column, .. } => match &loaded.config.data {
            DataConfig::Table(source) => table_key(&source.table, column),
            DataConfig::Image(source) => image_key(&source.images, column),
            DataConfig::Text(_) | DataConfig::Pairs(_) => None,
            DataConfig::TextTable(source) => text_table_key(&source.texts, column),
        },
        DataError::Tokenizer(_) => Some("tokenizer".into()),
        DataError::Split(_) => Some("data.split".into()),
        _ => None,
    }
}

/// The files of translations.
fn targets(loaded: &Loaded) -> [&Option<String>; 3] {
    match &loaded.config.data {
        DataConfig::Pairs(source) => {
            let pairs = &source.pairs;
            [
                &pairs.target_path,
                &pairs.valid_target_path,
                &pairs.test_target_path,
            ]
        }
        _ => [&None; 3],
    }
}

/// Where the configuration of a table names a column.
fn table_key(data: &TableConfig, column: &str) -> Option<String> {
    let is = |name: &Option<String>| name.as_deref() == Some(column);
    let key = if data.target == column {
        "data.target".into()
    } else if is(&data.id) {
        "data.id".into()
    } else if data.ignore.iter().any(|name| name == column) {
        "data.ignore".into()
    } else if data.columns.contains_key(column) {
        format!("data.columns.{column}")
    } else {
        return split_key(&data.split, column);
    };
    Some(key)
}

/// Where the configuration of images names a column.
fn image_key(data: &ImageDataConfig, column: &str) -> Option<String> {
    if data.target.as_deref() == Some(column) {
        Some("data.target".into())
    } else if data.image_column.as_deref() == Some(column) {
        Some("data.image_column".into())
    } else if data.targets.iter().any(|name| name == column) {
        Some("data.targets".into())
    } else {
        split_key(&data.split, column)
    }
}

/// Where the configuration of a table of texts names a column.
fn text_table_key(data: &TextTableConfig, column: &str) -> Option<String> {
    if data.text == column {
        Some("data.text".into())
    } else if data.target == column {
        Some("data.target".into())
    } else if data.id.as_deref() == Some(column) {
        Some("data.id".into())
    } else {
        split_key(&data.split, column)
    }
}

fn split_key(split: &SplitConfig, column: &str) -> Option<String> {
    let keys = [
        ("data.split.group", &split.group),
        ("data.split.time", &split.time),
        ("data.split.column", &split.column),
    ];
    let is = |name: &Option<String>| name.as_deref() == Some(column);
    let found = keys.into_iter().find(|(_, name)| is(name));
    found.map(|(key, _)| key.into())
}
