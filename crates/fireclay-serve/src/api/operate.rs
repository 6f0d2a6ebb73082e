//! How it goes, and the page to try a run by hand.

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::drift::Report;
use crate::error::Refusal;
use crate::state::State;

const PAGE: &str = include_str!("page.html");
/// The page loads nothing and sends nothing elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src blob: data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// The page. What it shows of the runs it asks for itself.
pub async fn page() -> Response {
    let policy = HeaderValue::from_static(POLICY);
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE)).into_response()
}

/// All numbers, for Prometheus.
pub async fn metrics(Extracted(state): Extracted<State>) -> Result<Response, Refusal> {
    let text = state.metrics.text();
    let text = text.map_err(|error| Refusal::internal(error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let kind = HeaderValue::from_static(kind);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// How far what was served is from what the run was trained on.
pub async fn drift(
    Extracted(state): Extracted<State>,
    Path(name): Path<String>,
) -> Result<Json<Report>, Refusal> {
    let model = state.registry.model(&name)?;
    let report = model
        .drift
        .report((&model.facts.name, &model.facts.version));
    let report = report.map_err(|reason| Refusal::new(StatusCode::CONFLICT, reason));
    report
        .map(Json)
        .map_err(|refusal| refusal.without(&model.facts.hidden))
}

/// Nothing is here.
pub async fn nothing() -> Refusal {
    let message = "nothing is at this address; GET /openapi.json says what there is";
    Refusal::new(StatusCode::NOT_FOUND, message)
}
