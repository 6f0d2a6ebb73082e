//! Why a file cannot be read.

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The system refuses.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is no GGUF, or not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is a GGUF that is not read.
    #[error("it is not read: {0}")]
    Unread(String),
}
