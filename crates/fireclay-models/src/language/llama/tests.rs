use burn::module::Module;
use burn::tensor::Device;

use super::*;
use crate::check::{check_digits, check_model};
use crate::family::{Architecture, Layered};
use crate::fixtures::{LLAMA, keys, llama};
use crate::language::tests::{assert_cache, assert_causal, assert_packed};
use crate::language::{LanguageConfig, LanguageModel, LanguageNetwork};
use crate::reference::{
    assert_close, assert_gradients, assert_names, fill, gradients, next_token_loss, read, tokens,
};
use crate::shape::LanguageShape;

fn filled(device: &Device) -> Llama {
    let model = llama().init(&LLAMA, 0, device);
    fill(model, read("llama-tiny/model"), str::to_string)
}

#[test]
fn logits_and_loss_are_hugging_faces() {
    let device = Device::flex();
    let (model, io) = (filled(&device), read("llama-tiny/io"));
    let logits = model.forward(tokens(&io, "input_ids", &device));
    assert_close(&logits.to_data(), &io["logits"], 1e-5, "logits");
    let loss = next_token_loss(logits, &io);
    assert_close(&loss.into_data(), &io["loss"], 1e-5, "loss");
    let full = model.forward(tokens(&io, "full_input_ids", &device));
    assert_close(&full.into_data(), &io["full_logits"], 1e-5, "full context");
}

#[test]
fn gradients_are_hugging_faces() {
    let device = Device::flex().autodiff();
    let (model, io) = (filled(&device), read("llama-tiny/io"));
    let logits = model.forward(tokens(&io, "input_ids", &device));
    let all = next_token_loss(logits, &io).backward();
    let found = gradients(&model, &all, str::to_string);
    assert_gradients(&found, &read("llama-tiny/grads"), 1e-4);
}

#[test]
fn names_and_shapes_are_hugging_faces() {
    let config = LanguageConfig::Llama(llama());
    assert_names(&config, &LLAMA, read("llama-tiny/model"));
}

#[test]
fn the_cache_gives_the_tokens_and_logits_of_recomputing() {
    let model = LanguageModel::Llama(filled(&Device::flex()));
    assert_cache(&model, &read("llama-tiny/io"));
}

#[test]
fn no_token_looks_ahead() {
    assert_causal(&LanguageModel::Llama(filled(&Device::flex())));
}

#[test]
fn a_document_in_a_row_of_many_is_read_as_if_alone() {
    let device = Device::flex().autodiff();
    assert_packed(&LanguageModel::Llama(filled(&device)), &device);
}

#[test]
fn a_tied_head_is_the_embedding() {
    let device = Device::flex();
    let config = LlamaConfig {
        tie_embeddings: true,
        ..llama()
    };
    let mut tied = read("llama-tiny/model");
    let head = tied.remove("lm_head.weight").unwrap();
    let mut copied = tied.clone();
    copied.insert(
        "lm_head.weight".into(),
        tied["model.embed_tokens.weight"].clone(),
    );
    assert_ne!(head, copied["lm_head.weight"]);
    let io = read("llama-tiny/io");
    let run = |model: Llama| model.forward(tokens(&io, "input_ids", &device)).into_data();
    let tied = fill(config.init(&LLAMA, 0, &device), tied, str::to_string);
    let copied = fill(llama().init(&LLAMA, 0, &device), copied, str::to_string);
    assert_close(&run(tied), &run(copied), 1e-6, "logits");
}

#[test]
fn the_published_models_have_their_number_of_weights() {
    let published = |layers, kv_heads, width, mlp_width| LlamaConfig {
        layers,
        kv_heads: Some(kv_heads),
        width,
        mlp_width,
        ..LlamaConfig::default()
    };
    let tied = LlamaConfig {
        tie_embeddings: true,
        ..published(16, 8, 2048, 8192)
    };
    let expected = [
        (LlamaConfig::default(), 32_000, 1_100_048_384), // TinyLlama
        (published(32, 32, 4096, 11_008), 32_000, 6_738_415_616), // Llama 1 and 2, 7B
        (published(32, 8, 4096, 14_336), 128_256, 8_030_261_248), // Llama 3, 8B
        (tied, 128_256, 1_235_814_400),                  // Llama 3.2, 1B
    ];
    for (config, vocabulary, weights) in expected {
        assert_eq!(config.least_weights(&LanguageShape { vocabulary }), weights);
        assert_eq!(config.validate(), []);
    }
    // And what is counted is what is built.
    for tie_embeddings in [false, true] {
        let config = LlamaConfig {
            tie_embeddings,
            ..llama()
        };
        let model = config.init(&LLAMA, 0, &Device::flex());
        assert_eq!(model.num_params(), config.least_weights(&LLAMA));
    }
}

#[test]
fn the_model_passes_the_check_of_all() {
    check_digits(check_model(LanguageConfig::Llama(llama()), LLAMA));
}

#[test]
fn other_names_are_understood() {
    let name = |tie_embeddings, name: &str| {
        let config = LlamaConfig {
            tie_embeddings,
            ..llama()
        };
        config.canonical_name(name)
    };
    let table = "model.layers.0.self_attn.rotary_emb.inv_freq";
    assert_eq!(name(false, table), None);
    let copied = |tie_embeddings| {
        let config = LlamaConfig {
            tie_embeddings,
            ..llama()
        };
        config.copy_of("lm_head.weight")
    };
    assert_eq!(copied(true), Some("model.embed_tokens.weight"));
    assert_eq!(copied(false), None);
    assert_eq!(
        name(false, "lm_head.weight").as_deref(),
        Some("lm_head.weight")
    );
    for bare in [
        "embed_tokens.weight",
        "norm.weight",
        "layers.1.mlp.up_proj.weight",
    ] {
        let whole = format!("model.{bare}");
        assert_eq!(name(false, bare).as_ref(), Some(&whole));
        assert_eq!(name(false, &whole).as_ref(), Some(&whole));
    }
}

#[test]
fn impossible_values_are_listed_at_their_keys() {
    let config = LlamaConfig {
        layers: 1001,
        heads: 6,
        kv_heads: Some(4),
        context_length: 0,
        rope_theta: -1.0,
        ..llama()
    };
    let expected = [
        "context_length",
        "layers",
        "heads",
        "kv_heads",
        "rope_theta",
    ];
    assert_eq!(keys(config.validate()), expected);
    let odd = LlamaConfig {
        heads: 32,
        kv_heads: Some(32),
        ..llama()
    };
    assert_eq!(keys(odd.validate()), ["heads"]);
    for (heads, expected) in [(32, 4), (6, 3), (7, 1), (2, 2)] {
        let config = LlamaConfig {
            heads,
            ..LlamaConfig::default()
        };
        assert_eq!(config.kv_heads(), expected, "{heads}");
    }
}
