//! What can go wrong while a run is followed.

use std::path::{Path, PathBuf};

/// Why a tracker was not told.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// A file could not be read or written.
    #[error("cannot {verb} {path}: {source}")]
    File {
        /// What failed: read, write.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the run is not what it should be.
    #[error("{path}: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(#[source] std::io::Error),
    /// A server does not answer. It is asked again.
    #[error("{0}")]
    Away(String),
    /// A server refuses. It is not asked again.
    #[error("{0}")]
    Refused(String),
}

impl TrackError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        let verb = "read";
        Self::File { verb, path, source }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        let verb = "write";
        Self::File { verb, path, source }
    }

    pub(crate) fn damaged(path: &Path, message: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            message: message.to_string(),
        }
    }
}
