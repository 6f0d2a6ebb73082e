//! What can be asked: answers for people, the Open Inference Protocol, what OpenAI's clients ask, and how it goes.

mod ask;
mod form;
mod inference;
mod openai;
mod openapi;
mod operate;
mod predict;
mod read;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::http;
use crate::state::State;

/// Everything that can be asked.
pub fn routes(state: State) -> Router {
    Router::new()
        .route("/", get(operate::page))
        .route("/openapi.json", get(openapi::document))
        .route("/metrics", get(operate::metrics))
        .route("/drift/{name}", get(operate::drift))
        .route("/predict/{name}", post(predict::predict))
        .route("/v2", get(inference::server))
        .route("/v2/health/live", get(inference::live))
        .route("/v2/health/ready", get(inference::ready))
        .route("/v2/models", get(inference::models))
        .route("/v2/models/{name}", get(inference::model))
        .route("/v2/models/{name}/ready", get(inference::model_ready))
        .route("/v2/models/{name}/infer", post(inference::infer))
        .route(
            "/v2/models/{name}/versions/{version}",
            get(inference::model_of),
        )
        .route(
            "/v2/models/{name}/versions/{version}/ready",
            get(inference::model_ready_of),
        )
        .route(
            "/v2/models/{name}/versions/{version}/infer",
            post(inference::infer_of),
        )
        .route("/v2/repository/index", post(inference::index))
        .route("/v2/repository/models/{name}/load", post(inference::load))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{name}", get(openai::model))
        .route("/v1/completions", post(openai::completions))
        .route("/v1/chat/completions", post(openai::chat))
        .fallback(operate::nothing)
        .layer(from_fn_with_state(state.clone(), http::guard))
        .layer(from_fn_with_state(state.clone(), http::log))
        .with_state(state)
}
