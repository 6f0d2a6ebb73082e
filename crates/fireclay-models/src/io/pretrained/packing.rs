//! Which weights are kept in few bits.

use std::collections::{HashMap, HashSet};

use burn::module::ParamId;
use fireclay_kernels::{Packed, PackedError, Packing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adapt::Fit;
use super::file::Stored;
use crate::family::{Family, Pretrainable};
use crate::io::tensors::{TensorProblem, TensorsError};
use crate::io::weights::{Name, WeightsError, names};
use crate::layers::weight::Weight;

/// The bits of frozen weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quantize {
    /// Eight bits, with a scale for 32 weights: 8.5 bits in all.
    Q8,
    /// Four bits that stand for quantiles of the normal distribution, with scales of eight bits: 4.13 bits in all
    /// (Dettmers et al. 2023, *QLoRA*).
    Nf4,
}

impl Quantize {
    fn packing(self) -> Packing {
        match self {
            Self::Q8 => Packing::Q8_0,
            Self::Nf4 => Packing::Nf4,
        }
    }
}

/// How weights that can be kept in few bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Whole.
    #[default]
    Whole,
    /// Those of linear layers rounded, but for the head's.
    Rounded(Quantize),
    /// As they are in the file, in blocks or in half precision, where that can be multiplied with.
    Stored,
}

impl Keep {
    /// The blocks of a tensor of the model, of those that are `packable`; none if it is whole.
    pub(super) fn packing<F: Pretrainable>(
        self,
        (config, packable): (&F, &HashSet<ParamId>),
        (name, fit): (&Name, Fit),
        stored: &Stored,
    ) -> Option<Packing> {
        if fit != Fit::Exact || !packable.contains(&name.id) {
            return None;
        }
        match self {
            Self::Whole => None,
            Self::Rounded(quantize) => rounded(config, name, quantize),
            Self::Stored => stored.packing(),
        }
    }

    /// Whether a tensor should be rounded.
    pub(super) fn wants<F: Pretrainable>(
        self,
        (config, packable): (&F, &HashSet<ParamId>),
        name: &Name,
    ) -> bool {
        let is_head = name.torch.strip_suffix(".weight") == Some(config.head());
        let is_layer = name.linear.is_some() && packable.contains(&name.id);
        matches!(self, Self::Rounded(_)) && is_layer && !is_head
    }
}

fn rounded<F: Pretrainable>(config: &F, name: &Name, quantize: Quantize) -> Option<Packing> {
    let layer = name.torch.strip_suffix(".weight")?;
    let [inputs, _] = name.linear?;
    let packing = quantize.packing();
    (layer != config.head() && packing.takes(inputs)).then_some(packing)
}

/// What is put in the place of parameters.
pub(super) type PackedWeights = HashMap<ParamId, (String, Packed, bool)>;

/// The parameters of `model` that can be kept in few bits.
pub(super) fn packable<F: Family>(model: &F::Model) -> HashSet<ParamId> {
    let mut model = model.clone();
    F::weights(&mut model)
        .iter()
        .map(|weight| weight.id())
        .collect()
}

/// Puts matrices in the place of the parameters of `model`.
pub(super) fn pack<F: Family>(model: &mut F::Model, mut matrices: PackedWeights) {
    for weight in F::weights(model) {
        if let Some((name, matrix, is_table)) = matrices.remove(&weight.id()) {
            weight.pack(&name, matrix, is_table);
        }
    }
}

/// The blocks of a tensor: those that it has in the file, or new ones.
pub(super) fn packed(
    keep: Keep,
    (name, packing): (&Name, Packing),
    stored: &Stored,
) -> Result<Packed, WeightsError> {
    let wrong = |error| wrong(&name.torch, error);
    if keep == Keep::Stored {
        return stored.packed()?.map_err(wrong);
    }
    let numbers: Vec<f32> = stored.read()?.iter().collect();
    let &[outputs, inputs] = name.shape.as_slice() else {
        unreachable!("linear layers have matrices");
    };
    Packed::round(packing, [outputs, inputs], &numbers).map_err(wrong)
}

/// Rounds all that it can of a model, head and table of tokens included, with adapters merged; how many weights those are.
/// Weights that were rounded before stay as they are.
///
/// # Errors
///
/// If a weight is not finite, or too large.
pub fn round<F: Family>(
    config: &F,
    model: &mut F::Model,
    quantize: Quantize,
) -> Result<usize, WeightsError> {
    let names = names(config, model).into_iter();
    let known: HashMap<ParamId, Name> = names.map(|name| (name.id, name)).collect();
    let packing = quantize.packing();
    let mut count = 0;
    for weight in F::weights(model) {
        let (name, is_table) = match weight {
            Weight::Packed(packed) if packed.matrix.format().is_rounded() => continue,
            Weight::Packed(packed) => (packed.name.clone(), packed.is_table),
            Weight::Whole(param) => match known.get(&param.id) {
                Some(name) => (name.torch.clone(), name.linear.is_none()),
                None => continue,
            },
        };
        let by_rows = match is_table {
            true => weight.val(),
            false => weight.val().transpose(),
        };
        let shape = by_rows.dims();
        if packing.takes(shape[1]) {
            let numbers: Vec<f32> = by_rows.into_data().iter().collect();
            let matrix = Packed::round(packing, shape, &numbers);
            let matrix = matrix.map_err(|error| wrong(&name, error))?;
            weight.pack(&name, matrix, is_table);
            count += 1;
        }
    }
    Ok(count)
}

fn wrong(name: &str, error: PackedError) -> WeightsError {
    match error {
        PackedError::NotFinite => {
            TensorsError(vec![TensorProblem::NotFinite(name.to_owned())]).into()
        }
        error => WeightsError::Damaged(format!("{name}: {error}")),
    }
}

/// As [`load_pretrained`](super::load_pretrained) keeps the weights of `model`, without their numbers.
pub fn hollow<F: Pretrainable>(config: &F, mut model: F::Model, quantize: Quantize) -> F::Model {
    let hollow = |name: Name| {
        let packing = rounded(config, &name, quantize)?;
        let [inputs, outputs] = name.linear?;
        let matrix = Packed::hollow(packing, [outputs, inputs]);
        Some((name.id, (name.torch, matrix, false)))
    };
    let known = packable::<F>(&model);
    let names = names(config, &model).into_iter();
    let names = names.filter(|name| known.contains(&name.id));
    let matrices = names.filter_map(hollow).collect();
    pack::<F>(&mut model, matrices);
    model
}
