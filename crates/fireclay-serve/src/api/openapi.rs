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
    let mut paths: Map<String, Value> = of_server().collect();
    for model in &models {
        paths.extend(of_model(&model.facts));
    }
    if models.iter().any(|model| model.facts.kind == Kind::Writing) {
        paths.extend(of_texts());
    }
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

/// What can be asked of the server.
fn of_server() -> impl Iterator<Item = (String, Value)> {
    let asked = [
        ("/v2", "What the server is"),
        ("/v2/health/live", "Whether the server lives"),
        ("/v2/health/ready", "Whether all models can answer"),
        ("/v2/models", "All models with their metadata"),
    ];
    let asked = asked.map(|(path, summary)| (path.to_owned(), get(summary, "Any")));
    let index = json!({ "type": "array", "items": { "type": "object" } });
    let mut listed = answers("Any");
    listed["200"]["content"] = content("application/json", index);
    let index =
        json!({ "post": { "summary": "All models with their versions", "responses": listed } });
    let others = [
        ("/v2/repository/index".to_owned(), index),
        ("/metrics".to_owned(), metrics()),
    ];
    asked.into_iter().chain(others)
}

/// What can be asked of a model.
fn of_model(facts: &Facts) -> Vec<(String, Value)> {
    let name = &facts.name;
    let load = json!({ "post": { "summary": "Load the run anew", "responses": answers("Any") } });
    let mut paths = vec![(format!("/v2/repository/models/{name}/load"), load)];
    let version = format!("/v2/models/{name}/versions/{}", facts.version);
    for path in [format!("/v2/models/{name}"), version] {
        let ends = versioned(facts).into_iter();
        paths.extend(ends.map(|(end, entry)| (format!("{path}{end}"), entry)));
    }
    match facts.kind {
        Kind::Writing => {
            let entry = get("The language model", "Any");
            paths.push((format!("/v1/models/{name}"), entry));
        }
        _ => paths.push((format!("/predict/{name}"), predict(facts))),
    }
    if facts.is_compared() {
        let summary = "How far what was served is from the training";
        paths.push((format!("/drift/{name}"), get(summary, "Any")));
    }
    paths
}

/// What can be asked of language models.
fn of_texts() -> [(String, Value); 3] {
    [
        ("/v1/models", get("The language models", "Any")),
        (
            "/v1/completions",
            writing("Go on from a prompt", "Completion"),
        ),
        (
            "/v1/chat/completions",
            writing("Answer in a conversation", "Chat"),
        ),
    ]
    .map(|(path, entry)| (path.to_owned(), entry))
}

/// What can be asked of a model or a version of it, by the end of its path.
fn versioned(facts: &Facts) -> Vec<(&'static str, Value)> {
    let mut paths = vec![
        ("", get("What the model is asked and answers", "Metadata")),
        ("/ready", get("Whether the model can answer", "Any")),
    ];
    if facts.kind != Kind::Writing {
        paths.push(("/infer", infer(facts)));
    }
    paths
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
        ("404", "there is no such model, version or address"),
        ("408", "the body came too slowly"),
        ("409", "it cannot be done now; the message says why"),
        ("413", "the request is too large"),
        ("415", "the body is of a kind that is not read here"),
        (
            "429",
            "too many requests wait; Retry-After says how long to wait",
        ),
        ("500", "the server has failed"),
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
            "multipart/form-data": { "schema": {
                "type": "object",
                "properties": { "image": { "type": "array", "items": { "type": "string", "contentMediaType": "image/*" } } },
            } },
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
    if let Some(id) = facts.id() {
        // Read back in the answer, and not needed.
        let schema = json!({ "type": ["string", "number", "boolean", "null"] });
        properties.entry(id).or_insert(schema);
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
    let [request, response] = exchange();
    schemas["InferRequest"] = request;
    schemas["InferResponse"] = response;
    schemas
}

/// A request and an answer of the Open Inference Protocol.
fn exchange() -> [Value; 2] {
    let tensors = json!({ "type": "array", "items": reference("Tensor") });
    let request = json!({
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": { "type": "string" },
            "inputs": tensors,
            "outputs": { "type": "array", "items": { "type": "object" } },
        },
    });
    let response = json!({
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "model_name": { "type": "string" },
            "model_version": { "type": "string" },
            "id": { "type": "string" },
            "outputs": tensors,
        },
    });
    [request, response]
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
