//! `POST /predict/{name}`: for people, and for programs that want what the verb `predict` writes.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extracted};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fireclay_data::TableFormat;
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::arrow::csv::WriterBuilder as CsvBuilder;
use fireclay_data::arrow::json::WriterBuilder as JsonBuilder;
use fireclay_data::arrow::json::writer::JsonArray;
use fireclay_run::answer::distinct;
use serde_json::json;

use super::ask::{self, ask};
use super::form;
use super::read::{self, Asked};
use crate::body::Whole;
use crate::error::Refusal;
use crate::http::Served;
use crate::model::{Facts, Kind, Style};
use crate::state::State;

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Table(TableFormat),
    Text,
    Image,
    /// A form, with what its parts lie between.
    Form(String),
}

/// Answers for rows, an image, or texts to translate.
pub async fn predict(
    Extracted(state): Extracted<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let model = state.registry.model(&name)?;
    let body = state.read(&headers, body).await?;
    let until = state.until();
    let content = content(&headers, &body.bytes)?;
    let style = match model.facts.kind {
        Kind::Images => Style::Best(top(&headers)?),
        _ => Style::ByClass,
    };
    let (read_by, of) = (state.clone(), model.clone());
    // An image is decoded by the thread of the model.
    let length = match content {
        Content::Image => 0,
        _ => body.bytes.len(),
    };
    let asked = move || {
        let Whole { bytes, taken } = body;
        Ok((asked(&read_by, &of.facts, &content, bytes)?, taken))
    };
    let (asked, taken) = ask::read(length, until, asked).await?;
    let answer = ask(&state, &model, (asked.rows, taken), style, until).await;
    let answer = answer.map_err(|refusal| refusal.without(&state.hidden()))?;
    let table = named(asked.names, &answer.columns)?;
    let notes = [asked.notes, answer.notes].concat();
    let count = table.num_rows();
    let mut response = match wants_csv(&headers) {
        true => as_csv(&table, &notes)?,
        false => as_json(&name, &table, &notes)?,
    };
    let served = Served { model: name, count };
    response.extensions_mut().insert(served);
    Ok(response)
}

/// What the rows of a body are, for this run.
fn asked(state: &State, facts: &Facts, content: &Content, bytes: Bytes) -> Result<Asked, Refusal> {
    read::refuse_packed(&bytes)?;
    let most = facts.most(&state.settings.limits);
    match (facts.kind, content) {
        (Kind::Rows, Content::Table(format)) => read::table(state, facts, (&bytes[..], *format)),
        (Kind::Images, Content::Image) => read::images(state, facts, vec![bytes]),
        (Kind::Images, Content::Form(boundary)) => {
            let (names, images) = form::files(&bytes, boundary, most)?;
            read::named_images(state, facts, (names, images))
        }
        (Kind::Translations, Content::Table(TableFormat::Jsonl)) => {
            read::texts(read::texts_of_json(&bytes, most)?)
        }
        (Kind::Translations, Content::Text) => {
            let text = std::str::from_utf8(&bytes);
            let text = text.map_err(|_| Refusal::bad("the body is not valid UTF-8"))?;
            read::texts(text.lines().take(most + 1).map(String::from).collect())
        }
        (Kind::Writing, _) => Err(Refusal::bad(format!(
            "{} goes on from a prompt: POST /v1/completions with {{\"model\": {:?}, \"prompt\": ...}}",
            facts.name, facts.name
        ))),
        (kind, _) => Err(unfit(&facts.name, kind)),
    }
}

/// The body is not what this run reads.
fn unfit(name: &str, kind: Kind) -> Refusal {
    let reads = match kind {
        Kind::Rows => {
            "rows: application/json, application/x-ndjson, text/csv or application/vnd.apache.parquet"
        }
        Kind::Images => {
            "images: image/png, image/jpeg or application/octet-stream for one, multipart/form-data for several"
        }
        Kind::Translations | Kind::Writing => {
            "texts: application/json, or text/plain with one on each line"
        }
    };
    Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("{name} reads {reads}; say with Content-Type which one the body is"),
    )
}

