//! Any Burn module's tensors on the host, by path, bit by bit: what checkpoints are made of.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};

/// Why tensors do not fit a module: every difference, not the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tensors do not fit the model: {}", list(.0))]
pub struct TensorsError(pub Vec<TensorProblem>);

/// Problems that are shown; of more a number is.
const SHOWN: usize = 10;

fn list(problems: &[TensorProblem]) -> String {
    let shown = problems.iter().take(SHOWN).map(ToString::to_string);
    let rest = problems.len().saturating_sub(SHOWN);
    let rest = (rest > 0).then(|| format!("and {rest} more, {} in all", problems.len()));
    shown.chain(rest).collect::<Vec<_>>().join("; ")
}

impl TensorsError {
    /// An error if there is a problem.
    pub(crate) fn refuse(problems: Vec<TensorProblem>) -> Result<(), Self> {
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Self(problems)),
        }
    }
}

/// One tensor that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorProblem {
    /// The model has a tensor of this name, but the source lacks it.
    #[error("{0} is missing")]
    Missing(String),
    /// The source has a tensor of this name, but the model lacks it.
    #[error("{0} is not part of the model")]
    Unexpected(String),
    /// The shapes differ.
    #[error("{name} has shape {found:?}, but the model needs {expected:?}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// The model's shape.
        expected: Vec<usize>,
        /// The source's shape.
        found: Vec<usize>,
    },
    /// The element types differ.
    #[error("{name} holds {found}, but the model needs {expected}")]
    Type {
        /// The tensor's name.
        name: String,
        /// The model's element type.
        expected: String,
        /// The source's element type.
        found: String,
    },
    /// The tensor should be a copy of another one and is not.
    #[error(
        "{name} is not the same as {original}, but in the model they are one{}",
        if name.starts_with("lm_head") { ": set model.tie_embeddings = false" } else { ", and no model here has two" }
    )]
    NoCopy {
        /// The tensor.
        name: String,
        /// What it should be a copy of.
        original: &'static str,
    },
    /// Some values are infinite or not numbers.
    #[error("{0} holds values that are not finite")]
    NotFinite(String),
}

/// Copies every parameter and running statistic to the host, in visiting order, as (path, data).
///
/// The path joins the field names and indices with dots, enum variants included, as in Burn's own
/// records. The data keeps the element type, so [`from_tensors`] restores the very bits. Running
/// statistics are brought up to date first: Burn folds the last update in only when asked.
pub fn to_tensors<M: Module>(module: &M) -> Vec<(String, TensorData)> {
    some_tensors(module, |_| true)
}

/// As [`to_tensors`], of the tensors whose path is wanted; the others stay where they are.
pub fn some_tensors<M: Module>(
    module: &M,
    wanted: impl Fn(&str) -> bool,
) -> Vec<(String, TensorData)> {
    let mut tensors = Vec::new();
    each_tensor(module, wanted, |path, data| tensors.push((path, data)));
    tensors
}

/// Shows the same one after the other: of a large model two are never on the host.
pub(crate) fn each_tensor<M: Module>(
    module: &M,
    wanted: impl Fn(&str) -> bool,
    see: impl FnMut(String, TensorData),
) {
    settle(module);
    module.visit(&mut Reader {
        path: Vec::new(),
        wanted,
        see,
    });
}

/// Replaces every parameter and running statistic of `module` by the tensor of the same path.
///
/// Parameter ids, devices and gradient requirements stay as they are. Clones of a Burn module
/// share their running statistics, so clones of `module` get the new ones too.
///
/// # Errors
///
/// Lists every tensor that is missing, unexpected, or of another shape or element type; the
/// module is lost then.
pub fn from_tensors<M: Module>(
    module: M,
    tensors: impl IntoIterator<Item = (String, TensorData)>,
) -> Result<M, TensorsError> {
    from_some_tensors(module, tensors, |_| true)
}

/// As [`from_tensors`], for the tensors whose path is wanted; the others stay as they are.
///
/// # Errors
///
/// As for [`from_tensors`], of the wanted tensors.
pub fn from_some_tensors<M: Module>(
    module: M,
    tensors: impl IntoIterator<Item = (String, TensorData)>,
    wanted: impl Fn(&str) -> bool,
) -> Result<M, TensorsError> {
    settle(&module);
    write(module, tensors, wanted)
}

