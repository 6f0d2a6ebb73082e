//! Requests to the server.

use std::env;
use std::fs::File;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, Error, SendBody};

use crate::error::TrackError;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The slowest that a file may be sent, in bytes a second.
const SLOWEST: u64 = 100_000;

#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
    access: Option<String>,
}

/// What was asked for, if the server has it.
pub(super) enum Answer {
    Found(Value),
    Missing,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_global(Some(PATIENCE))
            .build();
        Self {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
            access: access(),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.url.split("://").nth(1).unwrap_or_default();
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
            host.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        })
    }

    /// Asks for something that may not be there.
    pub fn get(&self, path: &str, query: &[(&str, &String)]) -> Result<Answer, TrackError> {
        let request = self
            .agent
            .get(self.api(path))
            .query_pairs(query.iter().copied());
        let request = match &self.access {
            Some(access) => request.header("Authorization", access),
            None => request,
        };
        let (status, value) = read(request.call())?;
        match (status, value["error_code"].as_str()) {
            (200..300, _) => Ok(Answer::Found(value)),
            (404, _) | (_, Some("RESOURCE_DOES_NOT_EXIST")) => Ok(Answer::Missing),
            _ => Err(refusal(status, &value)),
        }
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, TrackError> {
        let request = self
            .agent
            .post(self.api(path))
            .content_type("application/json");
        let request = match &self.access {
            Some(access) => request.header("Authorization", access),
            None => request,
        };
        let (status, value) = read(request.send(body.to_string()))?;
        match status {
            200..300 => Ok(value),
            _ => Err(refusal(status, &value)),
        }
    }

    /// Sends a file to a path below the server's own store of artifacts.
    pub fn put(&self, path: &str, file: File) -> Result<(), TrackError> {
        let url = format!("{}/api/2.0/mlflow-artifacts/artifacts/{path}", self.url);
        let bytes = file.metadata().map_or(0, |file| file.len());
        let patience = PATIENCE + Duration::from_secs(bytes / SLOWEST);
        let request = self
            .agent
            .put(url)
            .config()
            .timeout_global(Some(patience))
            .build();
        let request = match &self.access {
            Some(access) => request.header("Authorization", access),
            None => request,
        };
        let (status, value) = read(request.send(SendBody::from_owned_reader(file)))?;
        match status {
            200..300 => Ok(()),
            _ => Err(refusal(status, &value)),
        }
    }

    fn api(&self, path: &str) -> String {
        format!("{}/api/2.0/mlflow/{path}", self.url)
    }
}

/// What the environment gives to MLflow's own client, too.
fn access() -> Option<String> {
    if let Ok(token) = env::var("MLFLOW_TRACKING_TOKEN") {
        return Some(format!("Bearer {token}"));
    }
    let user = env::var("MLFLOW_TRACKING_USERNAME").ok()?;
    let password = env::var("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
    let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
    Some(format!("Basic {both}"))
}

/// Status and body; a body that is no JSON becomes a text.
fn read(answer: Result<Response<Body>, Error>) -> Result<(u16, Value), TrackError> {
    let away = |error: Error| TrackError::Away(error.to_string());
    let mut answer = answer.map_err(|error| match error {
        Error::BadUri(_) => TrackError::Refused(error.to_string()),
        error => away(error),
    })?;
    let text = answer.body_mut().read_to_string().map_err(away)?;
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok((answer.status().as_u16(), value))
}

/// A server that is busy or broken is asked again; one that says no is not.
fn refusal(status: u16, value: &Value) -> TrackError {
    let message = value["message"].as_str().or(value.as_str());
    let message: String = message.unwrap_or_default().chars().take(300).collect();
    let message = format!("it answers {status} {message}")
        .trim_end()
        .to_owned();
    match status {
        429 | 500.. => TrackError::Away(message),
        _ => TrackError::Refused(message),
    }
}
