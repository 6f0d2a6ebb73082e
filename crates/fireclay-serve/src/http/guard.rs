//! Who may ask.

use axum::extract::{Request, State as Extracted};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::error::Refusal;
use crate::state::State;

/// What tells nothing of the runs: whether the server lives, and the page, which asks for the token itself.
const OPEN: [&str; 3] = ["/", "/v2/health/live", "/v2/health/ready"];

/// Refuses who does not know the token, and pages of other sites.
pub async fn guard(Extracted(state): Extracted<State>, request: Request, next: Next) -> Response {
    match check(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) if request.uri().path().starts_with("/v1/") => refusal.for_openai(),
        Err(refusal) => refusal.into_response(),
    }
}

fn check(state: &State, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let host = text(headers, header::HOST);
    if !is_known(state, host) {
        let message = "this address is not served under that name";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, message));
    }
    if let Some(origin) = text(headers, header::ORIGIN)
        && origin.split_once("://").map(|(_, name)| name) != host
    {
        let message = "pages of other sites may not ask";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message));
    }
    let Some(token) = &state.settings.token else {
        return Ok(());
    };
    let is_open = OPEN.contains(&request.uri().path());
    match is_open || knows(headers, token) {
        true => Ok(()),
        false => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the token is missing or another one: send it as `Authorization: Bearer TOKEN`",
        )),
    }
}

/// Whether a server for this machine alone is meant: a site whose name is made to lead here gets nothing.
fn is_known(state: &State, host: Option<&str>) -> bool {
    if !state.address.ip().is_loopback() || state.settings.token.is_some() {
        return true;
    }
    let name = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    });
    let is_own = |name: &str| {
        let name = name.trim_matches(['[', ']']);
        let address = name.parse::<std::net::IpAddr>();
        name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
    };
    name.is_none_or(is_own)
}

/// Whether a request has the token. How long the comparison takes says nothing of where they differ.
fn knows(headers: &HeaderMap, token: &str) -> bool {
    let given = text(headers, header::AUTHORIZATION).unwrap_or_default();
    let given = given
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let given = given.map_or("", |(_, token)| token.trim());
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
