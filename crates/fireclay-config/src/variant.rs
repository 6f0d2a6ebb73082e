//! The types that a table can have.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::collect::{Collected, collect};
use crate::fault::Kind;
use crate::tree::Node;

/// What gives the schema of a struct.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

type Read<T> = Box<dyn Fn(&Node) -> Collected<T>>;

/// One `type` of a table: its name, how to read it and its schema.
pub struct Variant<T> {
    pub(crate) name: &'static str,
    pub(crate) read: Read<T>,
    pub(crate) schema: SchemaOf,
}

/// The `type` that is read as a `C`.
pub fn variant<C, T: 'static>(name: &'static str, wrap: impl Fn(C) -> T + 'static) -> Variant<T>
where
    C: DeserializeOwned + JsonSchema + 'static,
{
    Variant {
        name,
        read: Box::new(move |node| collect::<C>(node).map(&wrap)),
        schema: C::json_schema,
    }
}

/// The `type` whose keys are those of two structs; `second` are the names of the second's keys.
/// Serde's own way, `flatten`, would lose the location of every value and let unknown keys pass.
pub fn variant_of_two<C, D, T: 'static>(
    name: &'static str,
    second: &'static [&'static str],
    wrap: impl Fn(C, D) -> T + 'static,
) -> Variant<T>
where
    C: DeserializeOwned + JsonSchema + 'static,
    D: DeserializeOwned + JsonSchema + 'static,
{
    let read = move |node: &Node| {
        collect_two::<C, D>(node, second).map(|(first, second)| wrap(first, second))
    };
    Variant {
        name,
        read: Box::new(read),
        schema: schema_of_two::<C, D>,
    }
}

/// Reads a table whose keys are those of two structs.
fn collect_two<C: DeserializeOwned, D: DeserializeOwned>(
    node: &Node,
    second: &'static [&'static str],
) -> Collected<(C, D)> {
    let (mut rest, mut part) = (node.clone(), node.clone());
    keep(&mut rest, |key| !second.contains(&key));
    keep(&mut part, |key| second.contains(&key));
    let (first, second_part) = (collect::<C>(&rest), collect::<D>(&part));
    let mut faults = first.faults;
    for fault in &mut faults {
        let is_outermost = fault.0.path.len() == 1;
        if let Kind::UnknownKey { expected } = &mut fault.0.kind
            && is_outermost
        {
            expected.to_mut().extend(second);
        }
    }
    faults.extend(second_part.faults);
    Collected {
        value: first.value.zip(second_part.value),
        faults,
        damaged: [first.damaged, second_part.damaged].concat(),
    }
}

fn schema_of_two<C: JsonSchema, D: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = C::json_schema(generator);
    let second = D::json_schema(generator).to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut())
        && let Some(more) = second["properties"].as_object()
    {
        properties.extend(more.clone());
    }
    schema
}

fn keep(node: &mut Node, wanted: impl Fn(&str) -> bool) {
    if let Some(table) = node.as_table_mut() {
        table.entries.retain(|entry| wanted(&entry.key));
    }
}
