//! Where the tensors of a safetensors file are. Of a file on disk none is read before it is asked for, so that a model
//! in fewer bits than its file never takes as much memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensors};

use super::description::LARGEST_HEADER;
use crate::io::guard;
use crate::io::weights::{WeightsError, damaged, io_error};

/// A tensor that is not read yet.
pub struct Located {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub place: Place,
}

/// Where the bytes of a tensor are.
pub enum Place {
    /// Within those of a whole file.
    Memory(Arc<Vec<u8>>, Range<usize>),
    /// From a byte of a file on, so many.
    Disk(Arc<Mutex<File>>, u64, usize),
}

impl Place {
    pub fn read(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes, range) => Ok(bytes[range.clone()].to_vec()),
            Self::Disk(file, start, length) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(*start))?;
                let mut bytes = vec![0; *length];
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// A safetensors file begins with the length of its header, then the header, which is JSON. Where
/// the name says so the file is read as one, so that the message fits when it is damaged.
pub fn is_safetensors(path: &Path) -> Result<bool, WeightsError> {
    let mut start = Vec::new();
    let file = guard::open(path).map_err(|source| io_error(path, source))?;
    let length = file
        .metadata()
        .map_err(|source| io_error(path, source))?
        .len();
    file.take(9)
        .read_to_end(&mut start)
        .map_err(|source| io_error(path, source))?;
    let named = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    let looks = match (start.first_chunk::<8>(), start.get(8)) {
        (Some(header), Some(b'{')) => u64::from_le_bytes(*header) < length,
        _ => false,
    };
    Ok(named || looks)
}

/// The tensors of the file at `path`.
pub fn on_disk(path: &Path) -> Result<Vec<Located>, WeightsError> {
    let failed = |source| io_error(path, source);
    let mut file = guard::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let start = header(&mut file, length).map_err(failed)?;
    let described = serde_json::from_slice::<Metadata>(start.get(8..).unwrap_or_default());
    let whole = |metadata: &Metadata| start.len() as u64 + metadata.data_len() as u64 == length;
    let Some(metadata) = described.ok().filter(whole) else {
        // What is wrong with it is said by its reader.
        return in_memory(read_described(path).map_err(failed)?);
    };
    let file = Arc::new(Mutex::new(file));
    let located = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (begins, ends) = info.data_offsets;
        let begins_at = start.len() as u64 + begins as u64;
        Located {
            name,
            shape: info.shape.clone(),
            dtype: info.dtype,
            place: Place::Disk(file.clone(), begins_at, ends - begins),
        }
    };
    Ok(metadata.tensors().into_iter().map(located).collect())
}

/// The length of a header and the header; less where it claims to be longer than any.
fn header(file: &mut File, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(8).read_to_end(&mut bytes)?;
    let header = bytes
        .first_chunk()
        .map_or(0, |start| u64::from_le_bytes(*start));
    if header <= length.min(LARGEST_HEADER) {
        file.by_ref().take(header).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The bytes of a file as far as its header describes them, and one more if there is one, so that a file that is
/// longer is found out and not read.
fn read_described(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = guard::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = header(&mut file, length)?;
    if bytes.len() <= 8 {
        return Ok(bytes);
    }
    let described = serde_json::from_slice::<Metadata>(bytes.get(8..).unwrap_or_default());
    let most = described
        .map_or(0, |header| header.data_len() as u64)
        .saturating_add(1);
    bytes.reserve_exact(most.min(length) as usize);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The tensors of a whole file.
pub fn in_memory(bytes: Vec<u8>) -> Result<Vec<Located>, WeightsError> {
    let bytes = Arc::new(bytes);
    let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let located = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let start = view.data().as_ptr().addr() - bytes.as_ptr().addr();
        Located {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            dtype: view.dtype(),
            place: Place::Memory(bytes.clone(), start..start + view.data().len()),
        }
    };
    Ok(file.iter().map(located).collect())
}
