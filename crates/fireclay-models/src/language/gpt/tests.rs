use burn::tensor::Device;

use super::*;
use crate::check::{check_digits, check_model};
use crate::family::Architecture;
use crate::fixtures::{GPT2, gpt2, keys};
use crate::language::tests::{assert_cache, assert_causal, assert_each, assert_packed};
use crate::language::{LanguageConfig, LanguageModel};
use crate::reference::{
    assert_close, assert_drops, assert_gradients, assert_names, fill, gradients, next_token_loss,
    read, tokens,
};

fn filled(dropout: f64, device: &Device) -> Gpt {
    let model = GptConfig { dropout, ..gpt2() }.init(&GPT2, 0, device);
    fill(model, read("gpt2-tiny/model"), str::to_string)
}

#[test]
fn logits_and_loss_are_hugging_faces() {
    let device = Device::flex();
    let (model, io) = (filled(0.1, &device), read("gpt2-tiny/io"));
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
    // Dropout off, as in the reference.
    let (model, io) = (filled(0.0, &device), read("gpt2-tiny/io"));
    let logits = model.forward(tokens(&io, "input_ids", &device));
    let all = next_token_loss(logits, &io).backward();
    let mut found = gradients(&model, &all, str::to_string);
    let mut expected = read("gpt2-tiny/grads");
    // The keys' third of these has no gradient in exact arithmetic, only rounding.
    for layer in 0..2 {
        let name = format!("transformer.h.{layer}.attn.c_attn.bias");
        let pair = (
            found.remove(&name).unwrap(),
            expected.remove(&name).unwrap(),
        );
        assert_close(&pair.0, &pair.1, 1e-5, &name);
    }
    assert_gradients(&found, &expected, 1e-4);
}

#[test]
fn names_and_shapes_are_hugging_faces() {
    let config = LanguageConfig::Gpt(gpt2());
    assert_names(&config, &GPT2, read("gpt2-tiny/model"));
}

#[test]
fn the_cache_gives_the_tokens_and_logits_of_recomputing() {
    let model = LanguageModel::Gpt(filled(0.1, &Device::flex()));
    assert_cache(&model, &read("gpt2-tiny/io"));
}

#[test]
fn a_text_has_the_same_logits_alone_and_in_company() {
    let model = LanguageModel::Gpt(filled(0.1, &Device::flex()));
    assert_each(&model, &read("gpt2-tiny/io"));
}

#[test]
fn no_token_looks_ahead() {
    assert_causal(&LanguageModel::Gpt(filled(0.1, &Device::flex())));
}

#[test]
fn a_document_in_a_row_of_many_is_read_as_if_alone() {
    let device = Device::flex().autodiff();
    assert_packed(&LanguageModel::Gpt(filled(0.0, &device)), &device);
}

#[test]
fn every_size_has_its_published_number_of_weights() {
    let shape = LanguageShape { vocabulary: 50_257 };
    let expected = [
        (GptSize::Gpt2, 124_439_808),
        (GptSize::Gpt2Medium, 354_823_168),
        (GptSize::Gpt2Large, 774_030_080),
        (GptSize::Gpt2Xl, 1_557_611_200),
        (GptSize::Gpt3Small, 125_226_240),
        (GptSize::Gpt3Medium, 355_871_744),
        (GptSize::Gpt3Large, 760_300_032),
        (GptSize::Gpt3Xl, 1_315_723_264),
        (GptSize::Gpt3_2_7B, 2_651_553_280),
        (GptSize::Gpt3_6_7B, 6_658_404_352),
        (GptSize::Gpt3_13B, 12_853_386_240),
        (GptSize::Gpt3_175B, 174_604_259_328),
    ];
    for (size, weights) in expected {
        let config = GptConfig {
            size: Some(size),
            ..GptConfig::default()
        };
        assert_eq!(config.least_weights(&shape), weights, "{size:?}");
        assert_eq!(config.validate(), []);
    }
    // And what is counted is what is built.
    let model = LanguageModel::Gpt(gpt2().init(&GPT2, 0, &Device::flex()));
    assert_eq!(model.num_params(), gpt2().least_weights(&GPT2));
}

#[test]
fn first_weights_that_end_a_branch_are_smaller() {
    let config = GptConfig {
        layers: Some(8),
        width: Some(64),
        ..gpt2()
    };
    let model = config.init(&GPT2, 1, &Device::flex());
    let std = |layer: &Conv1d| {
        let values: Vec<f64> = layer.weight.val().into_data().iter().collect();
        let squares = values.iter().map(|value| value * value);
        (squares.sum::<f64>() / values.len() as f64).sqrt()
    };
    let block = &model.transformer.h[3];
    for (layer, expected) in [
        (&block.attn.c_attn, 0.02),
        (&block.mlp.c_fc, 0.02),
        (&block.attn.c_proj, 0.005),
        (&block.mlp.c_proj, 0.005),
    ] {
        assert!((std(layer) / expected - 1.0).abs() < 0.05);
    }
}

#[test]
fn dropout_acts_in_training_only() {
    let io = read("gpt2-tiny/io");
    let run =
        |model: &Gpt, device: &Device| model.forward(tokens(&io, "input_ids", device)).into_data();
    assert_drops(|device| filled(0.1, device), run);
}

#[test]
fn the_model_passes_the_check_of_all() {
    check_digits(check_model(LanguageConfig::Gpt(gpt2()), GPT2));
}

#[test]
fn impossible_values_are_listed_at_their_keys() {
    let config = GptConfig {
        layers: Some(1001),
        heads: Some(5),
        context_length: Some(0),
        dropout: 1.0,
        ..gpt2()
    };
    assert_eq!(
        keys(config.validate()),
        ["context_length", "layers", "heads", "dropout"]
    );
}
