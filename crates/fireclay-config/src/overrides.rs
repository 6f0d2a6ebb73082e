//! `--set key.path=value`.

use toml::de::{DeTable, DeValue};

use crate::problem::{OVERRIDE, Problem, SourceText, Span};
use crate::tree::{Entry, Node, Table, Value};

/// The text that an override is shown as.
const PREFIX: &str = "--set ";

/// The source of an argument, which is `key.path=value`.
pub(crate) fn source(argument: &str) -> SourceText {
    SourceText {
        name: OVERRIDE.into(),
        text: format!("{PREFIX}{argument}"),
        path: None,
    }
}

/// The table that an override stands for. The value is read as TOML, or else it is a string.
pub(crate) fn parse(argument: &str, index: usize) -> Result<Node, Box<(Problem, Span)>> {
    let at = |start: usize, end: usize| Span {
        source: index,
        range: PREFIX.len() + start..PREFIX.len() + end,
    };
    let Some(equals) = equals_sign(argument) else {
        let problem = Problem::new(format!("`{argument}` sets nothing"))
            .label("no `=`")
            .help(Some(
                "write --set key=value, such as --set train.epochs=5".into(),
            ));
        return Err((problem, at(0, argument.len())).into());
    };
    let (key, text) = (&argument[..equals], &argument[equals + 1..]);
    let start = equals + 1 + (text.len() - text.trim_start().len());
    let value = value(text.trim(), index, PREFIX.len() + start)
        .map_err(|problem| (*problem, at(equals, argument.len())))?;
    // The parser reads the dotted key if it is given a value of the simplest kind.
    let statement = format!("{key}=0");
    let table = DeTable::parse(&statement).map_err(|error| {
        let problem = Problem::new(format!("`{key}` is not a key: {}", error.message()));
        (problem, at(0, equals.max(1)))
    })?;
    let mut node = Node::from_table(table.get_ref(), index, PREFIX.len());
    if !put(&mut node, value) {
        let problem = Problem::new(format!("`{key}` is not a key"));
        return Err((problem, at(0, equals.max(1))).into());
    }
    Ok(node)
}

/// The first `=` outside of quotes.
fn equals_sign(argument: &str) -> Option<usize> {
    let mut quote = None;
    argument
        .char_indices()
        .find_map(|(index, char)| match (quote, char) {
            (None, '=') => Some(index),
            (None, '"' | '\'') => {
                quote = Some(char);
                None
            }
            (Some(open), _) if open == char => {
                quote = None;
                None
            }
            _ => None,
        })
}

fn value(text: &str, source: usize, offset: usize) -> Result<Node, Box<Problem>> {
    if text.is_empty() {
        let help = "write two quotes for an empty string: --set 'key=\"\"'".to_string();
        let problem = Problem::new("there is no value after `=`");
        return Err(problem.help(Some(help)).into());
    }
    match DeValue::parse(text) {
        Ok(value) => Ok(Node::from_value(&value, source, offset)),
        Err(error) if text.starts_with(['[', '{', '"', '\'']) => {
            let message = format!("the value is not TOML: {}", error.message());
            Err(Problem::new(message).into())
        }
        Err(_) => {
            let span = Span {
                source,
                range: offset..offset + text.len(),
            };
            Ok(Node {
                span,
                value: Value::String(text.to_string()),
            })
        }
    }
}

/// Replaces the innermost value of a chain of tables with one entry each.
fn put(node: &mut Node, value: Node) -> bool {
    match &mut node.value {
        Value::Table(Table { entries }) => match entries.as_mut_slice() {
            [Entry { node, .. }] => put(node, value),
            _ => false,
        },
        _ => {
            *node = value;
            true
        }
    }
}
