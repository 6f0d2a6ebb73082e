//! What is told about a run, and to whom.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::follow::Record;
use crate::run::Run;

/// Someone who is told about a run.
pub trait Tracker: Send {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// The run begins, or goes on, or was finished long ago. The result is how many bytes of `metrics.jsonl`
    /// the tracker knows already.
    ///
    /// # Errors
    ///
    /// See [`TrackError`].
    fn begin(&mut self, run: &Run) -> Result<u64, TrackError>;

    /// New lines of `metrics.jsonl`, each with the time at which it was written, and where the file goes on after
    /// them.
    ///
    /// # Errors
    ///
    /// See [`TrackError`]. The same lines are offered again after [`TrackError::Away`].
    fn take(&mut self, news: &[(Record, SystemTime)], position: u64) -> Result<(), TrackError>;

    /// Training ended.
    ///
    /// # Errors
    ///
    /// See [`TrackError`].
    fn end(&mut self, run: &Run, ending: Ending) -> Result<(), TrackError>;
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run is finished and evaluated.
    Finished,
    /// Somebody stopped it; it can be resumed.
    Interrupted,
    /// It ended with an error.
    Failed,
}

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
