//! What OpenAI's clients ask: completions, chat completions and models.

mod answer;
mod choices;
mod request;
mod stops;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State as Extracted};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::ask::in_time;
use crate::error::Refusal;
use crate::http::Served;
use crate::model::{Facts, Kind};
use crate::state::State;
use answer::Shape;
use choices::Choices;
use request::Request;

/// The language models; of one with adapters also its parent, the model without them.
pub async fn models(Extracted(state): Extracted<State>) -> Json<Value> {
    let models = state.registry.models();
    let writing = models
        .iter()
        .filter(|model| model.facts.kind == Kind::Writing);
    let data: Vec<Value> = writing.map(|model| described(&model.facts)).collect();
    Json(json!({ "object": "list", "data": data }))
}

pub async fn model(Extracted(state): Extracted<State>, Path(name): Path<String>) -> Response {
    match state.registry.model(&name) {
        Ok(model) => Json(described(&model.facts)).into_response(),
        Err(refusal) => refusal.for_openai(),
    }
}

fn described(facts: &Facts) -> Value {
    let mut described = json!({ "id": facts.name, "object": "model", "created": facts.opened, "owned_by": "fireclay" });
    if let Some(parent) = &facts.parent {
        described["parent"] = json!(parent);
    }
    described
}

/// Texts that go on from prompts.
pub async fn completions(
    Extracted(state): Extracted<State>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answered(&state, Shape::Text, &headers, body).await
}

/// Answers in conversations.
pub async fn chat(Extracted(state): Extracted<State>, headers: HeaderMap, body: Body) -> Response {
    answered(&state, Shape::Chat, &headers, body).await
}

async fn answered(state: &State, shape: Shape, headers: &HeaderMap, body: Body) -> Response {
    let answer = answer(state, shape, headers, body).await;
    answer.unwrap_or_else(Refusal::for_openai)
}

async fn answer(
    state: &State,
    shape: Shape,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = state.read(headers, body).await?;
    let (until, read_by) = (state.until(), state.clone());
    let read = move || {
        let request = Request::read(&body.bytes, shape, &read_by.settings.limits)?;
        let model = read_by.registry.model(&request.model)?;
        let prompts = request.prompts(&model.facts)?;
        Ok((request, model, prompts))
    };
    let (request, model, prompts) = in_time(until, read).await?;
    let choices = Choices::ask(&model, &request, prompts, until).await?;
    let count = choices.len();
    let mut response = match request.stream {
        true => answer::stream(choices, &request, shape),
        false => answer::whole(choices, &request, shape).await?,
    };
    let served = Served {
        model: request.model,
        count,
    };
    response.extensions_mut().insert(served);
    Ok(response)
}
