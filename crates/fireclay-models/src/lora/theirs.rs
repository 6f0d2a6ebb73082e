//! Adapters that PEFT has written: what its `adapter_config.json` and the names of its tensors say.

use std::collections::BTreeSet;

use safetensors::tensor::SafeTensors;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::LoraConfig;
use super::file::PREFIX;

/// What a folder of PEFT says of its adapters.
#[derive(Clone, Debug, PartialEq)]
pub struct Theirs {
    /// The adapters; their targets are the names of layers.
    pub lora: LoraConfig,
    /// The PyTorch names of tensors that are put in place of the base's.
    pub whole: Vec<String>,
    /// What they were trained beside, if it is said.
    pub base: Option<String>,
}

/// The keys of `adapter_config.json` that are read.
#[derive(Deserialize)]
struct AdapterConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: Option<bool>,
    #[serde(default)]
    use_dora: Option<bool>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// Keys that make another model of the same tensors, or that belong to tensors that are not read, unless they say nothing.
const UNREAD: [&str; 11] = [
    "rank_pattern",
    "alpha_pattern",
    "lora_bias",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "use_qalora",
    "alora_invocation_tokens",
    "arrow_config",
    "use_bdlora",
    "monteclora_config",
];

/// Ways to draw the first numbers of adapters that leave the base as it is; others move it.
const HARMLESS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// Reads `adapter_config.json` and the names in `adapter_model.safetensors`.
///
/// # Errors
///
/// Why they cannot be used: one of the two is damaged, or there are adapters of another kind.
pub fn theirs(config: &[u8], adapters: &[u8]) -> Result<Theirs, String> {
    let wrong = |reason: String| format!("adapter_config.json: {reason}");
    let config: AdapterConfig =
        serde_json::from_slice(config).map_err(|error| wrong(error.to_string()))?;
    if let Some(reason) = refusal(&config) {
        return Err(wrong(reason));
    }
    let file = SafeTensors::deserialize(adapters)
        .map_err(|error| format!("adapter_model.safetensors: {error}"))?;
    let (targets, whole) = parts(&file);
    let lora = LoraConfig {
        rank: config.r,
        alpha: config.lora_alpha,
        rank_stabilized: config.use_rslora.unwrap_or_default(),
        dora: config.use_dora.unwrap_or_default(),
        // They are not trained on.
        dropout: 0.0,
        targets: Some(targets.into_iter().collect()),
    };
    match lora.validate().into_iter().next() {
        Some((key, message)) => Err(wrong(format!("{key} {message}"))),
        None => Ok(Theirs {
            lora,
            whole,
            base: config.base_model_name_or_path,
        }),
    }
}

/// Why these adapters are none that there are here.
fn refusal(config: &AdapterConfig) -> Option<String> {
    if config.peft_type != "LORA" {
        let kind = &config.peft_type;
        return Some(format!(
            "the adapters are of type {kind}; LORA alone is read"
        ));
    }
    let says = |key: &&&str| {
        let value = config.other.get(**key);
        value.is_some_and(|value| !is_nothing(value))
    };
    if let Some(key) = UNREAD.iter().find(says) {
        return Some(format!(
            "{key} is not read here; merge the adapters with PEFT"
        ));
    }
    let bias = config.other.get("bias").and_then(Value::as_str);
    if let Some(bias) = bias.filter(|bias| *bias != "none") {
        return Some(format!("bias is \"{bias}\", and \"none\" alone is read"));
    }
    let drawn = config
        .other
        .get("init_lora_weights")
        .and_then(Value::as_str);
    drawn.filter(|drawn| !HARMLESS.contains(drawn)).map(|drawn| {
        format!(
            "init_lora_weights is \"{drawn}\", which changes the base too; write the adapters anew with PEFT's \
             path_initial_model_for_weight_conversion"
        )
    })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    }
}

/// The layers with adapters, and the tensors that are whole. What is neither is found when the tensors are read.
fn parts(file: &SafeTensors) -> (BTreeSet<String>, Vec<String>) {
    let (mut layers, mut whole) = (BTreeSet::new(), Vec::new());
    for name in file.names() {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        match name.split_once(".lora_") {
            Some((layer, _)) => drop(layers.insert(layer.to_owned())),
            None => whole.push(name.to_owned()),
        }
    }
    whole.sort();
    (layers, whole)
}
