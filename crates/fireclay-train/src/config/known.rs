//! Which table a key belongs to, for advice about a misplaced one.

use schemars::JsonSchema;
use serde_json::Value;

use super::run::TopLevel;
use super::schema::{generator, parts};

/// A table, or one `type` of a table; the empty name is the top of the file.
pub(super) struct Owner {
    pub table: &'static str,
    pub word: Option<&'static str>,
}

/// Every table that has this key.
pub(super) fn owners(key: &str) -> Vec<Owner> {
    let mut generator = generator();
    let has_key = |schema: &Value| schema["properties"].get(key).is_some();
    let top = TopLevel::json_schema(&mut generator).to_value();
    let mut owners = Vec::new();
    if has_key(&top) {
        owners.push(Owner {
            table: "",
            word: None,
        });
    }
    let parts = parts(&mut generator)
        .into_iter()
        .filter(|part| has_key(&part.schema));
    owners.extend(parts.map(|part| Owner {
        table: part.table,
        word: part.word,
    }));
    owners
}
