//! Why a run cannot become an ONNX model.

use std::path::PathBuf;

use fireclay_run::RunError;

/// Why a run cannot become an ONNX model. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The run cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There are operations that ONNX has no words for here.
    #[error(
        "the model of {architecture} cannot be written as ONNX: there is no rule for {operations}; `export` without \
         --format writes its weights"
    )]
    Unsupported {
        /// The architecture, by its name in configurations.
        architecture: String,
        /// The operations, each once.
        operations: String,
    },
    /// Other sizes of a batch lead to other operations.
    #[error(
        "the model of {architecture} cannot be written as ONNX for batches of any size: {reason}; `export` without \
         --format writes its weights"
    )]
    Varies {
        /// The architecture, by its name in configurations.
        architecture: String,
        /// What differs.
        reason: String,
    },
    /// The file to write has another kind of name.
    #[error("{} does not end in .onnx; name the file to write", .0.display())]
    Name(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
}

/// What is wrong with a recording, before it is known whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no rule for these.
    Unsupported(Vec<String>),
    /// What differs from size to size.
    Varies(String),
}

impl Fault {
    /// The fault of an architecture.
    pub fn of(self, architecture: &str) -> OnnxError {
        let architecture = architecture.to_owned();
        match self {
            Self::Unsupported(operations) => OnnxError::Unsupported {
                architecture,
                operations: operations.join(", "),
            },
            Self::Varies(reason) => OnnxError::Varies {
                architecture,
                reason,
            },
        }
    }
}
