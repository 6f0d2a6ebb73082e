//! The OpenAPI document of what is served here.

use axum::Json;
use axum::extract::State as Extracted;
use fireclay_run::InputKind;
use serde_json::{Map, Value, json};

use crate::model::{Facts, Kind};
use crate::state::State;

/// The document, with a path for each run.
pub async fn document(Extracted(state): Extracted<State>) -> Json<Value> {
    let models = state.registry.models();
    let mut paths = Map::new();
    for model in &models {
        let facts = &model.facts;
        if facts.kind != Kind::Writing {
            paths.insert(format!("/predict/{}", facts.name), predict(facts));
            paths.insert(format!("/v2/models/{}/infer", facts.name), infer(facts));
        }
        paths.insert(
            format!("/v2/models/{}", facts.name),
            get("What the model is asked and answers", "Metadata"),
        );
        if facts.has_cells() {
            let summary = "How far what was served is from the training";
            paths.insert(format!("/drift/{}", facts.name), get(summary, "Any"));
        }
        paths.insert(
            format!("/v2/models/{}/ready", facts.name),
            get("Whether the model can answer", "Any"),
        );
        paths.insert(
            format!("/v2/repository/models/{}/load", facts.name),
            json!({ "post": { "summary": "Load the run anew", "responses": answers("Any") } }),
        );
    }
    if models.iter().any(|model| model.facts.kind == Kind::Writing) {
        paths.insert("/v1/models".into(), get("The language models", "Any"));
        paths.insert(
            "/v1/completions".into(),
            writing("Go on from a prompt", "Completion"),
        );
        paths.insert(
            "/v1/chat/completions".into(),
            writing("Answer in a conversation", "Chat"),
        );
    }
    for (path, summary) in [
        ("/v2", "What the server is"),
        ("/v2/health/live", "Whether the server lives"),
        ("/v2/health/ready", "Whether all models can answer"),
        ("/v2/models", "All models with their metadata"),
    ] {
        paths.insert(path.into(), get(summary, "Any"));
    }
    paths.insert("/metrics".into(), metrics());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "fireclay", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": schemas() },
    });
    if state.settings.token.is_some() {
        document["components"]["securitySchemes"] =
            json!({ "token": { "type": "http", "scheme": "bearer" } });
        document["security"] = json!([{ "token": [] }]);
    }
    Json(document)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(kind: &str, schema: Value) -> Value {
    json!({ kind: { "schema": schema } })
}

/// An answer of a schema, and what can go wrong.
fn answers(schema: &str) -> Value {
    let mut answers = json!({
        "200": { "description": "the answer", "content": content("application/json", reference(schema)) },
    });
    for (status, description) in [
        ("400", "the request is wrong; the message says where"),
        ("401", "the token is missing"),
        ("413", "the request is too large"),
        (
            "429",
            "too many requests wait; Retry-After says how long to wait",
        ),
        ("503", "the deadline is over"),
    ] {
        answers[status] = json!({
            "description": description,
            "content": content("application/json", reference("Error")),
        });
    }
    answers
}

fn get(summary: &str, schema: &str) -> Value {
    json!({ "get": { "summary": summary, "responses": answers(schema) } })
}

fn metrics() -> Value {
    let text = content("application/openmetrics-text", json!({ "type": "string" }));
    json!({ "get": {
        "summary": "Numbers for Prometheus",
        "responses": { "200": { "description": "all numbers", "content": text } },
    } })
}

fn predict(facts: &Facts) -> Value {
    let body = match facts.kind {
        Kind::Images => json!({
            "image/*": { "schema": { "type": "string", "contentMediaType": "image/*" } },
            "application/octet-stream": { "schema": { "type": "string", "contentMediaType": "image/*" } },
        }),
        _ => {
            let row = row(facts);
            let rows = json!({ "oneOf": [row, { "type": "array", "items": row }] });
            let text = match facts.kind {
                Kind::Translations => "text/plain",
                _ => "text/csv",
            };
            json!({
                "application/json": { "schema": rows },
                text: { "schema": { "type": "string" } },
            })
        }
    };
    json!({ "post": {
        "summary": format!("Answers of {}", facts.name),
        "requestBody": { "required": true, "content": body },
        "responses": answers("Predictions"),
    } })
}

/// A row as an object.
fn row(facts: &Facts) -> Value {
    let mut properties = Map::new();
    for column in &facts.schema.columns {
        let schema = match column.kind {
            InputKind::Cell => json!({ "type": ["string", "number", "boolean", "null"] }),
            InputKind::Text { .. } | InputKind::Image { .. } => json!({ "type": "string" }),
        };
        properties.insert(column.name.clone(), schema);
    }
    let required: Vec<&String> = facts
        .schema
        .columns
        .iter()
        .map(|column| &column.name)
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn infer(facts: &Facts) -> Value {
    json!({ "post": {
        "summary": format!("Answers of {} as tensors (Open Inference Protocol)", facts.name),
        "requestBody": { "required": true, "content": content("application/json", reference("InferRequest")) },
        "responses": answers("InferResponse"),
    } })
}

fn writing(summary: &str, schema: &str) -> Value {
    json!({ "post": {
        "summary": summary,
        "requestBody": { "required": true, "content": content("application/json", reference(schema)) },
        "responses": answers("Any"),
    } })
}

fn schemas() -> Value {
    let mut schemas = json!({
        "Any": { "type": "object" },
        "Error": { "type": "object" },
        "Metadata": { "type": "object" },
        "Predictions": {
            "type": "object",
            "required": ["model", "predictions", "notes"],
            "properties": {
                "model": { "type": "string" },
                "predictions": { "type": "array", "items": { "type": "object" } },
                "notes": { "type": "array", "items": { "type": "string" } },
            },
        },
        "Tensor": tensor(),
    });
    let text = json!({ "type": ["string", "array"], "items": { "type": "string" } });
    let messages = json!({ "type": "array", "items": { "type": "object" } });
    schemas["Completion"] = sampling("prompt", &text);
    schemas["Chat"] = sampling("messages", &messages);
    let tensors = json!({ "type": "array", "items": reference("Tensor") });
    schemas["InferRequest"] = json!({
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": { "type": "string" },
            "inputs": tensors,
            "outputs": { "type": "array", "items": { "type": "object" } },
        },
    });
    schemas["InferResponse"] = json!({
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "model_name": { "type": "string" },
            "model_version": { "type": "string" },
            "id": { "type": "string" },
            "outputs": tensors,
        },
    });
    schemas
}

fn tensor() -> Value {
    json!({
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": { "type": "string" },
            "shape": { "type": "array", "items": { "type": "integer" } },
            "datatype": { "type": "string" },
            "data": { "type": "array" },
        },
    })
}

/// A request for texts, whose input has this name and schema.
fn sampling(name: &str, input: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["model", name],
        "properties": {
            "model": { "type": "string" },
            name: input,
            "max_tokens": { "type": "integer", "minimum": 0 },
            "temperature": { "type": "number", "minimum": 0 },
            "top_p": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
            "top_k": { "type": "integer", "minimum": 1 },
            "repetition_penalty": { "type": "number", "exclusiveMinimum": 0 },
            "seed": { "type": "integer" },
            "n": { "type": "integer", "minimum": 1 },
            "stop": { "type": ["string", "array"], "items": { "type": "string" } },
            "stream": { "type": "boolean" },
        },
    })
}
