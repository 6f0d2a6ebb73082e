//! One table laid over another.

use super::tree::{Entry, Node, Table, Value};

/// Names that stand for others in `[optimizer]`: what other frameworks call these keys.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("lr", "learning_rate"),
    ("eps", "epsilon"),
    ("lr_decay", "learning_rate_decay"),
    ("initial_accumulator_value", "initial_accumulator"),
];

/// Keys of which a table may have one: whoever writes the one takes back the other.
pub(super) const EXCLUSIVE: (&str, &str) = ("every_steps", "every_epochs");

/// Lays the later document over the earlier one: tables are merged key by key, except that a table
/// with another `type` replaces the earlier one; everything else is replaced.
pub(super) fn merge(base: &mut Node, over: Node, over_is_file: bool) {
    let same_type = match (type_of(base), type_of(&over)) {
        (Some(base), Some(over)) => base == over,
        _ => true,
    };
    match (&mut base.value, over) {
        (
            Value::Table(table),
            Node {
                value: Value::Table(entries),
                span,
            },
        ) if same_type => {
            // A missing key is shown at the header in the file, not at an override.
            if over_is_file {
                base.span = span;
            }
            for entry in entries.entries {
                put(table, entry, over_is_file);
            }
        }
        (_, over) => *base = over,
    }
}

/// Gives keys their full names, so that an alias in one file overrides the name in another. An
/// entry whose table has both names is left as it is.
pub(super) fn expand_aliases(root: &mut Node) {
    let optimizer = root
        .as_table_mut()
        .and_then(|table| table.get_mut("optimizer"));
    if let Some(entry) = optimizer {
        rename(&mut entry.node);
    }
}

fn rename(node: &mut Node) {
    let Some(table) = node.as_table_mut() else {
        return;
    };
    for (alias, name) in ALIASES {
        if table.get(name).is_none()
            && let Some(entry) = table.get_mut(alias)
        {
            entry.key = (*name).to_string();
        }
    }
    table
        .entries
        .iter_mut()
        .for_each(|entry| rename(&mut entry.node));
}

fn put(table: &mut Table, entry: Entry, over_is_file: bool) {
    let other = match entry.key.as_str() {
        key if key == EXCLUSIVE.0 => Some(EXCLUSIVE.1),
        key if key == EXCLUSIVE.1 => Some(EXCLUSIVE.0),
        _ => None,
    };
    // An entry of the same source stays, so that writing both is an error.
    if let Some(other) = other
        && table
            .get(other)
            .is_some_and(|other| other.key_span.source != entry.key_span.source)
    {
        table.remove(other);
    }
    match table.get_mut(&entry.key) {
        Some(old) => {
            if over_is_file || entry.node.as_table().is_none() {
                old.key_span = entry.key_span;
            }
            merge(&mut old.node, entry.node, over_is_file);
        }
        None => table.entries.push(entry),
    }
}

fn type_of(node: &Node) -> Option<&str> {
    node.as_table()?.get("type")?.node.as_str()
}
