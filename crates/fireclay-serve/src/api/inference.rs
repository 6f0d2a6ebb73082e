//! The Open Inference Protocol, version 2, over REST.
//!
//! A tensor is a column: of shape `[rows]` or `[rows, 1]`. Images are `BYTES` in base64.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fireclay_data::TableFormat;
use fireclay_data::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use fireclay_data::arrow::datatypes::Float64Type;
use fireclay_run::InputKind;
use fireclay_run::answer::probability_column;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::{aside, ask};
use super::read::{self, Asked};
use crate::error::Refusal;
use crate::http::Served;
use crate::model::{Facts, Kind, Style};
use crate::state::State;

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

fn metadata(facts: &Facts) -> Value {
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

#[derive(Deserialize)]
struct Request {
    id: Option<String>,
    inputs: Vec<Tensor>,
    #[serde(default)]
    outputs: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Value,
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
    let bytes = &body.bytes;
    if headers.contains_key("inference-header-content-length") {
        let message =
            "tensors as binary data are not read here: send them as JSON (binary_data=False)";
        return Err(Refusal::bad(message));
    }
    let request: Request = serde_json::from_slice(bytes).map_err(|error| {
        Refusal::bad(format!("the body is no request of the protocol: {error}"))
    })?;
    let (id, wanted) = (request.id, request.outputs);
    let (read_by, of) = (state.clone(), model.clone());
    let asked = aside(move || asked(&read_by, &of.facts, request.inputs)).await?;
    let answer = ask(&state, &model, asked.rows, Style::ByClass).await;
    let answer = answer.map_err(|refusal| refusal.without(&state.hidden()))?;
    drop((asked.files, body));
    let mut tensors = tensors(&model.facts, &answer.columns)?;
    if !wanted.is_empty() {
        let named = |tensor: &Value| wanted.iter().any(|output| tensor["name"] == output.name);
        for output in &wanted {
            if !tensors.iter().any(|tensor| tensor["name"] == output.name) {
                return Err(Refusal::bad(format!(
                    "{name} has no output {:?}",
                    output.name
                )));
            }
        }
        tensors.retain(named);
    }
    let mut said = json!({
        "model_name": model.facts.name,
        "model_version": model.facts.version,
        "outputs": tensors,
    });
    if let Some(id) = id {
        said["id"] = id.into();
    }
    let notes = [asked.notes, answer.notes].concat();
    if !notes.is_empty() {
        said["parameters"] = json!({ "notes": notes });
    }
    let mut response = Json(said).into_response();
    let count = answer.columns.num_rows();
    response
        .extensions_mut()
        .insert(Served { model: name, count });
    Ok(response)
}

/// The rows that tensors are.
fn asked(state: &State, facts: &Facts, inputs: Vec<Tensor>) -> Result<Asked, Refusal> {
    let columns = inputs
        .into_iter()
        .map(column)
        .collect::<Result<Vec<_>, _>>()?;
    let rows = columns.first().map_or(0, |(_, cells)| cells.len());
    if rows == 0 {
        return Err(Refusal::bad("the request has no rows"));
    }
    if let Some((name, cells)) = columns.iter().find(|(_, cells)| cells.len() != rows) {
        let (first, found) = (&columns[0].0, cells.len());
        let message = format!("input {name:?} has {found} rows, but {first:?} has {rows}");
        return Err(Refusal::bad(message));
    }
    match facts.kind {
        Kind::Rows => read::table(state, facts, (&objects(columns, rows), TableFormat::Jsonl)),
        Kind::Images => {
            let images = alone(columns, "image")?;
            let images = images.iter().enumerate().map(|(row, text)| {
                let bytes = STANDARD.decode(text);
                bytes.map_err(|error| {
                    Refusal::bad(format!("image {} is not in base64: {error}", row + 1))
                })
            });
            read::images(state, &images.collect::<Result<Vec<_>, _>>()?)
        }
        Kind::Translations => read::texts(alone(columns, "text")?),
        Kind::Writing => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("{} goes on from a prompt: POST /v1/completions", facts.name),
        )),
    }
}