/// What a body is, by its `Content-Type`. curl's own says nothing, and then the first sign of JSON does.
fn content(headers: &HeaderMap, bytes: &[u8]) -> Result<Content, Refusal> {
    let given = headers.get(header::CONTENT_TYPE);
    let whole = given
        .and_then(|given| given.to_str().ok())
        .unwrap_or_default();
    let given = whole
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match given.as_str() {
        "application/json"
        | "application/x-ndjson"
        | "application/jsonl"
        | "application/jsonlines" => Ok(Content::Table(TableFormat::Jsonl)),
        "text/csv" => Ok(Content::Table(TableFormat::Csv)),
        "application/vnd.apache.parquet" => Ok(Content::Table(TableFormat::Parquet)),
        "text/plain" => Ok(Content::Text),
        "application/octet-stream" => Ok(Content::Image),
        "multipart/form-data" => Ok(Content::Form(form::boundary(whole)?)),
        other if other.starts_with("image/") => Ok(Content::Image),
        "" | "application/x-www-form-urlencoded"
            if matches!(bytes.trim_ascii_start(), [b'{' | b'[', ..]) =>
        {
            Ok(Content::Table(TableFormat::Jsonl))
        }
        other => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "Content-Type {other:?} is not read here; write application/json, application/x-ndjson, text/csv, \
                 application/vnd.apache.parquet, text/plain, image/... or multipart/form-data"
            ),
        )),
    }
}

/// How many classes to name for an image: the header `X-Fireclay-Top`.
fn top(headers: &HeaderMap) -> Result<usize, Refusal> {
    let Some(top) = headers.get("x-fireclay-top") else {
        return Ok(fireclay_run::TOP);
    };
    let top = top.to_str().ok().and_then(|top| top.parse::<usize>().ok());
    top.filter(|top| *top > 0)
        .ok_or_else(|| Refusal::bad("X-Fireclay-Top must be a whole number above 0"))
}

/// The answers with what names each row, as `predict` writes them.
fn named(
    (name, names): (String, fireclay_data::arrow::array::ArrayRef),
    answers: &RecordBatch,
) -> Result<RecordBatch, Refusal> {
    let schema = answers.schema();
    let is_taken = |name: &str| schema.index_of(name).is_ok();
    let first = (distinct(name, is_taken), names, true);
    let fields = schema.fields().iter().zip(answers.columns());
    let columns = fields.map(|(field, column)| (field.name().clone(), column.clone(), false));
    let all = std::iter::once(first).chain(columns);
    RecordBatch::try_from_iter_with_nullable(all)
        .map_err(|error| Refusal::internal(error.to_string()))
}

fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|accept| accept.as_bytes().starts_with(b"text/csv"))
}

/// The rows are written where they stand in the answer.
fn as_json(name: &str, table: &RecordBatch, notes: &[String]) -> Result<Response, Refusal> {
    let (name, notes) = (json!(name), json!(notes));
    let head = format!("{{\"model\":{name},\"predictions\":").into_bytes();
    let builder = JsonBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, JsonArray>(head);
    let written = writer.write(table).and_then(|()| writer.finish());
    written.map_err(|error| Refusal::internal(error.to_string()))?;
    let mut body = writer.into_inner();
    body.extend(format!(",\"notes\":{notes}}}").into_bytes());
    Ok(json_response(body.into()))
}

pub fn json_response(body: Bytes) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

/// The notes are in a header, as a list in JSON: a line among the answers would be taken for one.
fn as_csv(table: &RecordBatch, notes: &[String]) -> Result<Response, Refusal> {
    let mut body = Vec::new();
    let mut writer = CsvBuilder::new().with_header(true).build(&mut body);
    let written = writer.write(table);
    written.map_err(|error| Refusal::internal(error.to_string()))?;
    drop(writer);
    let csv = HeaderValue::from_static("text/csv");
    let mut response = ([(header::CONTENT_TYPE, csv)], body).into_response();
    if !notes.is_empty()
        && let Ok(notes) = HeaderValue::from_str(&ascii(&json!(notes).to_string()))
    {
        response.headers_mut().insert("x-fireclay-notes", notes);
    }
    Ok(response)
}

/// JSON in which every letter beyond ASCII is written as its number.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for letter in json.chars() {
        match letter.is_ascii() {
            true => text.push(letter),
            false => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}
