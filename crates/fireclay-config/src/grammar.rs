//! What a configuration can say: its tables, their types and their keys.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::merge::{Aliases, Exclusive};
use crate::variant::{SchemaOf, Variant};

/// The tables of a configuration, in the order in which they are written, with the structs that read
/// them. It gives the JSON Schema and knows which table a misplaced key belongs to.
pub struct Grammar {
    top: SchemaOf,
    parts: Vec<Part<SchemaOf>>,
    required: &'static [&'static str],
    pub(crate) aliases: Aliases,
    pub(crate) exclusive: Option<Exclusive>,
}

/// One struct of the configuration: its table, its `type` if the table has one, its schema.
struct Part<S> {
    table: &'static str,
    word: Option<&'static str>,
    schema: S,
}

/// A table that has a key, or one `type` of a table; the empty name is the top of the file.
pub(crate) struct Owner {
    pub table: &'static str,
    pub word: Option<&'static str>,
}

impl Grammar {
    /// No tables yet; `T` reads what stands before the first.
    pub fn new<T: JsonSchema>() -> Self {
        Self {
            top: T::json_schema,
            parts: Vec::new(),
            required: &[],
            aliases: Aliases::default(),
            exclusive: None,
        }
    }

    /// With a table whose `type` chooses between variants.
    pub fn tagged<T>(mut self, table: &'static str, variants: &[Variant<T>]) -> Self {
        self.parts.extend(variants.iter().map(|variant| Part {
            table,
            word: Some(variant.name),
            schema: variant.schema,
        }));
        self
    }

    /// With a table that is read as a `T`.
    pub fn plain<T: JsonSchema>(mut self, table: &'static str) -> Self {
        self.parts.push(Part {
            table,
            word: None,
            schema: T::json_schema,
        });
        self
    }

    /// The tables that cannot be left out.
    pub fn required(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// Second names of keys in `table` and in the tables inside it, as (alias, name).
    pub fn aliases(
        self,
        table: &'static str,
        names: &'static [(&'static str, &'static str)],
    ) -> Self {
        let aliases = Aliases { table, names };
        Self { aliases, ..self }
    }

    /// Two keys of which a table may have one: a later file that writes the one takes back the other.
    pub fn exclusive(self, one: &'static str, other: &'static str) -> Self {
        let exclusive = Some((one, other));
        Self { exclusive, ..self }
    }

    /// One JSON Schema (draft 2020-12) for a whole configuration file.
    ///
    /// A file that `extends` another may leave out whole tables, and any table may leave out its
    /// `type` for the one of the base; what reads it knows the base and is stricter.
    pub fn schema(&self, title: &str, description: &str) -> Value {
        let mut generator = generator();
        let top = (self.top)(&mut generator).to_value();
        let parts = self.schemas(&mut generator);
        let mut definitions = Value::Object(generator.take_definitions(true));
        self.add_aliases(&mut definitions);
        let mut properties = Map::new();
        properties.insert(
            "extends".into(),
            json!({
                "type": "string",
                "description": "A configuration, relative to this file, whose tables are the base of these.",
            }),
        );
        properties.insert(
            "unset".into(),
            json!({
                "type": ["array", "string"],
                "items": { "type": "string" },
                "description": "Keys and tables of the file that this one extends that are taken back, \
                                such as [\"early_stopping\", \"train.max_steps\"].",
            }),
        );
        properties.extend(object(&top["properties"]));
        for table in self.tables() {
            let parts: Vec<_> = parts.iter().filter(|part| part.table == table).collect();
            properties.insert(table.into(), table_schema(&parts));
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            "description": description,
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "if": { "required": ["extends"] },
            "else": { "required": self.required },
            "$defs": definitions,
        })
    }

