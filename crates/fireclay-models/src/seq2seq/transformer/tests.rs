use burn::tensor::Device;

use super::*;
use crate::check::check_model;
use crate::family::{Architecture, Family, Pretrainable};
use crate::fixtures::keys;
use crate::reference::{
    Tensors, assert_close, assert_close_at, assert_drops, assert_gradients, assert_names, fill,
    gradients, mask, read, row, token_loss, tokens,
};
use crate::seq2seq::TranslationConfig;

/// The models in `tests/data`: torch's, and the paper's.
fn cases() -> [(&'static str, TransformerConfig, TranslationShape); 2] {
    let torch = TransformerConfig {
        layers: Some(2),
        heads: Some(4),
        width: Some(32),
        mlp_width: Some(64),
        context_length: 32,
        final_norm: true,
        tie_embeddings: false,
        ..TransformerConfig::default()
    };
    let paper = TransformerConfig {
        layers: Some(2),
        heads: Some(5),
        width: Some(40),
        mlp_width: Some(72),
        context_length: 32,
        ..TransformerConfig::default()
    };
    let shape = |source_vocabulary, target_vocabulary| TranslationShape {
        source_vocabulary,
        target_vocabulary,
    };
    [
        ("transformer-tiny", torch, shape(53, 61)),
        ("transformer-tiny-paper", paper, shape(59, 59)),
    ]
}

fn filled(
    case: &str,
    config: &TransformerConfig,
    shape: &TranslationShape,
    device: &Device,
) -> Transformer {
    let model = config.init(shape, 0, device);
    let file = read(&format!("{case}/model"));
    fill(model, file, |path| config.torch_name(path.to_string()))
}

/// The memory and the logits of a file's texts.
fn run(model: &Transformer, io: &Tensors, device: &Device) -> (Tensor<3>, Tensor<3>) {
    let source_mask = mask(io, "src_attention_mask", device);
    let memory = model.encode(tokens(io, "src_ids", device), source_mask.clone());
    let target = tokens(io, "tgt_in_ids", device);
    let target_mask = mask(io, "tgt_attention_mask", device);
    let logits = model.decode(&memory, source_mask, target, target_mask);
    (memory, logits)
}

/// The mean cross-entropy of all tokens but those that fill up.
fn loss(logits: Tensor<3>, io: &Tensors) -> Tensor<1> {
    let ids = io["tgt_out_ids"].iter::<i64>();
    let labels: Vec<i64> = ids.map(|id| if id == 0 { -100 } else { id }).collect();
    token_loss(logits, &labels)
}

#[test]
fn memory_logits_and_loss_are_torchs() {
    let device = Device::flex();
    for (case, config, shape) in cases() {
        let (model, io) = (
            filled(case, &config, &shape, &device),
            read(&format!("{case}/io")),
        );
        let (memory, logits) = run(&model, &io, &device);
        assert_close_at(memory, &io, "memory", "src_attention_mask", 1e-5);
        assert_close_at(logits.clone(), &io, "logits", "tgt_attention_mask", 1e-5);
        let loss = loss(logits, &io).into_data();
        assert_close(&loss, &io["loss"], 1e-5, "loss");
    }
}

#[test]
fn gradients_are_torchs() {
    let device = Device::flex().autodiff();
    for (case, config, shape) in cases() {
        // Dropout off, as in the reference.
        let config = TransformerConfig {
            dropout: 0.0,
            ..config
        };
        let model = filled(case, &config, &shape, &device);
        let io = read(&format!("{case}/io"));
        let (_, logits) = run(&model, &io, &device);
        let all = loss(logits, &io).backward();
        let mut found = gradients(&model, &all, |path| config.torch_name(path.to_string()));
        let expected = read(&format!("{case}/grads"));
        // The keys' third of these has no gradient in exact arithmetic, only rounding.
        let is_packed = |name: &str| name.ends_with("in_proj_bias");
        let (packed, expected): (Tensors, Tensors) =
            expected.into_iter().partition(|(name, _)| is_packed(name));
        for (name, expected) in packed {
            assert_close(&found.remove(&name).unwrap(), &expected, 1e-5, &name);
        }
        assert_gradients(&found, &expected, 1e-4);
    }
}

#[test]
fn names_and_shapes_are_torchs() {
    for (case, config, shape) in cases() {
        let config = TranslationConfig::Transformer(config);
        assert_names(&config, &shape, read(&format!("{case}/model")));
    }
}

#[test]
fn positions_are_the_papers() {
    let device = Device::flex();
    for (case, config, _) in cases() {
        let expected = &read(&format!("{case}/io"))["positional_encoding"];
        let (rows, width) = (expected.shape()[0], config.sizes().width);
        let found = sinusoids(0..rows, width, &device);
        assert_close(&found.to_data(), expected, 1e-6, case);
        let later = sinusoids(3..rows, width, &device);
        assert_eq!(later.into_data(), found.narrow(0, 3, rows - 3).into_data());
    }
}

#[test]
fn the_cache_gives_the_tokens_and_logits_of_recomputing() {
    let device = Device::flex();
    for (case, config, shape) in cases() {
        let (model, io) = (
            filled(case, &config, &shape, &device),
            read(&format!("{case}/io")),
        );
        let source = tokens(&io, "greedy_src_ids", &device);
        let real = source.clone().not_equal_elem(-1);
        let memory = model.encode(source, real.clone());
        let expected: Vec<i64> = io["greedy_output_ids"].iter().collect();
        let (mut text, mut cache) = (vec![expected[0]], model.empty_cache());
        assert!(cache.is_empty());
        while text.len() < expected.len() {
            let unread = &text[cache.len()..];
            let last = model.decode_cached(row(unread, &device), &memory, real.clone(), &mut cache);
            let target = row(&text, &device);
            let target_mask = target.clone().not_equal_elem(-1);
            let whole = model.decode(&memory, real.clone(), target, target_mask);
            let whole = whole.narrow(1, text.len() - 1, 1);
            assert_close(&last.to_data(), &whole.into_data(), 1e-5, "cached");
            assert_eq!(cache.len(), text.len());
            text.push(last.argmax(2).into_data().iter().next().unwrap());
        }
        assert_eq!(text, expected);
    }
}

#[test]
fn neither_later_tokens_nor_padding_change_anything() {
    let device = Device::flex();
    for (case, config, shape) in cases() {
        let model = filled(case, &config, &shape, &device);
        let run = |source: &[i64], target: &[i64]| {
            let (source, target) = (row(source, &device), row(target, &device));
            let real = source.clone().not_equal_elem(0);
            let memory = model.encode(source, real.clone());
            let target_mask = target.clone().not_equal_elem(0);
            let logits = model.decode(&memory, real, target, target_mask);
            logits.narrow(1, 0, 3).into_data()
        };
        let short = run(&[7, 3, 9, 4], &[1, 5, 8]);
        let long = run(&[7, 3, 9, 4, 0, 0], &[1, 5, 8, 22, 0]);
        assert_close(&long, &short, 1e-6, case);
        assert_ne!(run(&[7, 3, 9, 5], &[1, 5, 8]), short);
    }
}

#[test]
fn every_size_has_its_published_number_of_weights() {
    let shape = TranslationShape {
        source_vocabulary: 37_000,
        target_vocabulary: 37_000,
    };
    for (size, paper, with_norms, separate) in [
        (TransformerSize::Base, 63_082_496, 63_084_544, 100_970_496),
        (TransformerSize::Big, 214_245_376, 214_249_472, 290_021_376),
    ] {
        let config = TransformerConfig {
            size: Some(size),
            ..TransformerConfig::default()
        };
        assert_eq!(config.validate(), []);
        assert_eq!(config.least_weights(&shape), paper, "{size:?}");
        let norms = TransformerConfig {
            final_norm: true,
            ..config.clone()
        };
        assert_eq!(norms.least_weights(&shape), with_norms, "{size:?}");
        let untied = TransformerConfig {
            tie_embeddings: false,
            ..config
        };
        // The published count has no bias in the head.
        assert_eq!(untied.least_weights(&shape), separate + 37_000, "{size:?}");
    }
    // And what is counted is what is built.
    for (_, config, shape) in cases() {
        let model = config.init(&shape, 0, &Device::flex());
        assert_eq!(model.num_params(), config.least_weights(&shape));
    }
}

#[test]
fn dropout_acts_in_training_only() {
    let (case, config, shape) = &cases()[1];
    let io = read(&format!("{case}/io"));
    let logits = |model: &Transformer, device: &Device| run(model, &io, device).1.into_data();
    assert_drops(|device| filled(case, config, shape, device), logits);
}

#[test]
fn the_model_passes_the_check_of_all() {
    for (_, config, shape) in cases() {
        check_model(TranslationConfig::Transformer(config), shape);
    }
}

#[test]
fn the_halves_may_have_other_depths() {
    for (_, config, shape) in cases() {
        let config = TransformerConfig {
            encoder_layers: Some(3),
            decoder_layers: Some(1),
            ..config
        };
        let model = config.init(&shape, 0, &Device::flex());
        assert_eq!(model.num_params(), config.least_weights(&shape));
        let whole = TranslationConfig::Transformer(config.clone());
        assert_eq!(whole.layers(), 6);
        assert_eq!(
            whole.layer_of("transformer.decoder.layers.0.norm1.weight"),
            4
        );
        check_model(whole, shape);
        let none = TransformerConfig {
            decoder_layers: Some(0),
            ..config
        };
        assert_eq!(keys(none.validate()), ["decoder_layers"]);
    }
}

#[test]
fn layers_count_from_the_embeddings_over_both_halves_to_the_head() {
    let [(_, config, _), _] = cases();
    let config = TranslationConfig::Transformer(config);
    assert_eq!(config.layers(), 6);
    for (name, layer) in [
        ("tgt_embedding.weight", 0),
        ("transformer.encoder.layers.1.norm1.weight", 2),
        ("transformer.encoder.norm.weight", 2),
        ("transformer.decoder.layers.0.linear1.weight", 3),
        ("transformer.decoder.norm.weight", 4),
        ("generator.bias", 5),
    ] {
        assert_eq!(config.layer_of(name), layer, "{name}");
    }
}

#[test]
fn impossible_values_are_listed_at_their_keys() {
    let config = TranslationConfig::Transformer(TransformerConfig {
        layers: Some(1001),
        heads: Some(7),
        context_length: 0,
        dropout: -0.1,
        ..TransformerConfig::default()
    });
    let shape = TranslationShape {
        source_vocabulary: 0,
        target_vocabulary: 9,
    };
    let keys = keys(Family::validate_for(&config, &shape));
    let expected = [
        "context_length",
        "layers",
        "heads",
        "dropout",
        "source_vocabulary",
    ];
    assert_eq!(keys, expected);
    let shape = TranslationShape {
        source_vocabulary: 8,
        target_vocabulary: 9,
    };
    let config = TranslationConfig::Transformer(TransformerConfig::default());
    assert_eq!(config.validate_for(&shape)[0].0, "tie_embeddings");
}
