//! The resolved configuration as TOML.

use std::fmt::Write;

use serde::Serialize;
use toml::{Table, Value};

/// Every key on a line of its own, tables in the order of the struct. What is optional and not given
/// is left out, and so are the keys in `unread`, each as `table.key`.
///
/// # Panics
///
/// If the configuration is not made of TOML's types.
pub fn to_toml<'a>(config: &impl Serialize, unread: impl IntoIterator<Item = &'a str>) -> String {
    let mut root = Table::try_from(config).expect("a configuration is made of TOML's types");
    for key in unread {
        let table = key
            .split_once('.')
            .and_then(|(table, key)| Some((root.get_mut(table)?, key)));
        if let Some((Value::Table(table), key)) = table {
            table.remove(key);
        }
    }
    let mut text = String::new();
    for (key, value) in root.iter().filter(|(_, value)| !value.is_table()) {
        writeln!(text, "{key} = {value}").expect("a string takes all text");
    }
    for (name, value) in &root {
        if let Value::Table(table) = value {
            write_table(&mut text, name, table).expect("a string takes all text");
        }
    }
    text
}

fn write_table(text: &mut String, name: &str, table: &Table) -> std::fmt::Result {
    writeln!(text, "\n[{name}]")?;
    // The keys are fields' names, which need no quotes; nested tables are written inline.
    for (key, value) in table {
        writeln!(text, "{key} = {value}")?;
    }
    Ok(())
}
