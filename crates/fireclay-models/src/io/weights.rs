//! Weights in one [safetensors](https://huggingface.co/docs/safetensors) file that describes
//! itself: names and layouts as PyTorch has them, the configuration and shape in the metadata.
//!
//! A linear layer's `weight` is `[outputs, inputs]`; a norm has `weight`, `bias`, and for batch
//! norm `running_mean` and `running_var`. Names leave out which architecture it is, so they stay
//! when a type is renamed. Equal weights give equal files.

mod error;
mod format;
mod names;
mod score;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_kernels::Packed;
use safetensors::tensor::SafeTensors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::family::Family;
use crate::io::guard;
use crate::io::tensors::{TensorProblem, TensorsError, fill, some_tensors};
use crate::layers::weight::Weight;
pub use error::WeightsError;
pub(crate) use error::{damaged, io_error, whole};
pub(crate) use format::float;
use format::{data, view};
#[cfg(test)]
pub(crate) use names::plain_names;
pub(crate) use names::{Name, names, swap_axes};
pub use score::with_score;

/// The key of the description in the file's metadata.
pub const METADATA_KEY: &str = "fireclay.model";

/// All that is needed to build a model again: the file's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct ModelDescription<F: Family> {
    /// The architecture and its options.
    pub config: F,
    /// What the data determined.
    pub shape: F::Shape,
}

/// Writes the model to `path`, replacing what is there.
///
/// # Errors
///
/// If the file cannot be written, or a weight is not finite, in which case nothing is written.
pub fn save<F: Family>(
    model: &F::Model,
    description: &ModelDescription<F>,
    path: impl AsRef<Path>,
) -> Result<(), WeightsError> {
    let path = path.as_ref();
    fs::write(path, encode(model, description)?).map_err(|source| io_error(path, source))
}

/// Reads a model from `path` onto `device`, in the device's default float type.
///
/// # Errors
///
/// If the file cannot be read, is damaged, lacks the description, or does not hold exactly the
/// finite tensors of the described model; all tensors that are wrong are listed.
pub fn load<F: Family>(
    path: impl AsRef<Path>,
    device: &Device,
) -> Result<(F::Model, ModelDescription<F>), WeightsError> {
    let path = path.as_ref();
    let bytes = guard::read(path, u64::MAX).map_err(|source| io_error(path, source))?;
    decode(&bytes, device)
}

/// The bytes that [`save`] writes.
///
/// # Errors
///
/// If a weight is not finite.
pub fn encode<F: Family>(
    model: &F::Model,
    description: &ModelDescription<F>,
) -> Result<Vec<u8>, WeightsError> {
    let names = names(&description.config, model);
    write(model, &names, METADATA_KEY, description)
}

/// A file with these tensors of `model`, which come in visiting order, and a description.
pub(crate) fn write<M: Module>(
    model: &M,
    names: &[Name],
    key: &str,
    description: &impl Serialize,
) -> Result<Vec<u8>, WeightsError> {
    let paths: HashSet<&str> = names.iter().map(|name| name.path.as_str()).collect();
    let tensors: Vec<_> = names
        .iter()
        .zip(some_tensors(model, |path| paths.contains(path)))
        .map(|(name, (_, data))| {
            let data = if name.swapped { swap_axes(data) } else { data };
            (name.torch.clone(), data)
        })
        .collect();
    refuse_non_finite(tensors.iter().map(|(name, data)| (name, data)))?;
    let views = tensors
        .iter()
        .map(|(name, data)| Ok((name, view(data)?)))
        .collect::<Result<Vec<_>, WeightsError>>()?;
    let json = serde_json::to_string(description)
        .map_err(|error| WeightsError::Description(error.to_string()))?;
    let metadata = HashMap::from([(key.to_string(), json)]);
    let file = safetensors::serialize(views, Some(metadata)).map_err(damaged)?;
    Ok(name_format(file))
}

/// Adds to the metadata what versions 4 of Hugging Face's `transformers` demand of it.
///
/// The map of metadata that `safetensors` takes has no order, and two entries in it would make
/// unequal files of equal weights; so the second is put in here. It is as long as eight bytes twice,
/// to which the header is aligned.
fn name_format(mut file: Vec<u8>) -> Vec<u8> {
    const START: &[u8] = b"{\"__metadata__\":{";
    const FORMAT: [u8; 16] = *b"\"format\":\"pt\",  ";
    if let Some((length, header)) = file.split_first_chunk_mut::<8>()
        && header.starts_with(START)
    {
        *length = (u64::from_le_bytes(*length) + FORMAT.len() as u64).to_le_bytes();
        let position = length.len() + START.len();
        file.splice(position..position, FORMAT);
    }
    file
}

/// The inverse of [`encode`].
///
/// # Errors
///
/// As for [`load`].
pub fn decode<F: Family>(
    bytes: &[u8],
    device: &Device,
) -> Result<(F::Model, ModelDescription<F>), WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let description = describe::<F>(bytes)?;
    // The seed is of no account: every parameter is replaced before it is drawn.
    let model = description.config.init(&description.shape, 0, device);
    let names = names(&description.config, &model);
    let tensors = read(&names, &file, &model)?;
    Ok((fill(model, tensors)?, description))
}

