//! The Open Inference Protocol, version 2, over REST.
//!
//! A tensor is a column: of shape `[rows]` or `[rows, 1]`. Images are `BYTES` in base64.

mod answer;
mod metadata;
mod request;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::ask::{self, aside, ask};
use crate::body::Whole;
use crate::error::Refusal;
use crate::http::Served;
use crate::model::{Facts, Kind, Style};
use crate::state::State;
use answer::tensors;
use metadata::metadata;
use request::{Request, Wanted, asked, short};

/// Extensions of the protocol that are here.
const EXTENSIONS: [&str; 1] = ["model_repository"];

pub async fn server() -> Json<Value> {
    Json(json!({
        "name": "fireclay",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": EXTENSIONS,
    }))
}

pub async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// Every run was opened before the address was served.
pub async fn ready() -> Json<Value> {
    Json(json!({ "ready": true }))
}

/// All models, with what the page needs to ask them. Not part of the protocol.
pub async fn models(Extracted(state): Extracted<State>) -> Json<Value> {
    let models = state.registry.models();
    let models = models.iter().map(|model| {
        let mut found = metadata(&model.facts);
        found["kind"] = match model.facts.kind {
            Kind::Rows => "rows",
            Kind::Images => "images",
            Kind::Translations => "translations",
            Kind::Writing => "writing",
        }
        .into();
        found["chat"] = model.facts.chat.is_some().into();
        found
    });
    Json(json!({ "models": models.collect::<Vec<_>>() }))
}

pub async fn model(
    Extracted(state): Extracted<State>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let model = state.registry.model(&name)?;
    Ok(Json(metadata(&model.facts)))
}

pub async fn model_ready(
    Extracted(state): Extracted<State>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    state.registry.model(&name)?;
    Ok(Json(json!({ "name": name, "ready": true })))
}

/// The same of a version, which must be the one that answers.
pub async fn model_of(
    Extracted(state): Extracted<State>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    of_version(&state, &name, &version)?;
    model(Extracted(state), Path(name)).await
}

pub async fn model_ready_of(
    Extracted(state): Extracted<State>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    of_version(&state, &name, &version)?;
    model_ready(Extracted(state), Path(name)).await
}

pub async fn infer_of(
    Extracted(state): Extracted<State>,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    of_version(&state, &name, &version)?;
    infer(Extracted(state), Path(name), headers, body).await
}

fn of_version(state: &State, name: &str, version: &str) -> Result<(), Refusal> {
    let known = state.registry.model(name)?.facts.version.clone();
    match known == version {
        true => Ok(()),
        false => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("{name} answers as version {known}, not {version:?}"),
        )),
    }
}

pub async fn index(Extracted(state): Extracted<State>) -> Json<Value> {
    let models = state.registry.models();
    let entry = |facts: &Facts| json!({ "name": facts.name, "version": facts.version, "state": "READY", "reason": "" });
    let entries = models.iter().map(|model| entry(&model.facts));
    Json(entries.collect())
}

/// Loads a run anew.
pub async fn load(
    Extracted(state): Extracted<State>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let loading = state.clone();
    let model = aside(move || loading.registry.reload(&name)).await?;
    (state.log)(&format!("loaded {}", model.facts.line()));
    Ok(Json(
        json!({ "name": model.facts.name, "version": model.facts.version }),
    ))
}

/// Answers for tensors.
pub async fn infer(
    Extracted(state): Extracted<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let model = state.registry.model(&name)?;
    let body = state.read(&headers, body).await?;
    let until = state.until();
    if headers.contains_key("inference-header-content-length") {
        let message =
            "tensors as binary data are not read here: send them as JSON (binary_data=False)";
        return Err(Refusal::bad(message));
    }
    let (read_by, of, length) = (state.clone(), model.clone(), body.bytes.len());
    let read = move || {
        let Whole { bytes, taken } = body;
        let Request {
            id,
            inputs,
            outputs,
        } = Request::read(&bytes)?;
        let asked = asked(&read_by, &of.facts, inputs)?;
        Ok((id, outputs, asked, taken))
    };
    let (id, wanted, asked, taken) = ask::read(length, until, read).await?;
    let rows = (asked.rows, taken);
    let answer = ask(&state, &model, rows, Style::ByClass, until).await;
    let answer = answer.map_err(|refusal| refusal.without(&state.hidden()))?;
    let tensors = chosen(&name, tensors(&model.facts, &answer.columns)?, &wanted)?;
    let notes = [asked.notes, answer.notes].concat();
    let mut response = Json(said(&model.facts, id, tensors, notes)).into_response();
    let count = answer.columns.num_rows();
    response
        .extensions_mut()
        .insert(Served { model: name, count });
    Ok(response)
}

/// The outputs that are wanted, all of them where none is named.
fn chosen(name: &str, mut tensors: Vec<Value>, wanted: &[Wanted]) -> Result<Vec<Value>, Refusal> {
    let is_there = |output: &&Wanted| tensors.iter().any(|tensor| tensor["name"] == output.name);
    if let Some(output) = wanted.iter().find(|output| !is_there(output)) {
        let output = short(&output.name);
        return Err(Refusal::bad(format!("{name} has no output {output:?}")));
    }
    if !wanted.is_empty() {
        tensors.retain(|tensor| wanted.iter().any(|output| tensor["name"] == output.name));
    }
    Ok(tensors)
}

fn said(facts: &Facts, id: Option<String>, tensors: Vec<Value>, notes: Vec<String>) -> Value {
    let mut said = json!({
        "model_name": facts.name,
        "model_version": facts.version,
        "outputs": tensors,
    });
    if let Some(id) = id {
        said["id"] = id.into();
    }
    if !notes.is_empty() {
        said["parameters"] = json!({ "notes": notes });
    }
    said
}
