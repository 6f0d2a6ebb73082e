//! From tensors to rows.

use std::collections::HashSet;

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fireclay_data::TableFormat;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::ask::too_many;
use super::super::read::{self, Asked};
use crate::error::Refusal;
use crate::model::{Facts, Kind};
use crate::state::State;

/// Letters of a client's own that a message shows.
const SHOWN: usize = 100;

/// A request.
#[derive(Deserialize)]
pub struct Request {
    pub id: Option<String>,
    pub inputs: Vec<Tensor>,
    /// The outputs that are wanted; none for all.
    #[serde(default)]
    pub outputs: Vec<Wanted>,
}

#[derive(Deserialize)]
pub struct Wanted {
    pub name: String,
}

#[derive(Deserialize)]
pub struct Tensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Value,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// If it is none of the protocol.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(bytes).map_err(|error| {
            Refusal::bad(format!("the body is no request of the protocol: {error}"))
        })
    }
}

/// The rows that tensors are.
pub fn asked(state: &State, facts: &Facts, inputs: Vec<Tensor>) -> Result<Asked, Refusal> {
    if facts.kind == Kind::Writing {
        let message = format!("{} goes on from a prompt: POST /v1/completions", facts.name);
        return Err(Refusal::bad(message));
    }
    refuse_unknown(facts, &inputs)?;
    let columns = inputs.into_iter().map(column);
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let rows = columns.first().map_or(0, |(_, cells)| cells.len());
    let most = facts.most(&state.settings.limits);
    match rows {
        0 => return Err(Refusal::bad("the request has no rows")),
        // Each row has a copy of every name, so this comes before the rows are made.
        rows if rows > most => return Err(too_many(rows, most)),
        _ => {}
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
            let images = images.map(|image| image.map(Bytes::from));
            read::images(state, facts, images.collect::<Result<_, _>>()?)
        }
        Kind::Translations | Kind::Writing => read::texts(alone(columns, "text")?),
    }
}

/// Refuses inputs that the model does not read, and those of one name.
fn refuse_unknown(facts: &Facts, inputs: &[Tensor]) -> Result<(), Refusal> {
    let id = facts.id();
    let is_known = |name: &str| {
        let mut columns = facts.schema.columns.iter();
        id == Some(name) || columns.any(|column| column.name == name)
    };
    let mut seen = HashSet::new();
    for Tensor { name, .. } in inputs {
        if !is_known(name) {
            let message = format!("{} has no input {:?}", facts.name, short(name));
            return Err(Refusal::bad(message));
        }
        if !seen.insert(name) {
            return Err(Refusal::bad(format!("input {name:?} is given twice")));
        }
    }
    Ok(())
}

/// What a message shows of a text that a client chose.
pub fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The cells of a tensor, which must be as many as it says and of the kind that it says.
fn column(tensor: Tensor) -> Result<(String, Vec<Value>), Refusal> {
    let Tensor {
        name,
        shape,
        datatype,
        data,
    } = tensor;
    let rows = match shape[..] {
        [rows] | [rows, 1] => rows,
        _ => {
            let column = "a column is [rows] or [rows, 1]";
            let message = format!("input {name:?} has shape {shape:?}; {column}");
            return Err(Refusal::bad(message));
        }
    };
    let mut cells = Vec::new();
    flatten(data, &mut cells);
    if cells.len() != rows {
        let found = cells.len();
        let message = format!("input {name:?} has shape {shape:?}, but {found} values");
        return Err(Refusal::bad(message));
    }
    let fits = fits(&datatype).ok_or_else(|| {
        let message = format!(
            "input {name:?} has the datatype {:?}, which is not known",
            short(&datatype)
        );
        Refusal::bad(message)
    })?;
    match cells.iter().position(|cell| !cell.is_null() && !fits(cell)) {
        Some(row) => Err(Refusal::bad(format!(
            "input {name:?}, row {}: {} is no {datatype}",
            row + 1,
            short(&cells[row].to_string())
        ))),
        None => Ok((name, cells)),
    }
}

/// Whether a cell is of a datatype; none where there is no such type.
fn fits(datatype: &str) -> Option<fn(&Value) -> bool> {
    match datatype {
        "BYTES" => Some(Value::is_string),
        "BOOL" => Some(Value::is_boolean),
        "FP16" | "FP32" | "FP64" => Some(Value::is_number),
        "INT8" | "INT16" | "INT32" | "INT64" => Some(Value::is_i64),
        "UINT8" | "UINT16" | "UINT32" | "UINT64" => Some(Value::is_u64),
        _ => None,
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
