//! Weights that others trained: what torchvision, timm, Hugging Face's libraries or this program
//! wrote, as `.safetensors`, `.pth` or `.pt`, or in a folder as the hub of Hugging Face has it.
//!
//! Pickles are parsed, never executed. Names of these libraries are understood where the
//! architecture has them, and so are the prefixes and wrappers that training scripts leave around
//! a state dict. A head for another number of classes stays as it was initialised, and position
//! embeddings of another resolution are resampled; the report says so. Anything else that does
//! not fit is an error that lists tensors, unless its name is allowed, and says what the file seems to
//! hold. What says which model it is, in the file or beside it, is compared with the model.

mod adapt;
mod description;
mod file;
mod folder;
mod packing;
mod place;
mod positions;
mod seems;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_kernels::Packing;

use crate::family::{Pretrainable, Rows};
use crate::io::tensors::{TensorProblem, TensorsError, replace};
use crate::io::weights::{Name, WeightsError, names, refuse_non_finite, swap_axes};
use adapt::{Fit, copies};
pub use description::{Described, metadata};
use file::{Stored, StoredFile};
pub use fireclay_gguf::is_gguf;
pub use folder::weights_file;
pub use packing::{Keep, Quantize, hollow, round};
use packing::{PackedWeights, pack, packable, packed};

/// Which tensors may be left over on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PretrainedOptions {
    /// Names in the model that the file need not have; they keep their first weights. In these
    /// patterns `*` stands for anything.
    pub allow_missing: Vec<String>,
    /// Names in the file that the model need not have, in the same way.
    pub allow_unexpected: Vec<String>,
    /// Which weights are kept in few bits.
    pub keep: Keep,
}

/// What was done with each tensor of a file, by the model's PyTorch names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PretrainedReport {
    /// Taken from the file.
    pub loaded: Vec<String>,
    /// Tensors of the head. They keep their first weights, because the head of the file has another number of outputs.
    pub fresh_head: Vec<String>,
    /// Position embeddings, resampled from another resolution, and loaded.
    pub resized: Vec<String>,
    /// Tensors with a row for each token or position, of which the file has another number.
    pub rows: Vec<ResizedRows>,
    /// Missing in the file, as allowed.
    pub missing: Vec<String>,
    /// In the file only, as allowed.
    pub unexpected: Vec<String>,
    /// Kept in few bits, of those that were loaded.
    pub packed: Vec<String>,
    /// Weights of linear layers that should have been, but their rows are no whole blocks.
    pub whole: Vec<String>,
}

/// A tensor of which the file has more or fewer rows than the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizedRows {
    /// The tensor.
    pub name: String,
    /// What its rows stand for.
    pub of: Rows,
    /// How many the file has.
    pub from: usize,
    /// How many the model has.
    pub to: usize,
}

/// Replaces the weights of `model`, which `config` has just built for `shape`, by those in the
/// file at `path`, or in the folder, as [`weights_file`] finds them.
///
/// The metadata inside, and a `config.json` beside in the form of Hugging Face's `transformers` or of
/// timm, are compared with the model before any weight is read: another number of heads, activation
/// or epsilon would fit the tensors and be wrong all the same.
///
/// Half-precision and double weights are converted to the device's default float type. Of a tensor
/// with a row for each token, rows that the model lacks are left out, and rows that the file lacks
/// start as the mean of the others.
///
/// # Errors
///
/// If the file cannot be read or is damaged, if a description is that of another model, if a tensor
/// is missing, unexpected or of another shape and not allowed to be, or if a weight is not finite.
pub fn load_pretrained<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    model: F::Model,
    path: &Path,
    options: &PretrainedOptions,
) -> Result<(F::Model, PretrainedReport), WeightsError> {
    Described::of(path)?.check(config, shape, path)?;
    let file = StoredFile::open(&weights_file(path)?)?;
    load(config, shape, model, file, options)
}

/// As [`load_pretrained`], from the bytes that [`encode`](crate::weights::encode) gave; `path` is where
/// they are said to come from.
///
/// # Errors
///
/// As for [`load_pretrained`].
pub fn load_pretrained_bytes<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    model: F::Model,
    bytes: Vec<u8>,
    options: &PretrainedOptions,
) -> Result<(F::Model, PretrainedReport), WeightsError> {
    load(config, shape, model, StoredFile::of_bytes(bytes)?, options)
}

/// Finds out all that [`load_pretrained`] would, but for numbers that are not finite; `model` is one
/// that `config` has built for `shape`, on any device.
///
/// # Errors
///
/// As for [`load_pretrained`].
pub fn check_pretrained<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    model: &F::Model,
    path: &Path,
    options: &PretrainedOptions,
) -> Result<PretrainedReport, WeightsError> {
    Described::of(path)?.check(config, shape, path)?;
    let file = StoredFile::open(&weights_file(path)?)?;
    let names = names(config, model);
    let packable = packable::<F>(model);
    let loading = Loading::new((config, shape), (&names, &packable), file, options)?;
    Ok(loading.report())
}

