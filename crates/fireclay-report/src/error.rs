//! Why a run folder cannot be read.

use std::path::{Path, PathBuf};

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The path it was done to.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The path names no run.
    #[error("{} is not a run folder: it has no config.toml", .0.display())]
    NotARun(PathBuf),
    /// A file of the run is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A chart cannot be drawn.
    #[error("the chart {name} cannot be drawn: {reason}")]
    Drawing {
        /// What the chart is called.
        name: String,
        /// Why not.
        reason: String,
    },
    /// What was asked for cannot be understood.
    #[error("{0}")]
    Usage(String),
}

/// The error of an `action`, such as "read".
pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> ReportError {
    ReportError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

/// The error of a file that is not what it should be.
pub(crate) fn damaged(path: &Path, reason: impl ToString) -> ReportError {
    ReportError::Damaged {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}
