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

/// The status of a request whose client has left before its answer, as others log it too.
const LEFT: u16 = 499;

/// A request that has no answer yet. Dropped without one, its client has left.
struct Open {
    state: State,
    start: Instant,
    route: String,
    method: String,
    path: String,
    is_answered: bool,
}

impl Open {
    fn of(state: State, request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        Self {
            state,
            start: Instant::now(),
            route: route.map_or("none", MatchedPath::as_str).to_owned(),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            is_answered: false,
        }
    }

    fn tell(&self, status: u16, served: Option<&Served>) {
        let took = self.start.elapsed();
        self.state.metrics.count(&self.route, status, took);
        if !self.state.settings.logs_requests {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut line = json!({
            "time": now.map_or(0.0, |since| (since.as_millis() as f64) / 1000.0),
            "method": self.method,
            "path": self.path,
            "status": status,
            "ms": (took.as_secs_f64() * 1e5).round() / 100.0,
        });
        if let Some(served) = served {
            line["model"] = served.model.clone().into();
            line["count"] = served.count.into();
        }
        (self.state.log)(&line.to_string());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_answered {
            self.tell(LEFT, None);
        }
    }
}

/// Counts a request and logs it, when the head of its answer is known or its client leaves.
pub async fn log(Extracted(state): Extracted<State>, request: Request, next: Next) -> Response {
    let mut open = Open::of(state, &request);
    let response = next.run(request).await;
    open.is_answered = true;
    open.tell(response.status().as_u16(), response.extensions().get());
    response
}
