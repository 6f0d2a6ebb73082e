//! GGUF, the files of llama.cpp: the weights of a model, most of them in blocks of few bits, with its sizes and its
//! tokenizer in one file.
//!
//! A file has a header, entries of metadata by name, descriptions of the tensors, and then their numbers
//! (the [specification](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)). Versions 2 and 3 are read, in
//! little-endian order, as nearly every file is. What a file claims is held against its size before any memory is
//! taken.
#![forbid(unsafe_code)]

mod block;
mod error;
mod header;
mod kind;
mod source;
mod value;

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub use error::GgufError;
use fireclay_guard::open;
pub use kind::Kind;
pub use value::Value;

/// What a file begins with.
const MAGIC: [u8; 4] = *b"GGUF";

/// A file whose header was read.
#[derive(Clone, Debug)]
pub struct Gguf {
    path: PathBuf,
    /// What it says of the model, by name, such as `general.architecture`.
    pub metadata: BTreeMap<String, Value>,
    /// Its tensors, in the order of the file.
    pub tensors: Vec<Tensor>,
}

/// Where a tensor is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Its shape as in PyTorch: the last axis is the one whose numbers lie side by side. The file names axes the other
    /// way round.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub kind: Kind,
    /// The byte of the file at which it begins.
    offset: u64,
    /// Its bytes.
    bytes: usize,
}

/// Whether the file at `path` begins like a GGUF.
pub fn is_gguf(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == MAGIC
}

impl Gguf {
    /// Reads the header of the file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no GGUF, is damaged, or of a version or with numbers that are not read.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = open(path)?;
        let length = file.metadata()?.len();
        let (metadata, tensors) = header::read(file, length)?;
        Ok(Self {
            path: path.to_owned(),
            metadata,
            tensors,
        })
    }

    /// The numbers of one of its tensors, in the order of its shape.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or was cut since it was opened.
    pub fn read(&self, tensor: &Tensor) -> Result<Vec<f32>, GgufError> {
        Ok(tensor.kind.numbers(&self.bytes(tensor)?))
    }

    /// The blocks of one of its tensors, row by row, as they are in the file.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn bytes(&self, tensor: &Tensor) -> Result<Vec<u8>, GgufError> {
        let mut file = open(&self.path)?;
        let end = tensor.offset.saturating_add(tensor.bytes as u64);
        if file.metadata()?.len() < end {
            return Err(GgufError::Damaged("it was cut while it was in use".into()));
        }
        file.seek(SeekFrom::Start(tensor.offset))?;
        let mut bytes = vec![0; tensor.bytes];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A text of the metadata.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.metadata.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A count of the metadata.
    pub fn count(&self, name: &str) -> Option<u64> {
        match self.metadata.get(name)? {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A number of the metadata.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.metadata.get(name)? {
            Value::Integer(number) => Some(*number as f64),
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A truth of the metadata.
    pub fn truth(&self, name: &str) -> Option<bool> {
        match self.metadata.get(name)? {
            Value::Truth(truth) => Some(*truth),
            _ => None,
        }
    }

    /// A list of texts of the metadata.
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        match self.metadata.get(name)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// A list of integers of the metadata.
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        match self.metadata.get(name)? {
            Value::Integers(integers) => Some(integers),
            _ => None,
        }
    }

    /// A list of numbers of the metadata.
    pub fn numbers(&self, name: &str) -> Option<&[f64]> {
        match self.metadata.get(name)? {
            Value::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}