/// The tensors of a file that holds exactly these, by their paths in Burn and in the default float
/// type of the model's device.
pub(crate) fn read<M: Module>(
    names: &[Name],
    file: &SafeTensors,
    model: &M,
) -> Result<Vec<(String, TensorData)>, WeightsError> {
    refuse_misfits(names, file)?;
    let device = model.devices().first().cloned().unwrap_or_default();
    let float = Tensor::<1>::zeros([1], &device).dtype();
    let mut tensors = Vec::new();
    for name in names {
        let data = data(&file.tensor(&name.torch).map_err(damaged)?)?;
        let data = if name.swapped { swap_axes(data) } else { data };
        tensors.push((name, data));
    }
    refuse_non_finite(tensors.iter().map(|(name, data)| (&name.torch, data)))?;
    let converted = tensors
        .into_iter()
        .map(|(name, data)| (name.path.clone(), data.convert_dtype(float)));
    Ok(converted.collect())
}

/// Every tensor of `model` by its PyTorch name, running statistics included: what freezing and
/// layer-wise learning rates go by.
pub fn parameter_names<F: Family>(config: &F, model: &F::Model) -> Vec<(ParamId, String)> {
    let names = names(config, model).into_iter();
    names.map(|name| (name.id, name.torch)).collect()
}

/// The path in Burn and the PyTorch name of every tensor of `model`.
pub fn paths<F: Family>(config: &F, model: &F::Model) -> Vec<(String, String)> {
    let names = names(config, model).into_iter();
    names.map(|name| (name.path, name.torch)).collect()
}

/// The PyTorch name and shape of every tensor of `model`, without touching a value.
pub fn shapes<F: Family>(config: &F, model: &F::Model) -> Vec<(String, Vec<usize>)> {
    let names = names(config, model).into_iter();
    names.map(|name| (name.torch, name.shape)).collect()
}

/// The weights of `model` that are kept in few bits, by their PyTorch names.
pub fn packed<F: Family>(model: &F::Model) -> Vec<(String, Packed)> {
    let mut model = model.clone();
    let weights = F::weights(&mut model).into_iter();
    let packed = weights.filter_map(|weight| match weight {
        Weight::Packed(packed) => Some((packed.name.clone(), packed.matrix.clone())),
        Weight::Whole(_) => None,
    });
    packed.collect()
}

fn describe<F: Family>(bytes: &[u8]) -> Result<ModelDescription<F>, WeightsError> {
    let description = metadata(bytes, METADATA_KEY)?;
    check_description(&description, bytes.len())?;
    Ok(description)
}

/// Reads the description under `key` of a file's metadata.
pub(crate) fn metadata<T: DeserializeOwned>(bytes: &[u8], key: &str) -> Result<T, WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().as_ref();
    let json = metadata.and_then(|metadata| metadata.get(key));
    serde_json::from_str(json.ok_or(WeightsError::NoDescription)?)
        .map_err(|error| WeightsError::Description(error.to_string()))
}

/// Refuses a description that is impossible, or that of a model with more than `most` weights.
pub(crate) fn check_description<F: Family>(
    description: &ModelDescription<F>,
    most: usize,
) -> Result<(), WeightsError> {
    let ModelDescription { config, shape } = description;
    let mut problems = config.validate_for(shape);
    // Without this check a wrong number would make the building of the model ask for any memory.
    if problems.is_empty() && config.least_weights(shape) > most {
        problems.push(("shape".into(), "it is larger than the file".into()));
    }
    if problems.is_empty() {
        return Ok(());
    }
    let texts: Vec<_> = problems
        .iter()
        .map(|(key, text)| format!("{key}: {text}"))
        .collect();
    Err(WeightsError::Description(texts.join("; ")))
}

/// Compares names and shapes before any tensor of the model exists.
fn refuse_misfits(names: &[Name], file: &SafeTensors) -> Result<(), TensorsError> {
    let mut problems = Vec::new();
    for name in names {
        match file.tensor(&name.torch) {
            Err(_) => problems.push(TensorProblem::Missing(name.torch.clone())),
            Ok(view) if view.shape() != name.shape => problems.push(TensorProblem::Shape {
                name: name.torch.clone(),
                expected: name.shape.clone(),
                found: view.shape().to_vec(),
            }),
            Ok(view) if float(view.dtype()).is_none() => problems.push(TensorProblem::Type {
                name: name.torch.clone(),
                expected: "floats".to_string(),
                found: format!("{:?}", view.dtype()),
            }),
            Ok(_) => {}
        }
    }
    let mut unexpected = file.names();
    unexpected.retain(|name| names.iter().all(|known| known.torch != **name));
    unexpected.sort_unstable();
    problems.extend(
        unexpected
            .into_iter()
            .map(|name| TensorProblem::Unexpected(name.to_string())),
    );
    TensorsError::refuse(problems)
}

pub(crate) fn refuse_non_finite<'a>(
    tensors: impl Iterator<Item = (&'a String, &'a TensorData)>,
) -> Result<(), TensorsError> {
    let problems: Vec<_> = tensors
        .filter(|(_, data)| !data.iter::<f64>().all(f64::is_finite))
        .map(|(name, _)| TensorProblem::NotFinite(name.clone()))
        .collect();
    TensorsError::refuse(problems)
}

#[cfg(test)]
mod tests;
