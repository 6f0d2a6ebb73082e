//! The JSON Schema of a configuration file, for editors.

use fireclay_models::LoraConfig;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::merge::ALIASES;
use super::registry::{self, REQUIRED, TABLES};
use super::run::TopLevel;
use super::section::Variant;
use super::sections::{
    CheckpointConfig, DeviceConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig, TrainConfig,
};

/// One struct of the configuration: its table, its `type` if the table has one, its schema.
pub(super) struct Part {
    pub table: &'static str,
    pub word: Option<&'static str>,
    pub schema: Value,
}

/// One JSON Schema (draft 2020-12) for a whole configuration file.
///
/// A file that `extends` another may leave out whole tables, and any table may leave out its
/// `type` for the one of the base; [`RunConfig::load`](super::RunConfig::load) knows the base and
/// is stricter.
pub fn schema() -> Value {
    let mut generator = generator();
    let top = TopLevel::json_schema(&mut generator).to_value();
    let parts = parts(&mut generator);
    let mut definitions = Value::Object(generator.take_definitions(true));
    add_aliases(&mut definitions);
    let mut properties = Map::new();
    properties.insert(
        "extends".into(),
        json!({
            "type": "string",
            "description": "A configuration, relative to this file, whose tables are the base of these.",
        }),
    );
    properties.extend(object(&top["properties"]));
    for table in TABLES {
        let parts: Vec<_> = parts.iter().filter(|part| part.table == *table).collect();
        properties.insert((*table).into(), table_schema(&parts));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A fireclay run",
        "description": "Data, model, task and hardware of one training run.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "if": { "required": ["extends"] },
        "else": { "required": REQUIRED },
        "$defs": definitions,
    })
}

/// The struct behind every table and `type`.
pub(super) fn parts(generator: &mut SchemaGenerator) -> Vec<Part> {
    let mut parts = Vec::new();
    tagged(&mut parts, "data", &registry::data(), generator);
    tagged(&mut parts, "tokenizer", &registry::tokenizer(), generator);
    tagged(&mut parts, "model", &registry::model(), generator);
    tagged(&mut parts, "task", &registry::task(), generator);
    tagged(&mut parts, "optimizer", &registry::optimizer(), generator);
    tagged(
        &mut parts,
        "lr_scheduler",
        &registry::lr_scheduler(),
        generator,
    );
    parts.iter_mut().for_each(add_aliases_of);
    let mut plain = |table, schema: schemars::Schema| {
        parts.push(Part {
            table,
            word: None,
            schema: schema.to_value(),
        });
    };
    plain("device", DeviceConfig::json_schema(generator));
    plain("lora", LoraConfig::json_schema(generator));
    plain("train", TrainConfig::json_schema(generator));
    plain("eval", EvalConfig::json_schema(generator));
    plain(
        "early_stopping",
        EarlyStoppingConfig::json_schema(generator),
    );
    plain("checkpoint", CheckpointConfig::json_schema(generator));
    plain("logging", LoggingConfig::json_schema(generator));
    parts
}

pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

fn tagged<T>(
    parts: &mut Vec<Part>,
    table: &'static str,
    variants: &[Variant<T>],
    generator: &mut SchemaGenerator,
) {
    for variant in variants {
        let schema = (variant.schema)(generator).to_value();
        parts.push(Part {
            table,
            word: Some(variant.name),
            schema,
        });
    }
}

/// The schema of a table: of its struct, or of one of several with their `type`, or of any keys of
/// theirs where the `type` is that of the base.
fn table_schema(parts: &[&Part]) -> Value {
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

fn with_type(part: &Part) -> Value {
    let mut schema = part.schema.clone();
    schema["additionalProperties"] = json!(false);
    if let Some(word) = part.word {
        let description = schema.get("description").cloned().unwrap_or_default();
        let mut properties = Map::new();
        properties.insert(
            "type".into(),
            json!({ "const": word, "description": description }),
        );
        properties.extend(object(&schema["properties"]));
        let mut required = vec![json!("type")];
        required.extend(schema["required"].as_array().into_iter().flatten().cloned());
        schema["properties"] = Value::Object(properties);
        schema["required"] = Value::Array(required);
    }
    schema
}

fn add_aliases_of(part: &mut Part) {
    if part.table == "optimizer" {
        add_alias(&mut part.schema);
    }
}

/// Tables inside `[optimizer]` have the aliases too.
fn add_aliases(definitions: &mut Value) {
    let tables = definitions
        .as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut);
    tables.for_each(add_alias);
}

