//! What is served, to whom, and how much of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::ServeError;

/// A run and the name that clients have for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What clients call it.
    pub name: String,
    /// Its folder, or a folder of numbered runs, which stands for the newest of them each time that it is loaded.
    pub path: PathBuf,
    /// Adapters that answer beside its weights too, each under a name of its own.
    pub adapters: Vec<Source>,
}

impl Source {
    /// `PATH` or `NAME=PATH`. Without a name it is that of the folder; of `runs/iris/3` it is `iris`.
    ///
    /// # Errors
    ///
    /// If there is no name, or one with signs that an address would have to escape.
    pub fn of(text: &str) -> Result<Self, ServeError> {
        let named = text.split_once('=');
        let named = named.filter(|(name, _)| !name.contains(['/', '\\']));
        let (name, path) = match named {
            Some((name, path)) => (Some(name.to_owned()), PathBuf::from(path)),
            None => (None, PathBuf::from(text)),
        };
        let name = name.or_else(|| usual_name(&path)).unwrap_or_default();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        match !name.is_empty() && name.chars().all(is_plain) {
            true => Ok(Self {
                name,
                path,
                adapters: Vec::new(),
            }),
            false => Err(ServeError::Name(text.to_owned())),
        }
    }

    /// The names that clients have: that of the run, and those of its adapters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let adapters = self.adapters.iter().map(|adapters| adapters.name.as_str());
        std::iter::once(self.name.as_str()).chain(adapters)
    }
}

/// The name of a folder; of a numbered one, that of the folder that it is in.
fn usual_name(path: &std::path::Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let mut names = path.iter().rev().filter_map(|name| name.to_str());
    let last = names.next()?;
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let name = if is_number { names.next()? } else { last };
    Some(name.to_owned())
}

/// Files of a certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What clients may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body: usize,
    /// Requests that may wait for one run.
    pub queue: usize,
    /// Rows, images or texts of one request.
    pub rows: usize,
    /// Images, texts, or rows with a text of one request, which are computed in one go.
    pub samples: usize,
    /// Rows, images or texts that are gathered to be computed together; of the latter two 64 at most.
    pub batch: usize,
    /// How long a first request waits for others to be answered with it. While one batch is answered the next is
    /// gathered anyway.
    pub wait: Duration,
    /// How long a request may wait and be answered. A text that has begun is not cut short by it.
    pub deadline: Duration,
    /// How long a client may take for the head of a request, again for its body, and to take a part of the answer.
    pub slow: Duration,
    /// Texts that a language model writes at the same time, each with keys and values of up to its context.
    pub slots: usize,
    /// Tokens that a request may ask for.
    pub tokens: usize,
    /// Connections at the same time; others wait to be accepted.
    pub connections: usize,
    /// Training samples that served ones are compared with; 0 for no comparison.
    pub drift: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 << 20,
            queue: 256,
            rows: 16 * 1024,
            samples: 256,
            batch: 1024,
            wait: Duration::ZERO,
            deadline: Duration::from_secs(30),
            slow: Duration::from_secs(20),
            slots: 8,
            tokens: 4096,
            connections: 1024,
            drift: 5000,
        }
    }
}

/// How runs are served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; port 0 is any that is free.
    pub listen: SocketAddr,
    /// What clients have to know: `Authorization: Bearer ...`.
    pub token: Option<String>,
    /// For HTTPS.
    pub tls: Option<Tls>,
    /// What clients may use.
    pub limits: Limits,
    /// Whether each request leaves a line of JSON.
    pub logs_requests: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            token: None,
            tls: None,
            limits: Limits::default(),
            logs_requests: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_called_by_its_folder_or_as_it_is_told() {
        let name = |text: &str| Source::of(text).map(|source| source.name).ok();
        assert_eq!(name("runs/iris/3").as_deref(), Some("iris"));
        assert_eq!(name("runs/iris").as_deref(), Some("iris"));
        assert_eq!(name("flowers=runs/iris/3").as_deref(), Some("flowers"));
        assert_eq!(name("gpt-3.5=runs/x").as_deref(), Some("gpt-3.5"));
        assert_eq!(name("runs/a=b").as_deref(), None);
        assert_eq!(name("a b=runs/iris").as_deref(), None);
        assert_eq!(name("/"), None);
        let source = Source::of("flowers=runs/iris/3").expect("a source");
        assert_eq!(source.path, PathBuf::from("runs/iris/3"));
    }
}
