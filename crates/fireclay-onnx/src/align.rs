//! What several recordings of a model have in common: the same operations, with lengths that depend on those
//! of the inputs.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn::tensor::TensorData;
use burn_ir::{OperationIr, ScalarIr, TensorId};
use fireclay_kernels::{PASS_BEGINS, PASS_ENDS, RECURRENCE_BEGINS, RECURRENCE_ENDS};

use crate::dims::{Dim, Sizes};
use crate::error::Fault;
use crate::linears::joined;
use crate::seen::{Seen, settled};
use crate::tape::Recording;

/// An operation for inputs of any size.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// As it was recorded first.
    pub operation: OperationIr,
    /// The ranges of a slice.
    pub ranges: Vec<Range>,
    /// The length that a number of the operation is, if it depends on those of the inputs.
    pub scalar: Option<Dim>,
}

/// A range of an axis.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub start: Dim,
    pub end: Dim,
    pub step: isize,
}

/// A forward pass for inputs of any size. Tensors have the ids of the first recording.
pub(crate) struct Aligned {
    /// What leads to the outputs, in its order.
    pub steps: Vec<Step>,
    /// The shape of each tensor.
    pub shapes: HashMap<TensorId, Vec<Dim>>,
    /// The tensors that steps or outputs read.
    pub read: HashSet<TensorId>,
    /// The tensors whose numbers the model made itself: in each recording.
    pub values: BTreeMap<TensorId, Vec<TensorData>>,
}

impl Aligned {
    /// What recordings with inputs of these `sizes` have in common.
    ///
    /// # Errors
    ///
    /// If the operations differ, or a length is no product of those of the inputs.
    pub fn of(recordings: &[Recording], sizes: &Sizes) -> Result<Self, Fault> {
        let lists: Vec<_> = recordings.iter().map(operations).collect();
        if let Some(other) = lists.iter().find(|list| list.len() != lists[0].len()) {
            return Err(Fault::Varies(parting(&lists[0], other)));
        }
        let mut found = Aligning {
            sizes,
            ids: vec![[HashMap::new(), HashMap::new()]; recordings.len()],
            aligned: Self {
                steps: Vec::new(),
                shapes: HashMap::new(),
                read: HashSet::new(),
                values: BTreeMap::new(),
            },
        };
        for at in 0..lists[0].len() {
            let same: Vec<_> = lists.iter().map(|list| &list[at]).collect();
            found.take(&same)?;
        }
        found.values(recordings)?;
        found.check(recordings)?;
        let mut aligned = found.aligned;
        aligned.prune(recordings[0].outputs.iter().map(|port| port.id));
        Ok(aligned)
    }

    /// Leaves out what leads to no output.
    fn prune(&mut self, outputs: impl Iterator<Item = TensorId>) {
        let mut wanted: HashSet<TensorId> = outputs.collect();
        let mut kept = Vec::new();
        for step in std::mem::take(&mut self.steps).into_iter().rev() {
            if step.operation.outputs().any(|out| wanted.contains(&out.id)) {
                wanted.extend(step.operation.inputs().map(|input| input.id));
                kept.push(step);
            }
        }
        kept.reverse();
        self.steps = kept;
        self.values.retain(|id, _| wanted.contains(id));
        self.read = wanted;
    }
}

struct Aligning<'a> {
    sizes: &'a Sizes,
    /// For each recording: its tensors and those of the first that they stand for, and the other way round.
    ids: Vec<[HashMap<TensorId, TensorId>; 2]>,
    aligned: Aligned,
}

