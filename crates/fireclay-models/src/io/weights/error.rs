//! What can be wrong with weights.

use std::io;
use std::path::Path;

use safetensors::tensor::SafeTensorError;

use super::METADATA_KEY;
use crate::hugging_face::HuggingFaceError;
use crate::io::tensors::TensorsError;

/// Why weights could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("cannot access the weights in {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are of no format that is read, or damaged.
    #[error("the weights are damaged or of no known format: {0}")]
    Damaged(String),
    /// The file does not say which model it holds.
    #[error("the file does not say which model it holds: its metadata has no \"{METADATA_KEY}\"")]
    NoDescription,
    /// The description of the model makes no sense.
    #[error("the description of the model in the file is wrong: {0}")]
    Description(String),
    /// A folder has no weights.
    #[error("{folder} holds no weights: it has none of {names}")]
    NoWeights {
        /// The folder.
        folder: String,
        /// The files that were looked for.
        names: String,
    },
    /// A GGUF cannot be read.
    #[error("{path} is a GGUF, and {source}")]
    Gguf {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: fireclay_gguf::GgufError,
    },
    /// Hugging Face's description of the weights is not that of the model.
    #[error("{path}: {source}")]
    HuggingFace {
        /// The `config.json`.
        path: String,
        /// What is wrong with it.
        source: HuggingFaceError,
    },
    /// The tensors are those of another model, or have other names.
    #[error("the file seems to hold {seems}; {source}")]
    Misfit {
        /// Every difference.
        source: TensorsError,
        /// What it seems to hold.
        seems: &'static str,
    },
    /// The tensors are not those of the described model.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
}

pub fn damaged(error: SafeTensorError) -> WeightsError {
    WeightsError::Damaged(error.to_string())
}

pub fn io_error(path: &Path, source: io::Error) -> WeightsError {
    WeightsError::Io {
        path: whole(path),
        source,
    }
}

/// The absolute path, in words.
pub fn whole(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    let path = absolute.unwrap_or_else(|_| path.to_path_buf());
    path.display().to_string()
}
