//! Tables and bars of JSON whose form is not known: what its keys are called is what is shown.

use serde_json::{Map, Value};

use crate::chart::{Bar, Words, bars};
use crate::section::Block;
use crate::table::{Cell, Table};

/// Rows of a table.
const ROWS: usize = 200;
/// Bars of a chart.
const BARS: usize = 25;
/// Levels of the JSON that are shown.
const DEPTH: usize = 6;

/// A value as what fits it: numbers by name as bars, lists of alike objects as a table.
pub(super) fn shown(name: &str, value: &Value, depth: usize) -> Vec<Block> {
    match value {
        Value::Object(fields) => object(name, fields, depth),
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            vec![Block::Table(objects(name, items))]
        }
        Value::Array(items) => vec![Block::Words(
            items
                .iter()
                .take(ROWS)
                .map(plain)
                .collect::<Vec<_>>()
                .join(", "),
        )],
        other => vec![Block::Words(plain(other))],
    }
}

fn object(name: &str, fields: &Map<String, Value>, depth: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (nested, simple): (Vec<_>, Vec<_>) = fields
        .iter()
        .partition(|(_, value)| value.is_object() || is_list(value));
    if !simple.is_empty() {
        let numbers: Vec<(&String, f64)> = simple
            .iter()
            .filter_map(|(key, value)| Some((*key, value.as_f64()?)))
            .collect();
        match numbers.len() == simple.len() && numbers.len() > 2 && depth > 0 {
            true => blocks.push(chart(name, &numbers)),
            false => {
                let rows = simple
                    .iter()
                    .take(ROWS)
                    .map(|(key, value)| vec![Cell::Text(words(key)), cell(value)]);
                blocks.push(Block::Table(
                    Table::new(words(name), &["name", "value"]).with(rows),
                ));
            }
        }
    }
    if nested.len() > 1 && nested.iter().all(|(_, value)| is_flat(value)) {
        blocks.push(Block::Table(named(name, &nested)));
        return blocks;
    }
    for (key, value) in nested.into_iter().filter(|_| depth < DEPTH) {
        blocks.push(match depth {
            0 => Block::Heading(words(key)),
            _ => Block::Words(format!("{}:", words(key))),
        });
        blocks.extend(shown(&format!("{name}-{key}"), value, depth + 1));
    }
    blocks
}

fn is_list(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().any(|item| item.is_object() || item.is_array()))
}

fn is_flat(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| {
        fields
            .values()
            .all(|value| !value.is_object() && !is_list(value))
    })
}

/// Objects with their names as the rows of one table.
fn named(name: &str, objects: &[(&String, &Value)]) -> Table {
    let columns = columns(objects.iter().map(|(_, value)| *value));
    let mut head = vec!["name".to_owned()];
    head.extend(columns.iter().map(|column| words(column)));
    let row = |(key, value): &(&String, &Value)| {
        let cells = columns
            .iter()
            .map(|column| value.get(column).map_or(Cell::None, cell));
        std::iter::once(Cell::Text(words(key)))
            .chain(cells)
            .collect()
    };
    let mut table = Table::new(words(name), &[]).with(objects.iter().take(ROWS).map(row));
    table.head = head;
    table
}

fn objects(name: &str, items: &[Value]) -> Table {
    let columns = columns(items.iter());
    let row = |item: &Value| {
        columns
            .iter()
            .map(|column| item.get(column).map_or(Cell::None, cell))
            .collect()
    };
    let mut table = Table::new(words(name), &[]).with(items.iter().take(ROWS).map(row));
    table.head = columns.iter().map(|column| words(column)).collect();
    table
}

/// The keys of objects, in the order in which they come first.
fn columns<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for key in objects.filter_map(Value::as_object).flat_map(Map::keys) {
        if !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    columns
}

fn chart(name: &str, numbers: &[(&String, f64)]) -> Block {
    let mut sorted: Vec<(&String, f64)> = numbers.to_vec();
    sorted.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let bar = |(key, value): &(&String, f64)| Bar {
        name: words(key),
        value: *value,
        interval: None,
        note: String::new(),
    };
    let list: Vec<Bar> = sorted.iter().take(BARS).map(bar).collect();
    let rows = sorted
        .iter()
        .take(ROWS)
        .map(|(key, value)| vec![Cell::Text(words(key)), (*value).into()]);
    Block::Charts(vec![bars(
        &list,
        None,
        Words {
            id: &id(name),
            title: &words(name.rsplit('-').next().unwrap_or(name)),
            description: format!("The largest of {} first.", numbers.len()),
            series: &["value"],
            table: Table::new(words(name), &["name", "value"]).with(rows),
        },
    )])
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Number(number) if number.is_u64() => Cell::count(number.as_u64().unwrap_or(0)),
        Value::Number(number) => Cell::from(number.as_f64()),
        Value::Null => Cell::None,
        other => Cell::Text(plain(other)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_f64()
            .map_or_else(|| number.to_string(), crate::text::number),
        Value::Array(items) if items.len() <= 8 => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A key as words.
pub(super) fn words(key: &str) -> String {
    key.replace('_', " ")
}

/// A name for files and links. Others may get the same one.
pub(super) fn id(name: &str) -> String {
    const LETTERS: usize = 80;
    let letter = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    name.chars().take(LETTERS).map(letter).collect()
}
