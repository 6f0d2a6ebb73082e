//! Weights that others trained: what torchvision, timm, Hugging Face's libraries or this program
//! wrote, as `.safetensors`, `.pth` or `.pt`, or in a folder as the hub of Hugging Face has it.
//!
//! Pickles are parsed, never executed. Names of these libraries are understood where the
//! architecture has them, and so are the prefixes and wrappers that training scripts leave around
//! a state dict. A head for another number of classes stays as it was initialised, and position
//! embeddings of another resolution are resampled; the report says so. Anything else that does
//! not fit is an error that lists every tensor, unless its name is allowed.

mod adapt;
mod file;
mod folder;
mod positions;
#[cfg(test)]
mod tests;

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::family::Pretrainable;
use crate::io::tensors::{TensorProblem, TensorsError, replace};
use crate::io::weights::{Name, WeightsError, names, refuse_non_finite, swap_axes};
use adapt::Fit;
use file::{Stored, StoredFile};
pub use folder::weights_file;

/// Which tensors may be left over on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PretrainedOptions {
    /// Names in the model that the file need not have; they keep their first weights. In these
    /// patterns `*` stands for anything.
    pub allow_missing: Vec<String>,
    /// Names in the file that the model need not have, in the same way.
    pub allow_unexpected: Vec<String>,
}

/// What was done with each tensor of a file, by the model's PyTorch names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PretrainedReport {
    /// Taken from the file.
    pub loaded: Vec<String>,
    /// Of the head, which keeps its first weights since the file's has another number of outputs.
    pub fresh_head: Vec<String>,
    /// Position embeddings, resampled from another resolution, and loaded.
    pub resized: Vec<String>,
    /// Missing in the file, as allowed.
    pub missing: Vec<String>,
    /// In the file only, as allowed.
    pub unexpected: Vec<String>,
}

/// Replaces the weights of `model`, which `config` has just built for `shape`, by those in the
/// file at `path`, or in the folder, as [`weights_file`] finds them.
///
/// A folder's `config.json` in the form of Hugging Face's `transformers` is compared with the model
/// before any weight is read, if there is one: another number of heads, activation or epsilon
/// would fit the tensors and be wrong all the same.
///
/// Half-precision and double weights are converted to the device's default float type.
///
/// # Errors
///
/// If the file cannot be read or is damaged, if the folder describes another model, if a tensor is
/// missing, unexpected or of another shape and not allowed to be, or if a weight is not finite. All
/// such tensors are listed.
pub fn load_pretrained<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    model: F::Model,
    path: &Path,
    options: &PretrainedOptions,
) -> Result<(F::Model, PretrainedReport), WeightsError> {
    folder::check(config, shape, path)?;
    let file = StoredFile::open(&weights_file(path)?)?;
    let names = names(config, &model);
    let loading = Loading::new(config, shape, &names, file, options)?;
    let device = model.devices().first().cloned().unwrap_or_default();
    let (tensors, report) = loading.read(&device)?;
    Ok((replace(model, tensors)?, report))
}

/// Whether one of the patterns, in which `*` stands for anything, is the whole of `name`.
pub fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    // What follows the star may begin anywhere; patterns have few stars and names are short.
    name.strip_prefix(start).is_some_and(|name| {
        let ends = name
            .char_indices()
            .map(|(index, _)| index)
            .chain([name.len()]);
        ends.into_iter().any(|index| matches(rest, &name[index..]))
    })
}

/// What is to be read, once everything is known to fit.
#[derive(Default)]
struct Loading<'a> {
    parts: Vec<(&'a Name, Stored, Fit)>,
    report: PretrainedReport,
}

impl<'a> Loading<'a> {
    fn new<F: Pretrainable>(
        config: &F,
        shape: &F::Shape,
        names: &'a [Name],
        file: StoredFile,
        options: &PretrainedOptions,
    ) -> Result<Self, TensorsError> {
        let mut problems = Vec::new();
        let mut stored = file.by_canonical_name(config, &mut problems);
        stored.retain(|name, _| !config.leaves_out(shape, name));
        let fresh_head = adapt::head_differs(config.head(), names, &stored);
        let mut loading = Self::default();
        for name in names {
            let torch = name.torch.clone();
            match stored.remove(&torch) {
                Some(_) if fresh_head.contains(&torch) => loading.report.fresh_head.push(torch),
                Some(tensor) => match Fit::find(config, shape, name, &tensor) {
                    Ok(fit) => loading.parts.push((name, tensor, fit)),
                    Err(problem) => problems.push(problem),
                },
                None if matches_any(&options.allow_missing, &torch) => {
                    loading.report.missing.push(torch);
                }
                None => problems.push(TensorProblem::Missing(torch)),
            }
        }
        let allowed = |name: &str| matches_any(&options.allow_unexpected, name);
        for (canonical, tensor) in stored {
            match allowed(&tensor.name) || allowed(&canonical) {
                true => loading.report.unexpected.push(tensor.name),
                false => problems.push(TensorProblem::Unexpected(tensor.name)),
            }
        }
        TensorsError::refuse(problems)?;
        Ok(loading)
    }

    /// The tensors by their paths in Burn.
    fn read(
        self,
        device: &Device,
    ) -> Result<(Vec<(String, TensorData)>, PretrainedReport), WeightsError> {
        let float = Tensor::<1>::zeros([1], device).dtype();
        let mut report = self.report;
        let mut tensors = Vec::new();
        for (name, stored, fit) in self.parts {
            tensors.push((name, fit.apply(stored.read()?, &name.shape)));
            match fit {
                Fit::Positions { .. } => report.resized.push(name.torch.clone()),
                Fit::Exact | Fit::Reshaped => report.loaded.push(name.torch.clone()),
            }
        }
        // After the conversion, because a large double is infinite in single precision.
        let converted = tensors
            .into_iter()
            .map(|(name, data)| (name, data.convert_dtype(float)))
            .collect::<Vec<_>>();
        refuse_non_finite(converted.iter().map(|(name, data)| (&name.torch, data)))?;
        let burn = |(name, data): (&Name, TensorData)| {
            let data = if name.swapped { swap_axes(data) } else { data };
            (name.path.clone(), data)
        };
        Ok((converted.into_iter().map(burn).collect(), report))
    }
}
