//! Weights in one [safetensors](https://huggingface.co/docs/safetensors) file that describes
//! itself: names and layouts as PyTorch has them, the configuration and shape in the metadata.
//!
//! A linear layer's `weight` is `[outputs, inputs]`; a norm has `weight`, `bias`, and for batch
//! norm `running_mean` and `running_var`. Names leave out which architecture it is, so they stay
//! when a type is renamed. Equal weights give equal files.

mod names;

use std::collections::HashMap;
use std::path::Path;
use std::{fs, io};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::tabular::{Tabular, TabularConfig, TabularShape};
use crate::tensors::{TensorProblem, TensorsError, fill, to_tensors};
use names::{Name, names, swap_axes};

/// The key of the description in the file's metadata.
pub const METADATA_KEY: &str = "fireclay.model";

/// All that is needed to build a model again: the file's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// The architecture and its options.
    pub config: TabularConfig,
    /// What the data determined.
    pub shape: TabularShape,
}

/// Why weights could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("cannot access the weights in {path}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are no safetensors file, or a damaged one.
    #[error("the weights are damaged or no safetensors file: {0}")]
    Damaged(String),
    /// The file does not say which model it holds.
    #[error("the file does not say which model it holds: its metadata has no \"{METADATA_KEY}\"")]
    NoDescription,
    /// The description of the model makes no sense.
    #[error("the description of the model in the file is wrong: {0}")]
    Description(String),
    /// The tensors are not those of the described model.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
}

/// Writes the model to `path`, replacing what is there.
///
/// # Errors
///
/// If the file cannot be written, or a weight is not finite, in which case nothing is written.
pub fn save(
    model: &Tabular,
    description: &ModelDescription,
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
pub fn load(
    path: impl AsRef<Path>,
    device: &Device,
) -> Result<(Tabular, ModelDescription), WeightsError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|source| io_error(path, source))?;
    decode(&bytes, device)
}

/// The bytes that [`save`] writes.
///
/// # Errors
///
/// If a weight is not finite.
pub fn encode(model: &Tabular, description: &ModelDescription) -> Result<Vec<u8>, WeightsError> {
    let tensors: Vec<_> = names(model)
        .into_iter()
        .zip(to_tensors(model))
        .map(|(name, (_, data))| {
            (
                name.torch,
                if name.swapped { swap_axes(data) } else { data },
            )
        })
        .collect();
    refuse_non_finite(tensors.iter().map(|(name, data)| (name, data)))?;
    let views = tensors
        .iter()
        .map(|(name, data)| Ok((name, view(data)?)))
        .collect::<Result<Vec<_>, WeightsError>>()?;
    let json = serde_json::to_string(description)
        .map_err(|error| WeightsError::Description(error.to_string()))?;
    let metadata = HashMap::from([(METADATA_KEY.to_string(), json)]);
    safetensors::serialize(views, Some(metadata)).map_err(damaged)
}

/// The inverse of [`encode`].
///
/// # Errors
///
/// As for [`load`].
pub fn decode(bytes: &[u8], device: &Device) -> Result<(Tabular, ModelDescription), WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let description = describe(bytes)?;
    // The seed is of no account: every parameter is replaced before it is drawn.
    let model = description.config.init(&description.shape, 0, device);
    let names = names(&model);
    refuse_misfits(&names, &file)?;

    let float = Tensor::<1>::zeros([1], device).dtype();
    let mut tensors = Vec::new();
    for Name {
        path,
        torch,
        swapped,
        ..
    } in names
    {
        let data = data(&file.tensor(&torch).map_err(damaged)?)?;
        let data = if swapped { swap_axes(data) } else { data };
        tensors.push((path, torch, data));
    }
    refuse_non_finite(tensors.iter().map(|(_, torch, data)| (torch, data)))?;
    let tensors = tensors
        .into_iter()
        .map(|(path, _, data)| (path, data.convert_dtype(float)));
    Ok((fill(model, tensors)?, description))
}

/// Reads the description, and refuses one that could not have produced a file of this size.
fn describe(bytes: &[u8]) -> Result<ModelDescription, WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let json = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(METADATA_KEY));
    let description: ModelDescription =
        serde_json::from_str(json.ok_or(WeightsError::NoDescription)?)
            .map_err(|error| WeightsError::Description(error.to_string()))?;
    let mut problems = description.config.validate();
    problems.extend(description.shape.validate());
    // Each width is the length of some tensor's axis, so none can exceed the number of bytes.
    // Without this check a wrong number would make the building of the model ask for any memory.
    if widths(&description).any(|width| width > bytes.len()) {
        problems.push(("shape".into(), "it is larger than the file".into()));
    }
    if !problems.is_empty() {
        let texts: Vec<_> = problems
            .iter()
            .map(|(key, text)| format!("{key}: {text}"))
            .collect();
        return Err(WeightsError::Description(texts.join("; ")));
    }
    Ok(description)
}

fn widths(description: &ModelDescription) -> impl Iterator<Item = usize> {
    let ModelDescription { config, shape } = description;
    let hidden = match config {
        TabularConfig::Mlp(mlp) => [mlp.hidden.as_slice(), mlp.embedding_dim.as_slice()].concat(),
        TabularConfig::Linear(_) => Vec::new(),
    };
    [shape.numeric, shape.outputs]
        .into_iter()
        .chain(shape.categories.clone())
        .chain(hidden)
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
    match problems.is_empty() {
        true => Ok(()),
        false => Err(TensorsError(problems)),
    }
}

fn refuse_non_finite<'a>(
    tensors: impl Iterator<Item = (&'a String, &'a TensorData)>,
) -> Result<(), TensorsError> {
    let problems: Vec<_> = tensors
        .filter(|(_, data)| !data.iter::<f64>().all(f64::is_finite))
        .map(|(name, _)| TensorProblem::NotFinite(name.clone()))
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(TensorsError(problems)),
    }
}

fn view(data: &TensorData) -> Result<TensorView<'_>, WeightsError> {
    let dtype = match data.dtype() {
        DType::F64 => Dtype::F64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        _ => Dtype::F32,
    };
    TensorView::new(dtype, data.shape().to_vec(), data.as_bytes()).map_err(damaged)
}

fn data(view: &TensorView) -> Result<TensorData, WeightsError> {
    let dtype = float(view.dtype()).ok_or_else(|| {
        WeightsError::Damaged(format!("{:?} is no type of weights", view.dtype()))
    })?;
    TensorData::try_from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
        .map_err(|error| WeightsError::Damaged(error.to_string()))
}

fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

fn damaged(error: SafeTensorError) -> WeightsError {
    WeightsError::Damaged(error.to_string())
}

fn io_error(path: &Path, source: io::Error) -> WeightsError {
    WeightsError::Io {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests;
