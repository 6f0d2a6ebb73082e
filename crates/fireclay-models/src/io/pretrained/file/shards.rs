//! A model in several files, and the index that names them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::{Stored, single};
use crate::io::guard;
use crate::io::weights::{WeightsError, io_error};

/// What Hugging Face's libraries write beside the parts of a model that is too large for one file.
pub(super) fn is_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.ends_with(".index.json"))
}

/// The tensors of every part that an index names, all of which lie in the index's folder.
pub(super) fn shards(index: &Path) -> Result<Vec<Stored>, WeightsError> {
    let bytes = guard::read(index, LARGEST_INDEX).map_err(|source| io_error(index, source))?;
    let index_file: Index =
        serde_json::from_slice(&bytes).map_err(|error| WeightsError::Damaged(error.to_string()))?;
    let names: BTreeSet<&String> = index_file.weight_map.values().collect();
    let mut tensors = Vec::new();
    for name in names {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            let message = format!("its part {name:?} is not in its own folder");
            return Err(WeightsError::Damaged(message));
        }
        tensors.extend(single(&index.with_file_name(name))?);
    }
    let found: BTreeSet<&String> = tensors.iter().map(|tensor| &tensor.name).collect();
    match index_file
        .weight_map
        .keys()
        .find(|name| !found.contains(name))
    {
        Some(name) => Err(WeightsError::Damaged(format!("no part of it holds {name}"))),
        None => Ok(tensors),
    }
}

/// The largest index of a model in parts; those of the largest models have some megabytes.
const LARGEST_INDEX: u64 = 256 << 20;

/// `model.safetensors.index.json`: which part holds each tensor.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}
