//! Saving an optimizer's state so that the same history gives the same bytes, and reading it back
//! so that nothing is dropped in silence.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId, Parameter};
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::RecordError;
use burn::tensor::{Bool, Bytes, DType, Int, Tensor};
use burn_pack::{Reader, Writer};
use fireclay_guard::caught;

/// Why the state of an optimizer could not be saved or read back.
#[derive(Debug, thiserror::Error)]
pub enum OptimizerRecordError {
    /// The bytes are damaged or not a record.
    #[error("the optimizer state cannot be read or written: {0:?}; use another checkpoint")]
    Format(RecordError),
    /// The bytes made their reader panic.
    #[error("the optimizer state cannot be read: its reader gave up: {0}; use another checkpoint")]
    GaveUp(String),
    /// The record holds other tensors than this optimizer keeps.
    #[error(
        "the optimizer state was saved by another type of optimizer or for another model; \
         resume with the configuration that it was saved with"
    )]
    Mismatch,
}

impl From<RecordError> for OptimizerRecordError {
    fn from(error: RecordError) -> Self {
        Self::Format(error)
    }
}

/// The state of `optimizer` as bytes, the same for the same history.
///
/// # Errors
/// If the record cannot be written.
pub fn to_bytes(optimizer: &ModuleOptimizer) -> Result<Bytes, OptimizerRecordError> {
    // Burn walks a hash map, whose order differs from run to run. Reading a record back sorts its
    // tensors by name, so the second writing is in a fixed order.
    let unordered = optimizer.to_record().into_bytes()?;
    Ok(OptimizerRecord::from_bytes(unordered)?.into_bytes()?)
}

/// Puts the state in `bytes` into a freshly built `optimizer`.
///
/// No device is touched: each tensor goes to its parameter's device at the next step.
///
/// # Errors
/// If the bytes are damaged, or if they hold anything that this optimizer does not keep, which
/// Burn alone would ignore.
pub fn from_bytes(
    optimizer: ModuleOptimizer,
    bytes: Bytes,
) -> Result<ModuleOptimizer, OptimizerRecordError> {
    let read = || {
        let record = OptimizerRecord::from_bytes(bytes.clone())?;
        let optimizer = optimizer.load_record(record);
        let again = to_bytes(&optimizer)?;
        Ok::<_, OptimizerRecordError>((optimizer, again))
    };
    let (optimizer, again) = caught(read).map_err(OptimizerRecordError::GaveUp)??;
    match again[..] == bytes[..] {
        true => Ok(optimizer),
        false => Err(OptimizerRecordError::Mismatch),
    }
}

/// The states of optimizers of one model that remember different parameters as one, with only the parameters that
/// are `kept`; the same bytes as those of an optimizer that remembers just these.
///
/// # Errors
/// If the bytes are damaged.
pub fn joined(
    states: impl IntoIterator<Item = Bytes>,
    kept: impl Fn(ParamId) -> bool,
) -> Result<Bytes, OptimizerRecordError> {
    let (mut tensors, mut scalars, mut paths) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for state in states {
        let reader = Reader::from_bytes(state).map_err(RecordError::from)?;
        scalars.extend(reader.scalars().clone());
        paths.extend(reader.metadata().clone());
        tensors.extend(reader.into_tensors().map_err(RecordError::from)?);
    }
    // Everything is named by its parameter, or begins with that.
    let is_kept = |name: &str| {
        let id = name.split('.').next().and_then(|id| id.parse::<u64>().ok());
        id.is_none_or(|id| kept(id.into()))
    };
    tensors.retain(|tensor| is_kept(&tensor.name));
    let mut writer = Writer::new(tensors);
    for (name, value) in scalars.iter().filter(|(name, _)| is_kept(name)) {
        writer = writer.with_scalar(name, *value);
    }
    for (name, path) in paths.iter().filter(|(name, _)| is_kept(name)) {
        writer = writer.with_metadata(name, path);
    }
    let unordered = writer.into_bytes().map_err(RecordError::from)?;
    Ok(OptimizerRecord::from_bytes(unordered)?.into_bytes()?)
}