/// The cells of a tensor, which must be as many as it says and of the kind that it says.
fn column(tensor: Tensor) -> Result<(String, Vec<Value>), Refusal> {
    let Tensor {
        name,
        shape,
        datatype,
        data,
    } = tensor;
    let (rows, is_column) = match shape[..] {
        [rows] => (rows, true),
        [rows, width] => (rows, width == 1),
        _ => (0, false),
    };
    if !is_column {
        let message =
            format!("input {name:?} has shape {shape:?}; a column is [rows] or [rows, 1]");
        return Err(Refusal::bad(message));
    }
    let mut cells = Vec::new();
    flatten(data, &mut cells);
    if cells.len() != rows {
        let found = cells.len();
        let message = format!("input {name:?} has shape {shape:?}, but {found} values");
        return Err(Refusal::bad(message));
    }
    let fits: fn(&Value) -> bool = match datatype.as_str() {
        "BYTES" => |cell| cell.is_string() || cell.is_null(),
        "BOOL" => |cell| cell.is_boolean() || cell.is_null(),
        "FP16" | "FP32" | "FP64" => |cell| cell.is_number() || cell.is_null(),
        "INT8" | "INT16" | "INT32" | "INT64" => |cell| cell.is_i64() || cell.is_null(),
        "UINT8" | "UINT16" | "UINT32" | "UINT64" => |cell| cell.is_u64() || cell.is_null(),
        _ => {
            return Err(Refusal::bad(format!(
                "input {name:?} has the datatype {datatype:?}, which is not known"
            )));
        }
    };
    match cells.iter().position(|cell| !fits(cell)) {
        Some(row) => Err(Refusal::bad(format!(
            "input {name:?}, row {}: {} is no {datatype}",
            row + 1,
            cells[row]
        ))),
        None => Ok((name, cells)),
    }
}

fn flatten(value: Value, cells: &mut Vec<Value>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| flatten(value, cells)),
        cell => cells.push(cell),
    }
}

/// The rows as objects of JSON, one a line.
fn objects(columns: Vec<(String, Vec<Value>)>, rows: usize) -> Vec<u8> {
    let mut objects = vec![Map::new(); rows];
    for (name, cells) in columns {
        for (object, cell) in objects.iter_mut().zip(cells) {
            object.insert(name.clone(), cell);
        }
    }
    let lines = objects
        .into_iter()
        .map(|object| Value::Object(object).to_string());
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

/// The texts of the only column.
fn alone(columns: Vec<(String, Vec<Value>)>, wanted: &str) -> Result<Vec<String>, Refusal> {
    match <[_; 1]>::try_from(columns) {
        Ok([(name, cells)]) if name == wanted => {
            let text = |(row, cell): (usize, Value)| match cell {
                Value::String(text) => Ok(text),
                _ => Err(Refusal::bad(format!(
                    "input {wanted:?}, row {}: no text",
                    row + 1
                ))),
            };
            cells.into_iter().enumerate().map(text).collect()
        }
        _ => Err(Refusal::bad(format!(
            "the only input is {wanted:?}, of datatype BYTES"
        ))),
    }
}

/// Answers as tensors.
fn tensors(facts: &Facts, answers: &RecordBatch) -> Result<Vec<Value>, Refusal> {
    let column = |name: &str| {
        let column = answers.column_by_name(name);
        column.ok_or_else(|| Refusal::internal(format!("the model gave no {name}")))
    };
    let mut tensors = vec![vector("prediction", column("prediction")?)];
    if !facts.classes.is_empty() {
        let numbers = facts.classes.iter().map(|class| {
            let column = column(&probability_column(class))?;
            let numbers = column.as_primitive_opt::<Float64Type>();
            numbers.ok_or_else(|| Refusal::internal("a probability is no number"))
        });
        let columns = numbers.collect::<Result<Vec<_>, _>>()?;
        let rows = answers.num_rows();
        let at = |row: usize| columns.iter().map(move |column| column.value(row));
        let numbers: Vec<f64> = (0..rows).flat_map(at).collect();
        let shape = vec![rows, columns.len()];
        tensors.push(tensor("probabilities", "FP64", shape, json!(numbers)));
    }
    for (name, _) in &facts.bounds {
        tensors.push(vector(name, column(name)?));
    }
    Ok(tensors)
}

/// A column of numbers, or else of texts.
fn vector(name: &str, column: &ArrayRef) -> Value {
    let shape = vec![column.len()];
    match column.as_primitive_opt::<Float64Type>() {
        Some(numbers) => tensor(name, "FP64", shape, json!(&numbers.values()[..])),
        None => {
            let texts = column.as_string_opt::<i32>();
            let texts: Vec<_> = texts
                .map(|texts| texts.iter().collect())
                .unwrap_or_default();
            tensor(name, "BYTES", shape, json!(texts))
        }
    }
}

fn tensor(name: &str, datatype: &str, shape: Vec<usize>, data: Value) -> Value {
    json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
}
