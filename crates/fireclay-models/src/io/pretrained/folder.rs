//! Folders of weights, as they come from the hub of Hugging Face.

use std::path::{Path, PathBuf};

use crate::io::weights::{WeightsError, whole};

/// The weights in a folder; the first that is there is read.
const NAMES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The file of weights that `path` is, or that the folder `path` holds: `model.safetensors`, or
/// else the index of a model in parts, or else one of PyTorch's, `pytorch_model.bin`.
///
/// # Errors
///
/// If it is a folder without such a file.
pub fn weights_file(path: &Path) -> Result<PathBuf, WeightsError> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let mut files = NAMES.iter().map(|name| path.join(name));
    files
        .find(|file| file.exists())
        .ok_or_else(|| WeightsError::NoWeights {
            folder: whole(path),
            names: NAMES.join(", "),
        })
}