fn load<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    model: F::Model,
    file: StoredFile,
    options: &PretrainedOptions,
) -> Result<(F::Model, PretrainedReport), WeightsError> {
    let names = names(config, &model);
    let packable = packable::<F>(&model);
    let loading = Loading::new((config, shape), (&names, &packable), file, options)?;
    let device = model.devices().first().cloned().unwrap_or_default();
    let (tensors, matrices, report) = loading.read(&device)?;
    let mut model = replace(model, tensors)?;
    pack::<F>(&mut model, matrices);
    Ok((model, report))
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

/// What becomes of a tensor of a file.
struct Part<'a> {
    name: &'a Name,
    stored: Stored,
    fit: Fit,
    /// In few bits, if not whole.
    packing: Option<Packing>,
}

/// What is to be read, once everything is known to fit.
#[derive(Default)]
struct Loading<'a> {
    parts: Vec<Part<'a>>,
    keep: Keep,
    report: PretrainedReport,
}

impl<'a> Loading<'a> {
    fn new<F: Pretrainable>(
        (config, shape): (&F, &F::Shape),
        (names, packable): (&'a [Name], &HashSet<ParamId>),
        file: StoredFile,
        options: &PretrainedOptions,
    ) -> Result<Self, WeightsError> {
        let seems = file.seems();
        let mut problems = Vec::new();
        let mut stored = file.by_canonical_name(config, &mut problems);
        stored.retain(|name, _| !config.leaves_out(shape, name));
        problems.extend(copies(config, shape, &mut stored)?);
        let fresh_head = adapt::head_differs(config, names, &stored);
        let mut loading = Self {
            keep: options.keep,
            ..Self::default()
        };
        for name in names {
            let torch = name.torch.clone();
            match stored.remove(&torch) {
                Some(_) if fresh_head.contains(&torch) => loading.report.fresh_head.push(torch),
                Some(stored) => match Fit::find(config, shape, name, &stored) {
                    Ok(fit) => {
                        let among = (config, packable);
                        let packing = options.keep.packing(among, (name, fit), &stored);
                        if packing.is_none() && options.keep.wants(among, name) {
                            loading.report.whole.push(torch);
                        }
                        loading.parts.push(Part {
                            name,
                            stored,
                            fit,
                            packing,
                        });
                    }
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
        // That it seems to be of the model's own kind is no news.
        let own = format!("type = \"{}\"", config.name());
        let known = !loading.parts.is_empty();
        let seems = seems.filter(|seems| !(known && seems.contains(&own)));
        TensorsError::refuse(problems).map_err(|source| misfit(source, seems))?;
        Ok(loading)
    }

    /// What becomes of each tensor.
    fn report(&self) -> PretrainedReport {
        let mut report = self.report.clone();
        for part in &self.parts {
            let torch = part.name.torch.clone();
            if part.packing.is_some() {
                report.packed.push(torch.clone());
            }
            match part.fit {
                Fit::Positions { .. } => report.resized.push(torch),
                Fit::Exact | Fit::Reshaped => report.loaded.push(torch),
                Fit::Rows { of, from, to } => report.rows.push(ResizedRows {
                    name: torch,
                    of,
                    from,
                    to,
                }),
            }
        }
        report
    }

    /// The tensors by their paths in Burn, and those that are kept in few bits.
    fn read(self, device: &Device) -> Result<Read, WeightsError> {
        let float = Tensor::<1>::zeros([1], device).dtype();
        let report = self.report();
        let mut converted = Vec::new();
        let mut matrices = PackedWeights::new();
        for part in self.parts {
            let Part {
                name, stored, fit, ..
            } = part;
            if let Some(packing) = part.packing {
                let matrix = packed(self.keep, (name, packing), &stored)?;
                let is_table = name.linear.is_none();
                matrices.insert(name.id, (name.torch.clone(), matrix, is_table));
                continue;
            }
            // After the conversion, because a large double is infinite in single precision.
            let data = fit.apply(stored.read()?, &name.shape).convert_dtype(float);
            converted.push((name, data));
        }
        refuse_non_finite(converted.iter().map(|(name, data)| (&name.torch, data)))?;
        let burn = |(name, data): (&Name, TensorData)| {
            let data = if name.swapped { swap_axes(data) } else { data };
            (name.path.clone(), data)
        };
        let tensors = converted.into_iter().map(burn).collect();
        Ok((tensors, matrices, report))
    }
}

/// Tensors by their paths in Burn, those in few bits, and what was done with each.
type Read = (Vec<(String, TensorData)>, PackedWeights, PretrainedReport);

/// The error of tensors that do not fit; where many have other names, with what the file seems to hold.
fn misfit(source: TensorsError, seems: Option<&'static str>) -> WeightsError {
    let is_name = |problem: &&TensorProblem| {
        matches!(
            problem,
            TensorProblem::Missing(_) | TensorProblem::Unexpected(_)
        )
    };
    match seems.filter(|_| source.0.iter().filter(is_name).count() > MANY) {
        Some(seems) => WeightsError::Misfit { source, seems },
        None => source.into(),
    }
}

/// Names that differ, above which it is another model and not a slip.
const MANY: usize = 4;
