//! The tensors of a file, whatever wrote it, not yet read.

mod joined;
mod shards;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::{DType, TensorData};
use fireclay_gguf::is_gguf;
use fireclay_kernels::{Packed, PackedError, Packing};
use pytorch_reader::{PytorchError, PytorchReader};

use super::place::{Located, Place, in_memory, is_safetensors, on_disk};
use super::seems::seems;
use crate::family::Pretrainable;
use crate::io::gguf;
use crate::io::guard::{self, caught};
use crate::io::tensors::TensorProblem;
use crate::io::weights::{WeightsError, float, io_error};
use joined::join;
use shards::{is_index, shards};

/// One tensor of a file.
pub struct Stored {
    /// Its name in the file, without wrappers.
    pub name: String,
    pub shape: Vec<usize>,
    /// Its type, if it is one of weights.
    pub dtype: Option<DType>,
    /// Its type in words.
    pub type_name: String,
    /// Whether the model's original calls it something else.
    pub renamed: bool,
    source: Payload,
}

enum Payload {
    Safetensors(Place),
    Pytorch(pytorch_reader::Tensor),
    Gguf(gguf::Part),
    /// Rows one after another.
    Joined(Vec<Stored>),
}

/// The tensors of a file.
pub struct StoredFile(Vec<Stored>);

impl StoredFile {
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let tensors = match is_index(path) {
            true => shards(path)?,
            false => single(path)?,
        };
        let mut file = Self(tensors);
        file.strip_prefixes();
        // Counters of batches, which only an averaging without momentum would read.
        file.0.retain(|tensor| {
            let last = tensor.name.rsplit('.').next();
            last != Some("num_batches_tracked")
        });
        Ok(file)
    }

    /// The tensors of a safetensors file that is in memory.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, WeightsError> {
        Ok(Self(located(in_memory(bytes)?)))
    }

    /// What it seems to hold, by the names of its tensors.
    pub fn seems(&self) -> Option<&'static str> {
        let names: Vec<&str> = self.0.iter().map(|tensor| tensor.name.as_str()).collect();
        seems(&names)
    }

    /// The tensors by the name that the model's original has for each, without those that are no
    /// weights. Of two with the same name the later is a problem.
    pub fn by_canonical_name(
        self,
        config: &impl Pretrainable,
        problems: &mut Vec<TensorProblem>,
    ) -> BTreeMap<String, Stored> {
        let mut found = BTreeMap::new();
        for mut tensor in self.0 {
            let Some(canonical) = config.canonical_name(&tensor.name) else {
                continue;
            };
            tensor.renamed = canonical != tensor.name;
            match found.contains_key(&canonical) {
                true => problems.push(TensorProblem::Unexpected(tensor.name)),
                false => drop(found.insert(canonical, tensor)),
            }
        }
        join(&mut found);
        found
    }

    /// Takes away what `DataParallel`, `torch.compile` and the like put before every name.
    fn strip_prefixes(&mut self) {
        while let Some(prefix) = PREFIXES.iter().find(|prefix| {
            !self.0.is_empty()
                && self
                    .0
                    .iter()
                    .all(|tensor| tensor.name.starts_with(**prefix))
        }) {
            for tensor in &mut self.0 {
                tensor.name.drain(..prefix.len());
            }
        }
    }
}

impl Stored {
    /// How the file keeps a matrix, if that can be multiplied with as it is: blocks, or half precision.
    pub fn packing(&self) -> Option<Packing> {
        match &self.source {
            Payload::Gguf(part) => part.packing(),
            Payload::Safetensors(_) if self.shape.len() == 2 => match self.dtype? {
                DType::F16 => Some(Packing::F16),
                DType::BF16 => Some(Packing::BF16),
                _ => None,
            },
            _ => None,
        }
    }

    /// The matrix as the file keeps it.
    ///
    /// # Panics
    ///
    /// If there is no [`packing`](Self::packing).
    pub fn packed(&self) -> Result<Result<Packed, PackedError>, WeightsError> {
        if let Payload::Gguf(part) = &self.source {
            return part.packed().map_err(WeightsError::Damaged);
        }
        let packing = self.packing().expect("it has two axes, in half precision");
        let bytes = self.read()?.as_bytes().to_vec();
        Ok(Packed::of_bytes(
            packing,
            [self.shape[0], self.shape[1]],
            bytes,
        ))
    }

