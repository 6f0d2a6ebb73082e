//! A line of JSON for each request, and its place in the metrics.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{MatchedPath, Request, State as Extracted};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use crate::state::State;

/// Who answered, and for how many rows or texts: for the log.
#[derive(Clone, Debug)]
pub struct Served {
    pub model: String,
    pub count: usize,
}

/// Counts a request and logs it, when the head of its answer is known.
pub async fn log(Extracted(state): Extracted<State>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), start.elapsed());
    state.metrics.count(&route, status, took);
    if state.settings.logs_requests {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut line = json!({
            "time": now.map_or(0.0, |since| (since.as_millis() as f64) / 1000.0),
            "method": method,
            "path": path,
            "status": status,
            "ms": (took.as_secs_f64() * 1e5).round() / 100.0,
        });
        if let Some(served) = response.extensions().get::<Served>() {
            line["model"] = served.model.clone().into();
            line["count"] = served.count.into();
        }
        (state.log)(&line.to_string());
    }
    response
}