impl Aligning<'_> {
    /// Takes an operation of each recording.
    fn take(&mut self, same: &[&OperationIr]) -> Result<(), Fault> {
        let seen: Vec<_> = same.iter().map(|operation| Seen::of(operation)).collect();
        for (at, (operation, found)) in same.iter().zip(&seen).enumerate() {
            if seen[0].put_into(operation).as_ref() != Some(&settled(same[0])) {
                let [first, other] = [same[0], operation].map(name);
                let reason = format!("{first} becomes {other} for inputs of another size");
                return Err(Fault::Varies(reason));
            }
            let mut tensors = seen[0].tensors.iter().zip(&found.tensors);
            if !tensors.all(|(first, tensor)| self.pairs(at, first.id, tensor.id)) {
                let name = name(operation);
                let reason = format!("{name} reads other tensors for inputs of another size");
                return Err(Fault::Varies(reason));
            }
        }
        self.shapes(&seen)?;
        let ranges = self.ranges(&seen)?;
        let scalar = self.scalar(&seen)?;
        self.aligned.steps.push(Step {
            operation: same[0].clone(),
            ranges,
            scalar,
        });
        Ok(())
    }

    /// Whether this tensor of a recording, and no other, stands for that of the first.
    fn pairs(&mut self, at: usize, first: TensorId, tensor: TensorId) -> bool {
        let [ids, back] = &mut self.ids[at];
        *ids.entry(tensor).or_insert(first) == first
            && *back.entry(first).or_insert(tensor) == tensor
    }

    fn shapes(&mut self, seen: &[Seen]) -> Result<(), Fault> {
        for (index, tensor) in seen[0].tensors.iter().enumerate() {
            let axes = (0..tensor.shape.num_dims()).map(|axis| {
                let lengths = seen.iter().map(|seen| seen.tensors[index].shape[axis]);
                Dim::of(&lengths.collect::<Vec<usize>>(), self.sizes)
            });
            let dims = axes.collect::<Result<Vec<_>, _>>()?;
            self.aligned.shapes.insert(tensor.id, dims);
        }
        Ok(())
    }

    /// At most one number of an operation depends on the inputs, and it is whole.
    fn scalar(&self, seen: &[Seen]) -> Result<Option<Dim>, Fault> {
        let same = |at: usize| {
            seen.iter()
                .all(|other| other.scalars[at] == seen[0].scalars[at])
        };
        let varying: Vec<usize> = (0..seen[0].scalars.len()).filter(|at| !same(*at)).collect();
        let [at] = varying[..] else {
            let reason = "several numbers of an operation depend on the size of the inputs";
            return match varying.is_empty() {
                true => Ok(None),
                false => Err(Fault::Varies(reason.into())),
            };
        };
        let lengths = seen.iter().map(|seen| match seen.scalars[at] {
            ScalarIr::Int(number) => usize::try_from(number).ok(),
            _ => None,
        });
        let reason = || Fault::Varies("a number of an operation is no length".into());
        let lengths = lengths.collect::<Option<Vec<usize>>>().ok_or_else(reason)?;
        Dim::of(&lengths, self.sizes).map(Some)
    }

    fn ranges(&self, seen: &[Seen]) -> Result<Vec<Range>, Fault> {
        let ranges = (0..seen[0].ranges.len()).map(|index| {
            let bound = |of: fn(&(usize, usize, isize)) -> usize| {
                let seen: Vec<_> = seen.iter().map(|seen| of(&seen.ranges[index])).collect();
                Dim::of(&seen, self.sizes)
            };
            Ok(Range {
                start: bound(|range| range.0)?,
                end: bound(|range| range.1)?,
                step: seen[0].ranges[index].2,
            })
        });
        ranges.collect()
    }

    /// Refuses recordings in which weights, inputs or outputs change their places.
    fn check(&self, recordings: &[Recording]) -> Result<(), Fault> {
        let first = &recordings[0];
        for (recording, [ids, _]) in recordings.iter().zip(&self.ids) {
            let is_same_weight = |(id, weight)| {
                let known = ids.get(id).map(|known| first.weights.get(known));
                known.is_none_or(|known| known == Some(weight))
            };
            let ports = recording.inputs.iter().chain(&recording.outputs);
            let mut ports = ports.zip(first.inputs.iter().chain(&first.outputs));
            let is_same = recording.weights.iter().all(is_same_weight)
                && ports.all(|(port, known)| ids.get(&port.id).is_none_or(|id| *id == known.id));
            if !is_same {
                let reason = "weights or inputs change their places".into();
                return Err(Fault::Varies(reason));
            }
        }
        Ok(())
    }

    /// Collects the numbers that the model made itself.
    fn values(&mut self, recordings: &[Recording]) -> Result<(), Fault> {
        for (recording, [ids, _]) in recordings.iter().zip(&self.ids) {
            for (id, data) in &recording.values {
                if let Some(first) = ids.get(id) {
                    let all = self.aligned.values.entry(*first).or_default();
                    all.push(data.clone());
                }
            }
        }
        let count = recordings.len();
        match self.aligned.values.values().all(|all| all.len() == count) {
            true => Ok(()),
            false => Err(Fault::Varies(
                "a constant is there for some sizes alone".into(),
            )),
        }
    }
}

/// The operations of a recording without marks of passes, with a single one for each recurrence, and without
/// what stands for weights and inputs.
fn operations(recording: &Recording) -> Vec<OperationIr> {
    let mut given: HashSet<TensorId> = recording.weights.keys().copied().collect();
    given.extend(recording.inputs.iter().map(|port| port.id));
    let is_given = |operation: &OperationIr| operation.outputs().any(|out| given.contains(&out.id));
    let (mut found, mut begun) = (Vec::new(), None);
    for operation in &recording.operations {
        match operation {
            OperationIr::Custom(mark) if mark.id == RECURRENCE_BEGINS => begun = Some(mark.clone()),
            OperationIr::Custom(mark) if mark.id == RECURRENCE_ENDS => {
                if let Some(mut whole) = begun.take() {
                    whole.outputs.clone_from(&mark.inputs);
                    found.push(OperationIr::Custom(whole));
                }
            }
            OperationIr::Custom(mark) if [PASS_BEGINS, PASS_ENDS].contains(&mark.id.as_str()) => {}
            OperationIr::Init(_) | OperationIr::Drop(_) => {}
            operation if begun.is_some() || is_given(operation) => {}
            operation => found.push(operation.clone()),
        }
    }
    joined(found)
}

/// Where lists of operations of unequal length part.
fn parting(first: &[OperationIr], other: &[OperationIr]) -> String {
    let mut names = first.iter().map(name).zip(other.iter().map(name));
    let at = names.position(|(first, other)| first != other);
    let at = at.unwrap_or_else(|| first.len().min(other.len()));
    let [first, other] = [first, other].map(|list| {
        let around = list.iter().skip(at.saturating_sub(2)).take(4).map(name);
        around.collect::<Vec<_>>().join(", ")
    });
    format!("{first} becomes {other} for inputs of another size")
}

/// The name of an operation, as Burn has it.
pub(crate) fn name(operation: &OperationIr) -> String {
    let text = match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            format!("{op:?}")
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => format!("{op:?}"),
        OperationIr::Bool(op) => format!("{op:?}"),
        OperationIr::Int(op) => format!("{op:?}"),
        OperationIr::Float(_, op) => format!("{op:?}"),
        OperationIr::Module(op) => format!("{op:?}"),
        OperationIr::Activation(op) => format!("{op:?}"),
        OperationIr::Custom(op) => return op.id.clone(),
        operation => format!("{operation:?}"),
    };
    let end = text.find('(').unwrap_or(text.len());
    text[..end].to_owned()
}