    /// Copies the numbers to the host, in the type that the file has.
    pub fn read(&self) -> Result<TensorData, WeightsError> {
        let bytes = match &self.source {
            Payload::Safetensors(place) => {
                let cut = |error| WeightsError::Damaged(format!("{}: {error}", self.name));
                place.read().map_err(cut)?
            }
            Payload::Pytorch(tensor) => caught(|| tensor.read().map_err(|error| error.to_string()))
                .flatten()
                .map_err(WeightsError::Damaged)?,
            Payload::Gguf(part) => return part.read().map_err(WeightsError::Damaged),
            Payload::Joined(parts) => {
                let parts: Result<Vec<_>, _> = parts.iter().map(Self::read).collect();
                parts?
                    .iter()
                    .flat_map(|part| part.as_bytes().to_vec())
                    .collect()
            }
        };
        let wrong = || WeightsError::Damaged(format!("{} cannot be read", self.name));
        let dtype = self.dtype.ok_or_else(wrong)?;
        TensorData::try_from_bytes_vec(bytes, self.shape.clone(), dtype).map_err(|_| wrong())
    }
}

const PREFIXES: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// Keys under which training scripts keep a state dict beside other things.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "weights"];

fn single(path: &Path) -> Result<Vec<Stored>, WeightsError> {
    if is_gguf(path) {
        return gguf_tensors(path);
    }
    if let Some(what) = other_format(path) {
        return Err(WeightsError::Damaged(format!("it is {what}")));
    }
    match is_safetensors(path)? {
        true => Ok(located(on_disk(path)?)),
        false => caught(|| pytorch(path)).unwrap_or_else(|message| {
            Err(WeightsError::Damaged(format!(
                "its reader gave up: {message}"
            )))
        }),
    }
}

/// What a file is by its first bytes, if it is known and not read.
fn other_format(path: &Path) -> Option<&'static str> {
    use std::io::Read;

    const KNOWN: [(&[u8], &str); 4] = [
        (
            b"version https://git-lfs",
            "a pointer of Git LFS, not the file itself; fetch that by `git lfs pull`",
        ),
        (
            b"\x89HDF",
            "an HDF5 of Keras or TensorFlow, which is not read",
        ),
        (
            b"<!DOCTYPE",
            "a page of the web, not the file itself; download that",
        ),
        (
            b"<html",
            "a page of the web, not the file itself; download that",
        ),
    ];
    let mut start = Vec::new();
    let file = guard::open(path).ok()?;
    file.take(64).read_to_end(&mut start).ok()?;
    let known = KNOWN.iter().find(|(bytes, _)| {
        start
            .to_ascii_lowercase()
            .starts_with(&bytes.to_ascii_lowercase())
    });
    known.map(|(_, what)| *what)
}

/// The tensors of a safetensors file.
fn located(tensors: Vec<Located>) -> Vec<Stored> {
    let stored = |tensor: Located| Stored {
        name: tensor.name,
        shape: tensor.shape,
        dtype: float(tensor.dtype),
        type_name: format!("{:?}", tensor.dtype),
        renamed: false,
        source: Payload::Safetensors(tensor.place),
    };
    tensors.into_iter().map(stored).collect()
}

fn gguf_tensors(path: &Path) -> Result<Vec<Stored>, WeightsError> {
    let stored = |part: gguf::Part| Stored {
        name: part.name.clone(),
        shape: part.shape.clone(),
        dtype: Some(DType::F32),
        type_name: part.kind().into(),
        renamed: false,
        source: Payload::Gguf(part),
    };
    Ok(gguf::parts(path)?.into_iter().map(stored).collect())
}

fn pytorch(path: &Path) -> Result<Vec<Stored>, WeightsError> {
    let stored = |(name, tensor): (String, pytorch_reader::Tensor)| Stored {
        name,
        shape: tensor.shape().to_vec(),
        dtype: pytorch_float(tensor.dtype()),
        type_name: format!("{:?}", tensor.dtype()),
        renamed: false,
        source: Payload::Pytorch(tensor),
    };
    let mut tensors: Vec<_> = state_dict(path)?.into_iter().map(stored).collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    match tensors.is_empty() {
        true => Err(WeightsError::Damaged("it holds no tensors".into())),
        false => Ok(tensors),
    }
}

/// The innermost dictionary of tensors that a known key leads to, or the file's own.
fn state_dict(path: &Path) -> Result<HashMap<String, pytorch_reader::Tensor>, WeightsError> {
    for key in WRAPPERS {
        if let Ok(inner) = PytorchReader::with_top_level_key(path, key)
            && !inner.is_empty()
        {
            return Ok(inner.into_tensors());
        }
    }
    let reader = PytorchReader::new(path).map_err(|error| match error {
        PytorchError::Io(source) if source.raw_os_error().is_some() => io_error(path, source),
        other => WeightsError::Damaged(other.to_string()),
    })?;
    Ok(reader.into_tensors())
}

fn pytorch_float(dtype: pytorch_reader::DType) -> Option<DType> {
    match dtype {
        pytorch_reader::DType::F64 => Some(DType::F64),
        pytorch_reader::DType::F32 => Some(DType::F32),
        pytorch_reader::DType::F16 => Some(DType::F16),
        pytorch_reader::DType::BF16 => Some(DType::BF16),
        _ => None,
    }
}
