//! What a model is asked and answers.

use fireclay_run::InputKind;
use serde_json::{Value, json};

use crate::model::{Facts, Kind};

/// The metadata of a model.
pub fn metadata(facts: &Facts) -> Value {
    let input = |column: &fireclay_run::InputColumn| {
        let parameters = match column.kind {
            InputKind::Cell => json!({ "kind": "cell" }),
            InputKind::Image {
                channels,
                height,
                width,
            } => json!({
                "kind": "image", "content": "base64",
                "channels": channels, "height": height, "width": width,
            }),
            InputKind::Text { most } => json!({ "kind": "text", "most_tokens": most }),
        };
        json!({ "name": column.name, "datatype": "BYTES", "shape": [-1], "parameters": parameters })
    };
    let inputs: Vec<Value> = facts.schema.columns.iter().map(input).collect();
    json!({
        "name": facts.name,
        "versions": [facts.version],
        "platform": format!("fireclay_{}", facts.task),
        "inputs": inputs,
        "outputs": outputs(facts),
    })
}

fn outputs(facts: &Facts) -> Vec<Value> {
    let is_number =
        facts.kind != Kind::Translations && facts.kind != Kind::Writing && facts.classes.is_empty();
    let datatype = if is_number { "FP64" } else { "BYTES" };
    let mut outputs = vec![json!({ "name": "prediction", "datatype": datatype, "shape": [-1] })];
    if !facts.classes.is_empty() {
        outputs.push(json!({
            "name": "probabilities",
            "datatype": "FP64",
            "shape": [-1, facts.classes.len()],
            "parameters": { "classes": facts.classes },
        }));
    }
    outputs.extend(facts.bounds.iter().map(|(name, is_number)| {
        let datatype = if *is_number { "FP64" } else { "BYTES" };
        json!({ "name": name, "datatype": datatype, "shape": [-1] })
    }));
    outputs
}
