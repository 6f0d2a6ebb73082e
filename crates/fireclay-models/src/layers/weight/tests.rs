use std::path::{Path, PathBuf};

use burn::tensor::FloatDType;

use super::*;
use crate::fixtures::{LLAMA, llama};
use crate::io::pretrained::{
    Keep, PretrainedOptions, PretrainedReport, Quantize, hollow, load_pretrained,
};
use crate::io::tensors::to_tensors;
use crate::io::weights::{ModelDescription, packed, shapes, swap_axes};
use crate::language::{LanguageConfig, LanguageModel, LanguageNetwork};
use crate::lora::{self, LoraConfig, each_of_base, each_of_whole_base};
use crate::reference::{Tensors, assert_close, assert_gradients, gradients, read, tokens};
use crate::{AdapterDescription, Family, halved, weights};

fn config() -> LanguageConfig {
    LanguageConfig::Llama(llama())
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// The tiny Llama, with its layers in few bits.
fn base(quantize: Quantize, device: &Device) -> (LanguageModel, PretrainedReport) {
    let (config, shape) = (config(), LLAMA);
    let model = config.init(&shape, 0, device);
    let options = PretrainedOptions {
        keep: Keep::Rounded(quantize),
        ..PretrainedOptions::default()
    };
    let file = data("llama-tiny/model.safetensors");
    load_pretrained(&config, &shape, model, &file, &options).unwrap()
}

fn description() -> AdapterDescription<LanguageConfig> {
    AdapterDescription {
        model: ModelDescription {
            config: config(),
            shape: LLAMA,
        },
        lora: LoraConfig {
            rank: 4,
            alpha: 6.0,
            ..LoraConfig::default()
        },
        whole: Vec::new(),
        base_sha256: "0".repeat(64),
    }
}

/// With the adapters that PEFT trained.
fn adapted(device: &Device) -> LanguageModel {
    let bytes = std::fs::read(data("lora-llama-tiny/adapters.safetensors")).unwrap();
    lora::decode(base(Quantize::Nf4, device).0, &bytes, &description()).unwrap()
}

fn logits(model: &LanguageModel, device: &Device) -> Tensor<3> {
    model.forward(tokens(&read("llama-tiny/io"), "input_ids", device))
}

/// The gradients of adapters under the names and in the layout that PEFT has.
fn in_peft(gradients: Tensors) -> Tensors {
    let theirs = |(name, data): (String, _)| {
        let name = name.replace(".weight.lora.a", ".lora_A.weight");
        let name = name.replace(".weight.lora.b", ".lora_B.weight");
        if let Some(name) = name.strip_suffix(".weight.lora.magnitude") {
            let name = format!("base_model.model.{name}.lora_magnitude_vector");
            return Some((name, data));
        }
        let is_adapter = name.contains(".lora_");
        is_adapter.then(|| (format!("base_model.model.{name}"), swap_axes(data)))
    };
    gradients.into_iter().filter_map(theirs).collect()
}

#[test]
fn adapters_beside_nf4_compute_what_peft_computes() {
    let device = Device::flex().autodiff();
    for device in [device.clone(), device.gradient_checkpointing()] {
        let model = adapted(&device);
        let found = logits(&model, &device);
        let expected = read("qlora-llama-tiny/io");
        assert_close(&found.to_data(), &expected["logits"], 1e-5, "logits");
        let all = found.square().mean().backward();
        let named = |name: &str| config().torch_name(name.to_owned());
        let found = in_peft(gradients(&model, &all, named));
        assert_gradients(&found, &read("qlora-llama-tiny/grads"), 1e-5);
    }
}

#[test]
fn what_is_in_few_bits_is_no_parameter() {
    let device = Device::flex().autodiff();
    let (model, report) = base(Quantize::Nf4, &device);
    // Two blocks of seven layers.
    assert_eq!(report.packed.len(), 14);
    assert_eq!(report.whole, [""; 0]);
    let names: Vec<String> = packed::<LanguageConfig>(&model)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.len(), 14);
    let whole = config().init(&LLAMA, 0, &device);
    let all = shapes(&config(), &whole);
    let left = shapes(&config(), &model);
    assert_eq!(left.len() + 14, all.len());
    assert!(left.iter().all(|(name, _)| !names.contains(name)));
    assert_eq!(to_tensors(&model).len(), left.len());
    // The hash of a base sees them all the same.
    let hashed = |model: &LanguageModel| {
        let mut seen = Vec::new();
        let see = |name: &str, bytes: &[u8]| seen.push((name.to_owned(), bytes.to_vec()));
        each_of_base(&config(), model, &[], see);
        seen
    };
    assert_eq!(hashed(&model).len(), all.len());
    let mut in_full = Vec::new();
    let see = |name: &str, bytes: &[u8]| in_full.push((name.to_owned(), bytes.to_vec()));
    each_of_whole_base((&config(), &LLAMA), &model, &[], see);
    assert!(in_full == hashed(&model.clone().materialize()));
    let (other, _) = base(Quantize::Q8, &device);
    assert_ne!(hashed(&model).pop(), hashed(&other).pop());
    let forked = model.clone().valid().train().fork(&device);
    assert_eq!(
        packed::<LanguageConfig>(&forked),
        packed::<LanguageConfig>(&model)
    );
}