/// Like [`from_tensors`] for a module that has not run yet: parameters that were never touched
/// are filled without being drawn, and take the element type of the data.
pub(crate) fn fill<M: Module>(
    module: M,
    tensors: impl IntoIterator<Item = (String, TensorData)>,
) -> Result<M, TensorsError> {
    write(module, tensors, |_| true)
}

/// Like [`fill`], but tensors that are not given stay as they are.
pub(crate) fn replace<M: Module>(
    module: M,
    tensors: impl IntoIterator<Item = (String, TensorData)>,
) -> Result<M, TensorsError> {
    write(module, tensors, |_| false)
}

fn write<M: Module>(
    module: M,
    tensors: impl IntoIterator<Item = (String, TensorData)>,
    needed: impl Fn(&str) -> bool,
) -> Result<M, TensorsError> {
    let mut writer = Writer {
        path: Vec::new(),
        tensors: tensors.into_iter().collect(),
        problems: Vec::new(),
        needed,
    };
    let module = module.map(&mut writer);
    let mut unexpected: Vec<_> = writer.tensors.into_keys().collect();
    unexpected.sort();
    let mut problems = writer.problems;
    problems.extend(unexpected.into_iter().map(TensorProblem::Unexpected));
    TensorsError::refuse(problems)?;
    Ok(module)
}

/// Visiting a running statistic shows the value before its last update, and mapping one leaves a
/// pending update in place to overwrite it later. `valid` folds the updates in, for all clones.
fn settle<M: Module>(module: &M) {
    drop(module.valid());
}

struct Reader<W, S> {
    path: Vec<String>,
    wanted: W,
    see: S,
}

impl<W: Fn(&str) -> bool, S: FnMut(String, TensorData)> Reader<W, S> {
    fn push(&mut self, data: impl FnOnce() -> TensorData) {
        let path = self.path.join(".");
        if (self.wanted)(&path) {
            (self.see)(path, data());
        }
    }
}

impl<W: Fn(&str) -> bool, S: FnMut(String, TensorData)> ModuleVisitor for Reader<W, S> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.push(|| param.val().into_data());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(|| param.val().into_data());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(|| param.val().into_data());
    }
}

struct Writer<N> {
    path: Vec<String>,
    tensors: HashMap<String, TensorData>,
    problems: Vec<TensorProblem>,
    /// Whether it is a problem that the tensor of a path is not given.
    needed: N,
}

impl<N: Fn(&str) -> bool> Writer<N> {
    /// The tensor for the current path, if it is there and fits.
    fn take(&mut self, shape: &[usize], dtype: Option<DType>) -> Option<TensorData> {
        let name = self.path.join(".");
        let Some(data) = self.tensors.remove(&name) else {
            if (self.needed)(&name) {
                self.problems.push(TensorProblem::Missing(name));
            }
            return None;
        };
        if data.shape().as_slice() != shape {
            self.problems.push(TensorProblem::Shape {
                name,
                expected: shape.to_vec(),
                found: data.shape().to_vec(),
            });
            return None;
        }
        if let Some(dtype) = dtype.filter(|&dtype| dtype != data.dtype()) {
            self.problems.push(TensorProblem::Type {
                name,
                expected: dtype.name().to_string(),
                found: data.dtype().name().to_string(),
            });
            return None;
        }
        Some(data)
    }
}

impl<N: Fn(&str) -> bool> ModuleMapper for Writer<N> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = param.is_initialized().then(|| param.val().dtype());
        match self.take(param.lazy_shape().as_slice(), dtype) {
            Some(data) => {
                let (id, device) = (param.id, param.lazy_device());
                param.transform_for_load(upload(data, &device), id)
            }
            None => param,
        }
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let value = param.val();
        match self.take(value.shape().as_slice(), Some(value.dtype())) {
            Some(data) => param.map(|old| Tensor::from_data(data, (&old.device(), old.dtype()))),
            None => param,
        }
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        let value = param.val();
        match self.take(value.shape().as_slice(), Some(value.dtype())) {
            Some(data) => param.map(|old| Tensor::from_data(data, (&old.device(), old.dtype()))),
            None => param,
        }
    }
}

fn upload<const D: usize>(data: TensorData, device: &Device) -> Tensor<D> {
    let dtype = data.dtype();
    device.memory_persistent_allocations(data, |data| Tensor::from_data(data, (device, dtype)))
}

#[cfg(test)]
mod tests;
