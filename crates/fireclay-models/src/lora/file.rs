//! Adapters in one safetensors file, named and laid out as PEFT has them.

use std::collections::HashMap;

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use super::{LoraConfig, attach, is_adapter};
use crate::family::{Family, Pretrainable};
use crate::io::tensors::{each_tensor, replace};
use crate::io::weights::{
    ModelDescription, Name, WeightsError, check_description, damaged, metadata, names, packed,
    read, write,
};

/// The key of the description in the file's metadata.
const METADATA_KEY: &str = "fireclay.adapter";

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
    for (own, theirs) in [(".weight.lora.a", "lora_A"), (".weight.lora.b", "lora_B")] {
        if let Some(layer) = name.torch.strip_suffix(own) {
            name.torch = format!("{layer}.{theirs}.weight");
            name.swapped = true;
            name.shape.reverse();
        }
    }
    name.torch.insert_str(0, "base_model.model.");
    name
}