/// Rows of 56 numbers are no whole blocks of 32.
#[test]
fn layers_whose_rows_are_no_whole_blocks_stay_whole() {
    let (model, report) = base(Quantize::Q8, &Device::flex());
    assert_eq!(report.packed.len(), 12);
    let down = |block: usize| format!("model.layers.{block}.mlp.down_proj.weight");
    assert_eq!(report.whole, [down(0), down(1)]);
    let device = Device::flex();
    let whole = logits(&model.clone().materialize(), &device).into_data();
    assert_close(
        &logits(&model, &device).into_data(),
        &whole,
        1e-5,
        "whole again",
    );
    // Eight bits are close to what they stand for.
    let expected = read("llama-tiny/io");
    assert_close(&whole, &expected["logits"], 0.2, "eight bits");
}

#[test]
fn a_model_is_whole_again_with_its_adapters() {
    let device = Device::flex();
    let model = adapted(&device);
    let merged = model.clone().materialize();
    let before = logits(&model, &device).into_data();
    assert_close(
        &logits(&merged, &device).into_data(),
        &before,
        1e-5,
        "merged",
    );
    let whole = config().init(&LLAMA, 0, &device);
    assert_eq!(shapes(&config(), &merged), shapes(&config(), &whole));
    let bytes = weights::encode(&merged, &description().model).unwrap();
    let (again, _) = weights::decode::<LanguageConfig>(&bytes, &device).unwrap();
    let again = logits(&again, &device).into_data();
    assert_eq!(again, logits(&merged, &device).into_data());
    // Their files do not know of the bits of the base.
    let file = lora::encode(&model, &description()).unwrap();
    let beside = lora::decode(base(Quantize::Nf4, &device).0, &file, &description()).unwrap();
    assert_eq!(logits(&beside, &device).into_data(), before);
}

/// With magnitudes too, a base in few bits is the same as one of the numbers that it stands for.
#[test]
fn magnitudes_beside_few_bits_are_those_beside_what_they_stand_for() {
    let device = Device::flex().autodiff();
    let mut description = description();
    description.lora.dora = true;
    let bytes = std::fs::read(data("dora-llama-tiny/adapters.safetensors")).unwrap();
    let (packed, _) = base(Quantize::Nf4, &device);
    let whole = packed.clone().materialize();
    let beside = |base: LanguageModel| {
        let model = lora::decode(base, &bytes, &description).unwrap();
        let found = logits(&model, &device);
        let all = found.clone().square().mean().backward();
        let named = |name: &str| config().torch_name(name.to_owned());
        let found_gradients = in_peft(gradients(&model, &all, named));
        (found.into_data(), found_gradients, model)
    };
    let ((few, few_gradients, model), (full, full_gradients, _)) = (beside(packed), beside(whole));
    assert_close(&few, &full, 1e-5, "logits");
    assert_gradients(&few_gradients, &full_gradients, 1e-5);
    let merged = logits(&model.materialize(), &device).into_data();
    assert_close(&merged, &few, 1e-5, "merged");
}

#[test]
fn half_precision_computes_beside_few_bits() {
    let device = Device::flex().autodiff();
    let model = adapted(&device);
    let single = logits(&model, &device).into_data();
    let half = halved(model, FloatDType::BF16);
    let found = logits(&half, &device);
    let all = found
        .clone()
        .cast(FloatDType::F32)
        .square()
        .mean()
        .backward();
    assert_close(
        &found.cast(FloatDType::F32).into_data(),
        &single,
        0.1,
        "half",
    );
    let named = |name: &str| config().torch_name(name.to_owned());
    assert_eq!(in_peft(gradients(&half, &all, named)).len(), 8);
}

#[test]
fn adapters_have_numbers_of_their_own() {
    let (model, _) = base(Quantize::Nf4, &Device::flex());
    let lora = LoraConfig {
        targets: Some(vec![lora::ALL_LINEAR.into()]),
        ..description().lora
    };
    let model = lora::attach(&config(), model, (&lora, &[]), 0).unwrap();
    let ids = burn::module::list_param_ids(&model);
    let packed = config();
    let mut whole = packed.init(&LLAMA, 0, &Device::flex());
    let known = LanguageConfig::weights(&mut whole)
        .into_iter()
        .map(|weight| weight.id());
    let all: std::collections::BTreeSet<u64> = ids
        .iter()
        .chain(&known.collect::<Vec<_>>())
        .map(|id| id.val())
        .collect();
    // A table, a head and the norms; fourteen layers; two factors for each.
    assert_eq!(ids.len(), 2 + 5 + 28);
    assert_eq!(all.len(), ids.len() + 14);
}

#[test]
fn a_plan_knows_their_shapes() {
    let model = hollow(
        &config(),
        config().init(&LLAMA, 0, &Device::flex()),
        Quantize::Nf4,
    );
    let (read, _) = base(Quantize::Nf4, &Device::flex());
    let shapes = |model: &LanguageModel| {
        let packed = packed::<LanguageConfig>(model).into_iter();
        packed
            .map(|(name, matrix)| (name, matrix.shape(), matrix.format()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shapes(&model), shapes(&read));
}
