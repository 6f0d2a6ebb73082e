//! A TOML document in which every key and value knows where it was written.

use toml::Spanned;
use toml::de::{DeArray, DeFloat, DeInteger, DeString, DeTable, DeValue};

use crate::problem::Span;

/// A value and its location. A table written by a `[header]` has the location of the header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    String(String),
    Integer(i128),
    /// A number that no integer type holds, as it is written.
    Huge(String),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
    /// Stands in for a value that is missing or wrong and already reported.
    Hole,
}

/// The entries of a table in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    /// Converts what the parser read from the source with this index; all locations are moved by
    /// `offset` bytes.
    pub fn from_table(table: &DeTable<'_>, source: usize, offset: usize) -> Self {
        let origin = Origin { source, offset };
        Self {
            span: Span::whole(source),
            value: Value::Table(origin.table(table)),
        }
    }

    /// Converts a single value, as [`from_table`](Self::from_table).
    pub fn from_value(value: &Spanned<DeValue<'_>>, source: usize, offset: usize) -> Self {
        Origin { source, offset }.node(value)
    }

    /// A table without entries.
    pub fn empty_table(span: Span) -> Self {
        Self {
            span,
            value: Value::Table(Table::default()),
        }
    }

    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn as_table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Removes the value at a dotted path, whose keys may contain dots; whether there was one.
    pub fn remove(&mut self, path: &str) -> bool {
        let Some(table) = self.as_table_mut() else {
            return false;
        };
        if table.remove(path).is_some() {
            return true;
        }
        let mut entries = table.entries.iter_mut();
        entries.any(|entry| strip(path, &entry.key).is_some_and(|rest| entry.node.remove(rest)))
    }

    /// Every key of a table and of the tables in it, dotted.
    pub fn keys(&self) -> Vec<String> {
        let entries = self.as_table().into_iter().flat_map(|table| &table.entries);
        let keys = entries.flat_map(|entry| {
            let inner = entry.node.keys().into_iter();
            let inner = inner.map(|key| format!("{}.{key}", entry.key));
            std::iter::once(entry.key.clone()).chain(inner)
        });
        keys.collect()
    }

    /// What the value is, for "must be a string, but is ...".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::String(_) => "a string",
            Value::Integer(_) | Value::Huge(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
            Value::Hole => "missing",
        }
    }

    /// The innermost value on a dotted path that exists, and whether that is the whole path. Keys
    /// may contain dots themselves.
    pub fn find(&self, path: &str) -> (&Self, bool) {
        if path.is_empty() {
            return (self, true);
        }
        let next = match &self.value {
            Value::Table(table) => {
                let mut entries = table.entries.iter();
                entries.find_map(|entry| Some((&entry.node, strip(path, &entry.key)?)))
            }
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(index, item)| Some((item, strip(path, &index.to_string())?)))
            }
            _ => None,
        };
        next.map_or((self, false), |(node, rest)| node.find(rest))
    }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }
}

/// What is left of a dotted path after its first key.
fn strip<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(key)?;
    match rest {
        "" => Some(rest),
        _ => rest.strip_prefix('.'),
    }
}

struct Origin {
    source: usize,
    offset: usize,
}

impl Origin {
    fn span(&self, range: std::ops::Range<usize>) -> Span {
        let range = range.start + self.offset..range.end + self.offset;
        Span {
            source: self.source,
            range,
        }
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let span = self.span(value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => integer(number),
            DeValue::Float(number) => float(number),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(value) => Value::Datetime(value.to_string()),
            DeValue::Array(items) => Value::Array(self.array(items)),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { span, value }
    }

    fn array(&self, items: &DeArray<'_>) -> Vec<Node> {
        items.iter().map(|item| self.node(item)).collect()
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
            key: key.get_ref().to_string(),
            key_span: self.span(key.span()),
            node: self.node(value),
        };
        Table {
            entries: table.iter().map(entry).collect(),
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Value {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => Value::Integer(value),
        Err(_) => Value::Huge(number.to_string()),
    }
}

fn float(number: &DeFloat<'_>) -> Value {
    // The parser has checked the form, so what cannot be read is too large and becomes infinite.
    Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY))
}
