//! LoRA: a model that others trained learns a new task by matrices of low rank beside its weights,
//! which themselves stay as they are.
//!
//! Hu et al. 2021, *LoRA: Low-Rank Adaptation of Large Language Models*, section 4.1,
//! [arXiv:2106.09685](https://arxiv.org/abs/2106.09685)
//!
//! A weight W of `[inputs, outputs]` is read as W + alpha / rank · A B, with A `[inputs, rank]` and
//! B `[rank, outputs]`. An [`Adapter`] is a reparameterization of Burn's, so no architecture knows of
//! it, and every family can be adapted. A linear layer adds products with A and B to those with W; what
//! asks for its weight otherwise is given the sum.

mod file;
mod peft;
mod theirs;

use std::collections::HashMap;

use burn::module::{Module, Param, Reparameterizer};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::{Family, Pretrainable};
use crate::init::{Init, Values};
use crate::io::weights::{Name, names, packed as packed_weights};
use crate::layers::adapter::Adapter;
use crate::layers::weight::{PackedWeight, Weight};
use crate::limits::{check, check_least_one, check_positive};
pub use file::{
    AdapterDescription, decode, describe, each_of_base, each_of_whole_base, encode, is_own,
};
pub use peft::adapter_config;
pub use theirs::{Theirs, theirs};

/// Adapters, with PEFT's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// The rank of the change of each weight.
    pub rank: usize,
    /// The change is multiplied by alpha / rank.
    pub alpha: f64,
    /// Whether it is multiplied by alpha / sqrt(rank) instead, so that gradients do not fade as the rank grows (Kalajdzievski
    /// 2023, *A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA*).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rank_stabilized: bool,
    /// The linear layers to adapt, by their names or the ends of them, such as "q_proj" or
    /// "mlp.c_fc"; ["all-linear"] for all but the head. By default the projections to queries and
    /// values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
}

/// Stands for every linear layer but the head.
pub const ALL_LINEAR: &str = "all-linear";

/// The layers that make queries and values, under the names that they have in the models; GPT-2,
/// Phi-3 and GPT-NeoX make both, and the keys, in one.
const QUERY_AND_VALUE: [&[&str]; 7] = [
    &["q_proj", "v_proj"],
    &["query", "value"],
    &["c_attn"],
    &["qkv_proj"],
    &["query_key_value"],
    &["q_lin", "v_lin"],
    &["Wqkv"],
];

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 8.0,
            rank_stabilized: false,
            targets: None,
        }
    }
}

impl LoraConfig {
    /// Every impossible value of the configuration alone, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = check_least_one(&[("rank", self.rank)]);
        problems.extend(check_positive("alpha", self.alpha));
        let names = self.targets.as_ref().is_none_or(|names| !names.is_empty());
        problems.extend(check(names, "targets", "must name at least one layer"));
        problems
    }

    /// What the change of a weight is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        match self.rank_stabilized {
            true => self.alpha / rank.sqrt(),
            false => self.alpha / rank,
        }
    }

    /// The layers to adapt, of those that there are.
    fn choose(&self, layers: Vec<Layer>) -> Result<Vec<Layer>, LoraError> {
        let is_there = |target: &str| layers.iter().any(|layer| layer.is_called(target));
        let targets: Vec<&str> = match &self.targets {
            Some(targets) => targets.iter().map(String::as_str).collect(),
            None => {
                let mut known = QUERY_AND_VALUE.iter();
                let found = known.find(|names| names.iter().all(|name| is_there(name)));
                let known = || known_names(&layers);
                found
                    .ok_or_else(|| LoraError::NoTargets { known: known() })?
                    .to_vec()
            }
        };
        if let Some(unknown) = targets.iter().find(|target| !is_there(target)) {
            return Err(LoraError::UnknownTarget {
                target: (*unknown).to_owned(),
                known: known_names(&layers),
            });
        }
        let is_meant = |layer: &Layer| targets.iter().any(|target| layer.is_called(target));
        Ok(layers.into_iter().filter(is_meant).collect())
    }
}

/// What of a [`LoraConfig`] does not go with a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoraError {
    /// A change of a layer's weight cannot have this rank.
    #[error("must be at most {most}, which is all that {layer} has, but is {rank}")]
    Rank {
        /// What was asked for.
        rank: usize,
        /// The rank of the layer's weight.
        most: usize,
        /// The layer.
        layer: String,
    },
    /// No layer has this name.
    #[error("contains \"{target}\", which is no layer: {}", list(known))]
    UnknownTarget {
        /// The name.
        target: String,
        /// Those of the layers of one block, and of those outside.
        known: Vec<String>,
    },
    /// No targets are given, and the model has no layers that are known to be good ones.
    #[error("must be given: {}", list(known))]
    NoTargets {
        /// The names of layers.
        known: Vec<String>,
    },
}

impl LoraError {
    /// The key of [`LoraConfig`] that is wrong.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Rank { .. } => "rank",
            Self::UnknownTarget { .. } | Self::NoTargets { .. } => "targets",
        }
    }
}

