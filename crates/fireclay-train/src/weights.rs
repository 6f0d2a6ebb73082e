//! The weights of any module as bytes, for checkpoints.

use std::collections::HashSet;

use burn::module::Module;
use burn::tensor::{Bytes, DType, TensorData};
use fireclay_guard::caught;
use fireclay_models::tensors::{from_some_tensors, some_tensors};

/// Why weights cannot be restored.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WeightsError(String);

/// Which tensors are kept, by their paths.
#[derive(Clone, Debug, Default)]
pub enum Kept {
    /// All parameters and running statistics.
    #[default]
    All,
    /// These.
    Paths(HashSet<String>),
}

impl Kept {
    fn has(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Paths(paths) => paths.contains(path),
        }
    }
}

/// The tensors of `module` that are kept; `None` if one of them is not finite.
pub fn encode<M: Module>(module: &M, kept: &Kept) -> Option<Vec<u8>> {
    let tensors = some_tensors(module, |path| kept.has(path));
    if !tensors.iter().all(|(_, data)| is_finite(data)) {
        return None;
    }
    let tensors = tensors.into_iter().map(|(name, data)| {
        let (bytes, shape, dtype) = data.into_parts();
        burn_pack::Tensor::new(name, dtype, shape, None, bytes)
    });
    let bytes = burn_pack::Writer::new(tensors.collect()).into_bytes();
    Some(
        bytes
            .expect("tensors in memory can be written to memory")
            .to_vec(),
    )
}

/// Puts what [`encode`] gave into a module of the same shape, whose other tensors stay.
///
/// # Errors
///
/// If the bytes are not such weights, or do not fit.
pub fn decode<M: Module>(module: M, bytes: &[u8], kept: &Kept) -> Result<M, WeightsError> {
    decode_part(module, bytes, kept, "")
}

/// As [`decode`], where the bytes are those of a module in which this one is at `prefix`, such as `model.`.
///
/// # Errors
///
/// As for [`decode`], and if the other module has tensors elsewhere.
pub fn decode_part<M: Module>(
    module: M,
    bytes: &[u8],
    kept: &Kept,
    prefix: &str,
) -> Result<M, WeightsError> {
    let part = |tensor: burn_pack::Tensor| {
        let (name, dtype, shape, _, bytes) = tensor.into_parts()?;
        // A name that is not there stays, so that it is named as one too many.
        let name = name.strip_prefix(prefix).unwrap_or(&name).to_owned();
        Ok((name, TensorData::from_bytes(bytes, shape, dtype)))
    };
    let tensors = read(bytes)?.into_iter();
    let tensors = caught(|| {
        tensors
            .map(part)
            .collect::<Result<Vec<_>, burn_pack::Error>>()
    });
    let tensors = tensors.map_err(gave_up)?.map_err(unreadable)?;
    from_some_tensors(module, tensors, |path| kept.has(path))
        .map_err(|error| WeightsError(error.to_string()))
}

/// The paths of the tensors in what [`encode`] gave.
///
/// # Errors
///
/// If the bytes are not such weights.
pub fn paths(bytes: &[u8]) -> Result<Vec<String>, WeightsError> {
    let tensors = read(bytes)?.into_iter();
    let paths = tensors.map(|tensor| Ok(tensor.into_parts()?.0));
    paths.collect::<Result<_, _>>().map_err(unreadable)
}

fn read(bytes: &[u8]) -> Result<Vec<burn_pack::Tensor>, WeightsError> {
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    let read = || burn_pack::Reader::from_bytes(bytes).and_then(burn_pack::Reader::into_tensors);
    caught(read).map_err(gave_up)?.map_err(unreadable)
}

fn unreadable(error: burn_pack::Error) -> WeightsError {
    WeightsError(format!("cannot read the weights: {error}"))
}

fn gave_up(message: String) -> WeightsError {
    WeightsError(format!(
        "cannot read the weights: their reader gave up: {message}"
    ))
}

fn is_finite(data: &TensorData) -> bool {
    match data.dtype() {
        DType::F32 => data.iter::<f32>().all(f32::is_finite),
        dtype if dtype.is_float() => data.iter::<f64>().all(f64::is_finite),
        _ => true,
    }
}
