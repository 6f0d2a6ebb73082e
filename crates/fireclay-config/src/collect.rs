//! Every error of a table, not only the first.
//!
//! Serde stops at the first error. So the faulty entry is taken out, a missing one is replaced by
//! a stand-in that any type accepts, and the table is read again until it can be.

use serde::de::DeserializeOwned;

use crate::de::read;
use crate::fault::{Fault, Kind, Step};
use crate::tree::{Entry, Node, Value};

/// What could be read of a table, and what could not.
pub(crate) struct Collected<T> {
    /// The value, with stand-ins at the keys in `damaged`; none if even that is not possible.
    pub value: Option<T>,
    pub faults: Vec<Fault>,
    /// The dotted keys whose values mean nothing, relative to the table.
    pub damaged: Vec<String>,
}

impl<T> Collected<T> {
    pub fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Collected<U> {
        Collected {
            value: self.value.map(wrap),
            faults: self.faults,
            damaged: self.damaged,
        }
    }
}

/// Reads a table as a whole.
pub(crate) fn collect<T: DeserializeOwned>(node: &Node) -> Collected<T> {
    let mut node = node.clone();
    let (mut faults, mut damaged) = (Vec::new(), Vec::new());
    let value = loop {
        match read(&node) {
            Ok(value) => break Some(value),
            Err(fault) => {
                let key = damaged_key(&fault);
                let is_repaired = repair(&mut node, &fault);
                let is_known = matches!(fault.0.kind, Kind::Hole) || damaged.contains(&key);
                if !is_known {
                    faults.push(fault);
                    damaged.push(key);
                }
                if !is_repaired {
                    break None;
                }
            }
        }
    };
    Collected {
        value,
        faults,
        damaged,
    }
}

/// The dotted form of a path.
pub(crate) fn dotted(path: &[Step]) -> String {
    let keys = path.iter().map(|step| match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
    });
    keys.collect::<Vec<_>>().join(".")
}

fn damaged_key(fault: &Fault) -> String {
    let mut path = fault.0.path.clone();
    if let Kind::Missing { key } = &fault.0.kind {
        path.push(Step::Key(key.clone()));
    }
    dotted(&path)
}

/// Changes the table so that the next reading gets further; whether that was possible. Each repair
/// takes an entry out or puts a stand-in where none was, so there is an end to them.
fn repair(root: &mut Node, fault: &Fault) -> bool {
    match (&fault.0.kind, fault.0.path.split_last()) {
        (Kind::Missing { key }, _) => insert_hole(root, &fault.0.path, key),
        (Kind::Hole, Some((Step::Index(_), parent))) => match parent.split_last() {
            Some((Step::Key(key), parent)) => remove(root, parent, key),
            _ => false,
        },
        (Kind::Hole, _) | (_, None) => false,
        (_, Some((Step::Key(key), parent))) => remove(root, parent, key),
        (_, Some((Step::Index(_), _))) => match at(root, &fault.0.path) {
            Some(node) if node.value != Value::Hole => {
                node.value = Value::Hole;
                true
            }
            _ => false,
        },
    }
}

fn insert_hole(root: &mut Node, path: &[Step], key: &str) -> bool {
    let Some(node) = at(root, path) else {
        return false;
    };
    let span = node.span.clone();
    let Some(table) = node.as_table_mut().filter(|table| table.get(key).is_none()) else {
        return false;
    };
    table.entries.push(Entry {
        key: key.to_string(),
        key_span: span.clone(),
        node: Node {
            span,
            value: Value::Hole,
        },
    });
    true
}

fn remove(root: &mut Node, parent: &[Step], key: &str) -> bool {
    let table = at(root, parent).and_then(Node::as_table_mut);
    table.is_some_and(|table| table.remove(key).is_some())
}

fn at<'a>(node: &'a mut Node, path: &[Step]) -> Option<&'a mut Node> {
    let Some((first, rest)) = path.split_first() else {
        return Some(node);
    };
    let next = match (&mut node.value, first) {
        (Value::Table(table), Step::Key(key)) => &mut table.get_mut(key)?.node,
        (Value::Array(items), Step::Index(index)) => items.get_mut(*index)?,
        _ => return None,
    };
    at(next, rest)
}