fn add_alias(schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (alias, name) in ALIASES {
        if let Some(property) = properties.get(*name).cloned() {
            properties.insert((*alias).into(), property);
        }
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;

    use super::super::collect::{Collected, collect};
    use super::super::de::Kind;
    use super::super::problem::Span;
    use super::super::tree::{Entry, Node, Table, Value as Toml};
    use super::*;

    /// A table with a key that nobody knows, so that the parser says which it knows.
    fn probe() -> Node {
        let span = Span {
            source: 0,
            range: 0..0,
        };
        let node = Node {
            span: span.clone(),
            value: Toml::Boolean(true),
        };
        let entries = vec![Entry {
            key: "?".into(),
            key_span: span.clone(),
            node,
        }];
        Node {
            span,
            value: Toml::Table(Table { entries }),
        }
    }

    fn known<T>(collected: Collected<T>) -> BTreeSet<String> {
        let keys = collected
            .faults
            .into_iter()
            .find_map(|fault| match &fault.kind {
                Kind::UnknownKey { expected } => Some(expected.to_vec()),
                _ => None,
            });
        keys.expect("the probe is unknown")
            .iter()
            .map(|key| (*key).to_string())
            .collect()
    }

    fn check<T>(table: &str, word: Option<&str>, read: impl Fn(&Node) -> Collected<T>) {
        let parts = parts(&mut generator());
        let part = parts
            .iter()
            .find(|part| part.table == table && part.word == word);
        let part = part.expect("every variant has a part");
        let keys: BTreeSet<_> = object(&part.schema["properties"]).keys().cloned().collect();
        assert_eq!(keys, known(read(&probe())), "{table} {word:?}");
    }

    fn check_all<T>(table: &str, variants: &[Variant<T>], types: &[&str]) {
        let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
        assert_eq!(names, types, "{table}");
        variants
            .iter()
            .for_each(|variant| check(table, Some(variant.name), &variant.read));
    }

    fn check_plain<T: DeserializeOwned>(table: &str) {
        check(table, None, collect::<T>);
    }

    #[test]
    fn the_schema_has_the_keys_that_the_parser_accepts() {
        let names = |types: &[(&'static str, &str)]| -> Vec<&'static str> {
            types.iter().map(|(name, _)| *name).collect()
        };
        let tables = fireclay_data::TableFormat::ALL.map(|format| format.name());
        let images = fireclay_data::ImageFormat::ALL.map(|format| format.name());
        let texts = fireclay_data::TextFormat::ALL.map(|format| format.name());
        let pairs = fireclay_data::PairFormat::ALL.map(|format| format.name());
        let formats = [&tables[..], &images, &texts, &pairs, &["text_table"]].concat();
        check_all("data", &registry::data(), &formats);
        let kinds = fireclay_data::TokenizerKind::ALL.map(|kind| kind.name());
        check_all("tokenizer", &registry::tokenizer(), &kinds);
        let models = [
            names(fireclay_models::TabularConfig::TYPES),
            names(fireclay_models::ImageConfig::TYPES),
            names(fireclay_models::LanguageConfig::TYPES),
            names(fireclay_models::TranslationConfig::TYPES),
            names(fireclay_models::EncoderConfig::TYPES),
        ];
        check_all("model", &registry::model(), &models.concat());
        check_all(
            "task",
            &registry::task(),
            &names(super::super::TaskConfig::TYPES),
        );
        let optimizers = names(crate::optim::OptimizerConfig::TYPES);
        check_all("optimizer", &registry::optimizer(), &optimizers);
        let schedules = names(crate::schedule::LrSchedulerConfig::TYPES);
        check_all("lr_scheduler", &registry::lr_scheduler(), &schedules);
        check_plain::<DeviceConfig>("device");
        check_plain::<LoraConfig>("lora");
        check_plain::<TrainConfig>("train");
        check_plain::<EvalConfig>("eval");
        check_plain::<EarlyStoppingConfig>("early_stopping");
        check_plain::<CheckpointConfig>("checkpoint");
        check_plain::<LoggingConfig>("logging");
        let tables: BTreeSet<_> = parts(&mut generator())
            .iter()
            .map(|part| part.table)
            .collect();
        assert_eq!(tables, TABLES.iter().copied().collect());
    }
}