/// Puts adapters beside the weights of `model`, which `config` has built; until they are trained
/// they change nothing.
///
/// Layers whose weights are among the `whole`, the PyTorch names of tensors that are trained
/// themselves, get none. As in PEFT, A is drawn as `torch.nn.Linear` draws its weight and B is
/// zero; the values are a function of the seed. Nothing is frozen here.
///
/// # Errors
///
/// If `lora` does not go with the model.
pub fn attach<F: Pretrainable>(
    config: &F,
    model: F::Model,
    (lora, whole): (&LoraConfig, &[String]),
    seed: u64,
) -> Result<F::Model, LoraError> {
    let own = linear_layers(config, &model, whole);
    let packed = packed_layers(config, &model, whole);
    let layers = lora.choose(own.into_iter().chain(packed).collect())?;
    if let Some(layer) = layers.iter().find(|layer| lora.rank > layer.rank()) {
        return Err(LoraError::Rank {
            rank: lora.rank,
            most: layer.rank(),
            layer: layer.name.clone(),
        });
    }
    // Numbers of parameters and their streams go on after those of the model.
    let used = names(config, &model).len() + packed_weights::<F>(&model).len();
    let device = model.devices().first().cloned().unwrap_or_default();
    let mut adapting = Adapting {
        layers: layers
            .into_iter()
            .map(|layer| (layer.path.clone(), layer))
            .collect(),
        lora,
        init: Init::after(used, seed, &device),
    };
    let mut model = model.apply_reparameterization(&mut adapting);
    for weight in F::weights(&mut model) {
        if let Weight::Packed(packed) = weight {
            adapting.adapt(packed);
        }
    }
    Ok(model)
}

/// Whether the tensor with this PyTorch name belongs to an adapter.
pub fn is_adapter(name: &str) -> bool {
    name.contains(".lora.")
}

/// Whether `model` has adapters.
pub fn has_adapters<F: Family>(config: &F, model: &F::Model) -> bool {
    names(config, model)
        .iter()
        .any(|name| is_adapter(&name.torch))
}

/// The names of the adapted layers.
fn adapted<F: Family>(config: &F, model: &F::Model) -> Vec<String> {
    let names = names(config, model).into_iter();
    let layers =
        names.filter_map(|name| Some(name.torch.strip_suffix(".weight.lora.a")?.to_owned()));
    layers.collect()
}

/// A layer that can be adapted.
struct Layer {
    /// The path of its weight in Burn; of one in few bits, which has none, its name.
    path: String,
    /// Its name in PyTorch.
    name: String,
    inputs: usize,
    outputs: usize,
}

impl Layer {
    fn is_called(&self, target: &str) -> bool {
        let start = self.name.strip_suffix(target);
        target == ALL_LINEAR || start.is_some_and(|start| start.is_empty() || start.ends_with('.'))
    }

    /// The largest rank that a change of its weight can have.
    fn rank(&self) -> usize {
        self.inputs.min(self.outputs)
    }
}

fn linear_layers<F: Pretrainable>(config: &F, model: &F::Model, whole: &[String]) -> Vec<Layer> {
    let layer = |name: Name| {
        let [inputs, outputs] = name.linear?;
        let layer = name.torch.strip_suffix(".weight")?.to_owned();
        let learns = layer != config.head() && !whole.contains(&name.torch);
        learns.then_some(Layer {
            path: name.path,
            name: layer,
            inputs,
            outputs,
        })
    };
    names(config, model).into_iter().filter_map(layer).collect()
}

/// Those whose weights are kept in few bits.
fn packed_layers<F: Pretrainable>(config: &F, model: &F::Model, whole: &[String]) -> Vec<Layer> {
    let mut model = model.clone();
    let layer = |weight: &mut Weight| {
        let Weight::Packed(packed) = weight else {
            return None;
        };
        let [outputs, inputs] = packed.matrix.shape();
        let layer = packed.name.strip_suffix(".weight")?.to_owned();
        let learns = layer != config.head() && !whole.contains(&packed.name);
        (learns && !packed.is_table).then(|| Layer {
            path: packed.name.clone(),
            name: layer,
            inputs,
            outputs,
        })
    };
    F::weights(&mut model)
        .into_iter()
        .filter_map(layer)
        .collect()
}

/// The names of the layers from the number of their block on, each once.
fn known_names(layers: &[Layer]) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for Layer { name, .. } in layers {
        let parts: Vec<&str> = name.split('.').collect();
        let number = parts.iter().position(|part| part.parse::<usize>().is_ok());
        let end = parts[number.map_or(0, |number| number + 1)..].join(".");
        if !end.is_empty() && !known.contains(&end) {
            known.push(end);
        }
    }
    known
}

fn list(known: &[String]) -> String {
    match known.is_empty() {
        true => "the model has no linear layer but its head".to_owned(),
        false => format!("those of the model are {}", known.join(", ")),
    }
}

/// Adapts the layers with these paths.
struct Adapting<'a> {
    layers: HashMap<String, Layer>,
    lora: &'a LoraConfig,
    init: Init,
}

impl Adapting<'_> {
    fn adapter(&mut self, path: &str) -> Option<Adapter> {
        let (layer, rank) = (self.layers.get(path)?, self.lora.rank);
        let [a, b] = [Values::uniform_in(layer.inputs), Values::ZEROS];
        Some(Adapter {
            a: self.init.param([layer.inputs, rank], a),
            b: self.init.param([rank, layer.outputs], b),
            scale: self.lora.scale(),
        })
    }

    fn adapt(&mut self, packed: &mut PackedWeight) {
        packed.lora = self.adapter(&packed.name);
    }
}

impl Reparameterizer for &mut Adapting<'_> {
    type Reparam = Adapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Adapter>) {
        let adapter = self.adapter(path);
        (param, adapter)
    }
}

#[cfg(test)]
mod tests;
