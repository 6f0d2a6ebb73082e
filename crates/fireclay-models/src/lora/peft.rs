//! The `adapter_config.json` of Hugging Face's PEFT.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{AdapterDescription, adapted};
use crate::family::Family;
use crate::io::weights::ModelDescription;

/// What PEFT needs beside the file of the adapters of `model`, to put them beside the weights in
/// the file or folder `base`.
///
/// The layers are named one by one, so that none is adapted there that is not here.
pub fn adapter_config<F: Family>(
    model: &F::Model,
    description: &AdapterDescription<F>,
    base: &str,
) -> Value {
    let (ModelDescription { config, shape }, lora) = (&description.model, &description.lora);
    // The module that holds each tensor.
    let holder = |name: &String| Some(name.rsplit_once('.')?.0.to_owned());
    let modules: BTreeSet<_> = description.whole.iter().filter_map(holder).collect();
    let hugging_face = config.hugging_face(shape).unwrap_or_default();
    let mut json = json!({
        "peft_type": "LORA",
        "task_type": task_type(&hugging_face),
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": adapted(config, model),
        "modules_to_save": (!modules.is_empty()).then_some(modules),
        // GPT-2 keeps its weights as [inputs, outputs].
        "fan_in_fan_out": hugging_face["model_type"] == "gpt2",
        "bias": "none",
        "inference_mode": true,
    });
    // Only where it is so: PEFT's default is false, and adapters that were written before have no such key.
    if lora.rank_stabilized {
        json["use_rslora"] = true.into();
    }
    if lora.dora {
        json["use_dora"] = true.into();
    }
    json
}

/// PEFT's name for what the class of `transformers` is for; the masked language model has none.
fn task_type(hugging_face: &Value) -> Option<&'static str> {
    let class = hugging_face["architectures"][0].as_str()?;
    let tasks = [
        ("LMHeadModel", "CAUSAL_LM"),
        ("ForCausalLM", "CAUSAL_LM"),
        ("ForSequenceClassification", "SEQ_CLS"),
        ("ForConditionalGeneration", "SEQ_2_SEQ_LM"),
    ];
    let found = tasks.into_iter().find(|(end, _)| class.ends_with(end));
    found.map(|(_, task)| task)
}
