//! LoRA: a model that others trained learns a new task by matrices of low rank beside its weights,
//! which themselves stay as they are.
//!
//! Hu et al. 2021, *LoRA: Low-Rank Adaptation of Large Language Models*, section 4.1,
//! [arXiv:2106.09685](https://arxiv.org/abs/2106.09685)
//!
//! A weight W of `[inputs, outputs]` is read as W + alpha / rank · A B, with A `[inputs, rank]` and
//! B `[rank, outputs]`. An `Adapter` is a reparameterization of Burn's, so no architecture knows of
//! it, and every family can be adapted. A linear layer adds products with A and B to those with W; what
//! asks for its weight otherwise is given the sum. With DoRA each column of the sum is given a length that
//! is trained too.

mod file;
mod layers;
mod peft;
mod theirs;

use std::collections::HashMap;

use burn::module::{Module, Param, Reparameterizer};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::{Family, Pretrainable};
use crate::init::{Init, Values};
use crate::io::weights::{names, packed as packed_weights};
use crate::layers::adapter::{Adapter, lengths};
use crate::layers::weight::{PackedWeight, Weight};
use crate::limits::{check, check_least_one, check_positive};
pub use file::{
    AdapterDescription, decode, describe, each_of_base, each_of_whole_base, encode, is_own,
};
use layers::{Layer, known_names, linear_layers, list, packed_layers};
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
    /// Whether each output of a weight also learns its length, apart from its direction, which the change turns: DoRA (Liu
    /// et al. 2024, *DoRA: Weight-Decomposed Low-Rank Adaptation*).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dora: bool,
    /// The probability with which an input of a change is left out in training, PEFT's `lora_dropout`.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropout: f64,
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
const QUERY_AND_VALUE: [&[&str]; 8] = [
    &["q_proj", "v_proj"],
    &["query", "value"],
    &["c_attn"],
    &["qkv_proj"],
    &["query_key_value"],
    &["q_lin", "v_lin"],
    &["Wqkv"],
    &["q", "v"],
];

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 8.0,
            rank_stabilized: false,
            dora: false,
            dropout: 0.0,
            targets: None,
        }
    }
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl LoraConfig {
    /// Every impossible value of the configuration alone, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = check_least_one(&[("rank", self.rank)]);
        problems.extend(check_positive("alpha", self.alpha));
        let is_share = (0.0..1.0).contains(&self.dropout);
        problems.extend(check(is_share, "dropout", "must be at least 0 and below 1"));
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

/// Adapts the layers with these paths.
struct Adapting<'a> {
    layers: HashMap<String, Layer>,
    lora: &'a LoraConfig,
    init: Init,
}

impl Adapting<'_> {
    /// The adapter of the layer at `path`, whose weight of `[inputs, outputs]` is given when it is asked for.
    fn adapter(
        &mut self,
        path: &str,
        weight: impl Fn() -> Tensor<2> + Send + Sync + 'static,
    ) -> Option<Adapter> {
        let (layer, rank) = (self.layers.get(path)?, self.lora.rank);
        let [a, b] = [Values::uniform_in(layer.inputs), Values::ZEROS];
        let factors = [
            self.init.param([layer.inputs, rank], a),
            self.init.param([rank, layer.outputs], b),
        ];
        let lengths = move || lengths(weight());
        let magnitude = self
            .lora
            .dora
            .then(|| self.init.param_of([layer.outputs], lengths));
        let (scale, dropout) = (self.lora.scale(), self.lora.dropout);
        Some(Adapter::new(factors, magnitude, (scale, dropout)))
    }

    fn adapt(&mut self, packed: &mut PackedWeight) {
        let weight = packed.clone();
        packed.lora = self.adapter(&packed.name, move || weight.plain());
    }
}

impl Reparameterizer for &mut Adapting<'_> {
    type Reparam = Adapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Adapter>) {
        let weight = param.clone();
        let matrix = move || {
            let weight = weight.base();
            let inputs = weight.dims()[0];
            weight.reshape([inputs as i64, -1])
        };
        let adapter = self.adapter(path, matrix);
        (param, adapter)
    }
}

#[cfg(test)]
mod tests;