/// Refuses a state whose tensors have not the axes, shapes and types that go with the parameters of `model`: the next
/// step would panic.
///
/// # Errors
/// If one of them is of another shape, or the bytes are damaged.
pub fn check_shapes<M: Module>(model: &M, bytes: &Bytes) -> Result<(), OptimizerRecordError> {
    let mut known = Shapes::default();
    model.visit(&mut known);
    let bytes = bytes.clone();
    let read = || {
        let reader = Reader::from_bytes(bytes)?;
        let ranks = reader.scalars().clone();
        Ok::<_, burn_pack::Error>((ranks, reader.into_tensors()?))
    };
    let failed = |error: burn_pack::Error| OptimizerRecordError::GaveUp(error.to_string());
    let read = caught(read).map_err(OptimizerRecordError::GaveUp)?;
    let (scalars, tensors) = read.map_err(failed)?;
    for (name, value) in scalars.iter().filter(|(name, _)| name.ends_with(".__rank")) {
        let shape = known.of(name);
        if shape.is_some_and(|(shape, _)| usize::try_from(*value) != Ok(shape.len())) {
            return Err(OptimizerRecordError::Mismatch);
        }
    }
    for tensor in tensors {
        let (name, dtype, shape, _, _) = tensor.into_parts().map_err(failed)?;
        let leaf = name.rsplit('.').next().unwrap_or_default();
        let Some((expected, float)) = known.of(&name) else {
            continue; // Reading it back finds what belongs to nothing.
        };
        if dtype != *float || shape.as_slice() != shape_of(leaf, expected) {
            return Err(OptimizerRecordError::Mismatch);
        }
    }
    Ok(())
}

/// The shape of a part of the state of a parameter; Adafactor's have one value for each row or column.
fn shape_of(leaf: &str, parameter: &[usize]) -> Vec<usize> {
    let mut shape = parameter.to_vec();
    match (leaf, shape.as_mut_slice()) {
        ("rows", [.., _, last]) => *last = 1,
        ("columns", [.., last, _]) => *last = 1,
        _ => {}
    }
    shape
}

/// The shape and type of each parameter.
#[derive(Default)]
struct Shapes(HashMap<u64, (Vec<usize>, DType)>);

impl Shapes {
    /// Of the parameter that a part of a state is named by.
    fn of(&self, name: &str) -> Option<&(Vec<usize>, DType)> {
        let mut parts = name.split('.').rev().skip(1);
        self.0
            .get(&parts.find_map(|part| part.parse::<u64>().ok())?)
    }
}

impl ModuleVisitor for Shapes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().as_slice().to_vec();
        self.0.insert(param.id.val(), (shape, param.val().dtype()));
    }
}

/// Numbers the parameters of `model` in visiting order.
///
/// Burn draws parameter ids at random, and the optimizer's record names states by them: without
/// this, a model that is built anew could not take up the state of the one that was saved, and no
/// two runs would write the same bytes. Parameters that share an id go on sharing it.
pub fn stable_ids<M: Module>(model: M) -> M {
    model.map(&mut Numbering::default())
}

/// Running statistics keep the ids that they were made with, whatever a mapper says; numbers that
/// start here meet neither the small ids of models that number their own, nor Burn's random ones.
const FIRST_ID: u64 = 1 << 48;

#[derive(Default)]
struct Numbering {
    numbers: HashMap<ParamId, u64>,
}

impl Numbering {
    fn number<T: Parameter>(&mut self, param: Param<T>) -> Param<T> {
        let (id, tensor, mapper) = param.consume();
        let next = FIRST_ID + self.numbers.len() as u64;
        let number = *self.numbers.entry(id).or_insert(next);
        Param::from_mapped_value(number.into(), tensor, mapper)
    }
}

impl ModuleMapper for Numbering {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.number(param)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.number(param)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        self.number(param)
    }
}
