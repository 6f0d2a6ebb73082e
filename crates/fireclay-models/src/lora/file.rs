//! Adapters in one safetensors file, named and laid out as PEFT has them.

use std::collections::HashMap;

use burn::module::Module;
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use super::{LoraConfig, attach, is_adapter};
use crate::family::{Family, Pretrainable};
use crate::io::tensors::{each_tensor, replace};
use crate::io::weights::{
    ModelDescription, Name, WeightsError, check_description, damaged, metadata, names, packed,
    read, write,
};
use crate::layers::weight::{PackedWeight, Weight};

/// The key of the description in the file's metadata.
const METADATA_KEY: &str = "fireclay.adapter";

/// What PEFT puts before the names of the model that it adapts.
pub(super) const PREFIX: &str = "base_model.model.";

/// All that is needed to put the adapters beside their base again: the file's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct AdapterDescription<F: Family> {
    /// The model that is adapted.
    pub model: ModelDescription<F>,
    /// The adapters.
    pub lora: LoraConfig,
    /// The PyTorch names of tensors that were trained as a whole, such as those of a new head.
    pub whole: Vec<String>,
    /// A hash of the base, so that the adapters are put beside no other.
    pub base_sha256: String,
}

/// The bytes of a file with the adapters of `model`, and what else was trained.
///
/// # Errors
///
/// If a weight is not finite.
pub fn encode<F: Family>(
    model: &F::Model,
    description: &AdapterDescription<F>,
) -> Result<Vec<u8>, WeightsError> {
    let names = trained(&description.model.config, model, &description.whole);
    write(model, &names, METADATA_KEY, description)
}

/// Reads the description in a file that [`encode`] gave.
///
/// # Errors
///
/// If it is damaged, or there is none.
pub fn describe<F: Family>(bytes: &[u8]) -> Result<AdapterDescription<F>, WeightsError> {
    let description: AdapterDescription<F> = metadata(bytes, METADATA_KEY)?;
    // The base is larger than the file of its adapters, so its size says nothing.
    check_description(&description.model, usize::MAX)?;
    Ok(description)
}

/// Whether [`encode`] gave a file, and not PEFT.
pub fn is_own(bytes: &[u8]) -> bool {
    let found = SafeTensors::read_metadata(bytes).ok();
    let metadata = found.and_then(|(_, header)| header.metadata().clone());
    metadata.is_some_and(|metadata| metadata.contains_key(METADATA_KEY))
}

/// Puts the adapters of a file beside the weights of `base`, and what else was trained in place of
/// the base's.
///
/// # Errors
///
/// If the file does not hold exactly the finite tensors that it describes.
pub fn decode<F: Pretrainable>(
    base: F::Model,
    bytes: &[u8],
    description: &AdapterDescription<F>,
) -> Result<F::Model, WeightsError> {
    let config = &description.model.config;
    // The seed is of no account: the adapters are replaced before they are drawn.
    let model = attach(config, base, (&description.lora, &description.whole), 0)
        .map_err(|error| WeightsError::Description(format!("{}: {error}", error.key())))?;
    let names = trained(config, &model, &description.whole);
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let tensors = read(&names, &file, &model)?;
    Ok(replace(model, tensors)?)
}

/// Shows every tensor of the base, its PyTorch name and its bytes: what is no adapter and was not trained as a whole. Those
/// in few bits come last.
pub fn each_of_base<F: Family>(
    config: &F,
    model: &F::Model,
    whole: &[String],
    mut see: impl FnMut(&str, &[u8]),
) {
    let mut names = names(config, model);
    names.retain(|name| !is_trained(whole, &name.torch));
    let torch: HashMap<String, String> = names
        .into_iter()
        .map(|name| (name.path, name.torch))
        .collect();
    each_tensor(
        model,
        |path| torch.contains_key(path),
        |path, data| see(&torch[&path], data.as_bytes()),
    );
    for (name, matrix) in packed::<F>(model) {
        see(&name, &matrix.to_bytes());
    }
}

/// As [`each_of_base`], in the order and with the numbers that a base has of which nothing is in few bits: matrices that are
/// kept as they are in a file are shown in full, one after the other. `model` has no adapters.
pub fn each_of_whole_base<F: Family>(
    (config, shape): (&F, &F::Shape),
    model: &F::Model,
    whole: &[String],
    mut see: impl FnMut(&str, &[u8]),
) {
    let kept = kept_weights::<F>(model);
    let device = model.devices().first().cloned().unwrap_or_default();
    // Its weights are never drawn.
    let mut names = names(config, &config.init(shape, 0, &device));
    names.retain(|name| !is_trained(whole, &name.torch));
    let paths = names.iter();
    let torch: HashMap<String, String> = paths
        .map(|name| (name.path.clone(), name.torch.clone()))
        .collect();
    let show = |name: &Name, see: &mut dyn FnMut(&str, &[u8])| {
        if let Some(weight) = kept.get(&name.torch) {
            see(&name.torch, weight.val().into_data().as_bytes());
        }
    };
    let mut left = names.into_iter();
    each_tensor(
        model,
        |path| torch.contains_key(path),
        |path, data| {
            let before = left.by_ref().take_while(|name| name.path != path);
            before.for_each(|name| show(&name, &mut see));
            see(&torch[&path], data.as_bytes());
        },
    );
    left.for_each(|name| show(&name, &mut see));
}

/// The weights of `model` that are in few bits, or as they are in a file, by their names.
fn kept_weights<F: Family>(model: &F::Model) -> HashMap<String, PackedWeight> {
    let mut model = model.clone();
    let weights = F::weights(&mut model).into_iter();
    let kept = weights.filter_map(|weight| match weight {
        Weight::Packed(packed) => Some((packed.name.clone(), (**packed).clone())),
        Weight::Whole(_) => None,
    });
    kept.collect()
}

fn is_trained(whole: &[String], name: &str) -> bool {
    is_adapter(name) || whole.iter().any(|known| known == name)
}

/// The tensors of the file, under the names that PEFT gives them.
pub(super) fn trained<F: Family>(config: &F, model: &F::Model, whole: &[String]) -> Vec<Name> {
    let mut names = names(config, model);
    names.retain(|name| is_trained(whole, &name.torch));
    names.into_iter().map(in_peft).collect()
}

/// PEFT's factors are linear layers of their own, whose weights are `[outputs, inputs]`.
fn in_peft(mut name: Name) -> Name {
    if let Some(layer) = name.torch.strip_suffix(".weight.lora.magnitude") {
        name.torch = format!("{layer}.lora_magnitude_vector");
    }
    for (own, theirs) in [(".weight.lora.a", "lora_A"), (".weight.lora.b", "lora_B")] {
        if let Some(layer) = name.torch.strip_suffix(own) {
            name.torch = format!("{layer}.{theirs}.weight");
            name.swapped = true;
            name.shape.reverse();
        }
    }
    name.torch.insert_str(0, PREFIX);
    name
}
