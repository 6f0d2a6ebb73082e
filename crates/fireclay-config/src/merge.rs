//! One table laid over another.

use crate::tree::{Entry, Node, Table, Value};

/// Keys of which a table may have one: whoever writes the one takes back the other.
pub(crate) type Exclusive = (&'static str, &'static str);

/// Keys of a table, and of the tables in it, that have a second name: the alias and the name.
#[derive(Default)]
pub(crate) struct Aliases {
    pub table: &'static str,
    pub names: &'static [(&'static str, &'static str)],
}

impl Aliases {
    /// A dotted key with the full name of its last part.
    pub fn full(&self, key: &str) -> String {
        let table = key.split('.').next().unwrap_or_default();
        match key.rsplit_once('.') {
            Some((parent, last)) if table == self.table => {
                let found = self.names.iter().find(|(alias, _)| *alias == last);
                format!("{parent}.{}", found.map_or(last, |(_, name)| name))
            }
            _ => key.to_owned(),
        }
    }
}

/// Lays the later document over the earlier one: tables are merged key by key, except that a table
/// with another `type` replaces the earlier one; everything else is replaced.
pub(crate) fn merge(base: &mut Node, over: Node, over_is_file: bool, exclusive: Option<Exclusive>) {
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
                put(table, entry, over_is_file, exclusive);
            }
        }
        (_, over) => *base = over,
    }
}

/// Gives keys their full names, so that an alias in one file overrides the name in another. An
/// entry whose table has both names is left as it is.
pub(crate) fn expand_aliases(root: &mut Node, aliases: &Aliases) {
    let table = root
        .as_table_mut()
        .and_then(|table| table.get_mut(aliases.table));
    if let Some(entry) = table {
        rename(&mut entry.node, aliases.names);
    }
}

fn rename(node: &mut Node, names: &[(&str, &str)]) {
    let Some(table) = node.as_table_mut() else {
        return;
    };
    for (alias, name) in names {
        if table.get(name).is_none()
            && let Some(entry) = table.get_mut(alias)
        {
            entry.key = (*name).to_string();
        }
    }
    table
        .entries
        .iter_mut()
        .for_each(|entry| rename(&mut entry.node, names));
}

fn put(table: &mut Table, entry: Entry, over_is_file: bool, exclusive: Option<Exclusive>) {
    let other = exclusive.and_then(|(one, other)| match entry.key.as_str() {
        key if key == one => Some(other),
        key if key == other => Some(one),
        _ => None,
    });
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
            merge(&mut old.node, entry.node, over_is_file, exclusive);
        }
        None => table.entries.push(entry),
    }
}

fn type_of(node: &Node) -> Option<&str> {
    node.as_table()?.get("type")?.node.as_str()
}