    /// Every key at the top and of every table, dotted, with second names; the keys of tables inside of tables
    /// are not among them.
    pub fn keys(&self) -> Vec<String> {
        let mut generator = generator();
        let top = (self.top)(&mut generator).to_value();
        let parts = self.schemas(&mut generator);
        let mut keys: Vec<String> = object(&top["properties"]).keys().cloned().collect();
        let tagged = self.parts.iter().filter(|part| part.word.is_some());
        keys.extend(tagged.map(|part| format!("{}.type", part.table)));
        for Part { table, schema, .. } in &parts {
            let properties = object(&schema["properties"]);
            keys.extend(properties.keys().map(|key| format!("{table}.{key}")));
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The names of the tables.
    pub(crate) fn tables(&self) -> Vec<&'static str> {
        let mut tables: Vec<_> = self.parts.iter().map(|part| part.table).collect();
        tables.dedup();
        tables
    }

    /// `[a], [b] and [c]`: the tables that cannot be left out.
    pub(crate) fn required_tables(&self) -> String {
        let tables: Vec<_> = self
            .required
            .iter()
            .map(|name| format!("[{name}]"))
            .collect();
        match tables.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => tables.concat(),
        }
    }

    /// Every table that has this key.
    pub(crate) fn owners(&self, key: &str) -> Vec<Owner> {
        let mut generator = generator();
        let has_key = |schema: &Value| schema["properties"].get(key).is_some();
        let top = (self.top)(&mut generator).to_value();
        let top = has_key(&top).then_some(Owner {
            table: "",
            word: None,
        });
        let parts = self.schemas(&mut generator).into_iter();
        let parts = parts.filter(|part| has_key(&part.schema));
        let parts = parts.map(|Part { table, word, .. }| Owner { table, word });
        top.into_iter().chain(parts).collect()
    }

    /// The schema of every table and `type`: first those that have a `type`.
    fn schemas(&self, generator: &mut SchemaGenerator) -> Vec<Part<Value>> {
        let (tagged, plain): (Vec<_>, Vec<_>) =
            self.parts.iter().partition(|part| part.word.is_some());
        let parts = tagged.into_iter().chain(plain);
        parts.map(|part| self.schema_of(part, generator)).collect()
    }

    fn schema_of(&self, part: &Part<SchemaOf>, generator: &mut SchemaGenerator) -> Part<Value> {
        let mut schema = (part.schema)(generator).to_value();
        if part.table == self.aliases.table {
            self.add_alias(&mut schema);
        }
        Part {
            table: part.table,
            word: part.word,
            schema,
        }
    }

    /// Tables inside a table with aliases have them too.
    fn add_aliases(&self, definitions: &mut Value) {
        let tables = definitions.as_object_mut().into_iter();
        let tables = tables.flat_map(Map::values_mut);
        tables.for_each(|table| self.add_alias(table));
    }

    fn add_alias(&self, schema: &mut Value) {
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
            return;
        };
        for (alias, name) in self.aliases.names {
            if let Some(property) = properties.get(*name).cloned() {
                properties.insert((*alias).into(), property);
            }
        }
    }
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// The schema of a table: of its struct, or of one of several with their `type`, or of any keys of
/// theirs where the `type` is that of the base.
fn table_schema(parts: &[&Part<Value>]) -> Value {
    let mut choices: Vec<_> = parts.iter().map(|part| with_type(part)).collect();
    if let [part] = parts
        && part.word.is_none()
    {
        return choices.remove(0);
    }
    let mut partial = Map::new();
    for part in parts {
        partial.extend(object(&part.schema["properties"]));
    }
    choices.push(json!({
        "description": "Changes to the table of the file that this one extends.",
        "type": "object",
        "properties": partial,
        "additionalProperties": false,
    }));
    json!({ "oneOf": choices })
}

fn with_type(part: &Part<Value>) -> Value {
    let mut schema = part.schema.clone();
    schema["additionalProperties"] = json!(false);
    if let Some(word) = part.word {
        let description = schema.get("description").cloned().unwrap_or_default();
        let mut properties = Map::new();
        let tag = json!({ "const": word, "description": description });
        properties.insert("type".into(), tag);
        properties.extend(object(&schema["properties"]));
        let mut required = vec![json!("type")];
        required.extend(schema["required"].as_array().into_iter().flatten().cloned());
        schema["properties"] = Value::Object(properties);
        schema["required"] = Value::Array(required);
    }
    schema
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
