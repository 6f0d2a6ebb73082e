//! Why runs are not served, and why a request is not answered.

use std::net::SocketAddr;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fireclay_run::RunError;
use fireclay_run::generate::GenerateError;
use fireclay_run::translate::TranslateError;
use serde_json::json;

/// Why runs are not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; name another one with --listen and --port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There is no folder for bodies that are being read.
    #[error("cannot make a folder for requests: {0}")]
    Scratch(#[source] std::io::Error),
    /// There are no threads.
    #[error("cannot start the threads of the server: {0}")]
    Runtime(#[source] std::io::Error),
    /// No connection can be accepted any more.
    #[error("no connection can be accepted: {0}")]
    Accept(#[source] std::io::Error),
    /// A file of the certificate cannot be used.
    #[error("cannot use {}: {message}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A run without a name that can stand in an address.
    #[error(
        "{0} gives no name that can stand in an address (letters, digits, - _ .): write NAME=RUN"
    )]
    Name(String),
    /// Two runs of one name.
    #[error("two runs are called {0}: write NAME=RUN for one of them")]
    Twice(String),
    /// A run cannot be opened, or answers nothing.
    #[error("{0}")]
    Run(String),
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub message: String,
    /// The part of the request that is to blame, if one is.
    pub parameter: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            parameter: None,
        }
    }

    /// The request is wrong.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The same, about a part of the request.
    pub fn of(parameter: &'static str, message: impl Into<String>) -> Self {
        Self {
            parameter: Some(parameter),
            ..Self::bad(message)
        }
    }

    /// Too many requests wait already.
    pub fn busy() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests wait for this model; ask again in a second",
        )
    }

    /// It took too long.
    pub fn late() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the deadline of the request is over before it was answered; ask again, or for less",
        )
    }

    /// A bug, or a run that cannot compute.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The same with a message in which no path of this machine is left.
    pub fn without(mut self, hidden: &Hidden) -> Self {
        self.message = hidden.hide(&self.message);
        self
    }

    /// As OpenAI's clients read it.
    pub fn for_openai(self) -> Response {
        let kind = match self.status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_client_error() => "invalid_request_error",
            _ => "server_error",
        };
        let error = json!({"error": {
            "message": self.message,
            "type": kind,
            "param": self.parameter,
            "code": null,
        }});
        self.with(error.to_string())
    }

    fn with(&self, body: String) -> Response {
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], body).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                let how = HeaderValue::from_static("Bearer");
                headers.insert(header::WWW_AUTHENTICATE, how);
            }
            // What is left of a body that was not read would be taken for the next request.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.with(json!({ "error": self.message }).to_string())
    }
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        let is_bad = matches!(
            &error,
            RunError::Data(_)
                | RunError::Sample(_)
                | RunError::Usage(_)
                | RunError::Piped(_)
                | RunError::NoRows(_)
                | RunError::Generate(GenerateError::Data(_) | GenerateError::EmptyPrompt)
                | RunError::Translate(
                    TranslateError::Data(_)
                        | TranslateError::Sample(_)
                        | TranslateError::TooLong { .. }
                )
        );
        let message = match error {
            RunError::Data(error) => error.of_run().to_string(),
            error => error.to_string(),
        };
        match is_bad {
            true => Self::bad(message),
            false => Self::internal(message),
        }
    }
}

/// Paths of this machine, with what clients know instead.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    paths: Vec<(String, String)>,
    /// Folders whose files stand for what clients sent.
    folders: Vec<String>,
}

/// What clients call what they sent.
const SENT: &str = "the request";

impl Hidden {
    /// Also hides a path, as it is written and from the root.
    pub fn and(mut self, path: &Path, name: &str) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        // The root is a part of every other path.
        let paths = [absolute.as_path(), path].into_iter();
        for path in paths.filter(|path| path.parent().is_some()) {
            let path = path.display().to_string();
            // A bare word may be one of the message.
            if path.contains(MAIN_SEPARATOR) {
                self.paths.push((path, name.to_owned()));
            }
        }
        self
    }

    /// Also hides the files in a folder of bodies.
    pub fn and_files_of(mut self, folder: &Path) -> Self {
        self.folders.push(folder.display().to_string());
        self
    }

    pub fn hide(&self, text: &str) -> String {
        let text = self.folders.iter().fold(text.to_owned(), |text, folder| {
            let mut parts = text.split(folder.as_str());
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |text, part| {
                let is_of_path = |sign: char| sign.is_ascii_alphanumeric() || sign == '.';
                let part = part.trim_start_matches(MAIN_SEPARATOR);
                text + SENT + part.trim_start_matches(is_of_path)
            })
        });
        let hidden = |text: String, (path, name): &(String, String)| text.replace(path, name);
        self.paths.iter().fold(text, hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_is_left_in_a_message() {
        let hidden = Hidden::default()
            .and(Path::new("/srv/runs/iris/1"), "iris")
            .and(Path::new("runs"), "the run")
            .and(Path::new("/"), "the root")
            .and_files_of(Path::new("/tmp/.tmpAb1"));
        let said = hidden.hide("cannot read /srv/runs/iris/1/model.bpk: no");
        assert_eq!(said, "cannot read iris/model.bpk: no");
        let said = hidden.hide("row 2 of /tmp/.tmpAb1/.tmpXy2: no; /tmp/.tmpAb1/.tmpXy2:3: no");
        assert_eq!(said, "row 2 of the request: no; the request:3: no");
    }
}
