use burn::tensor::{Bool, Device};

use super::*;
use crate::check::{check_digits, check_model};
use crate::encoder::{EncoderConfig, EncoderModel};
use crate::family::{Architecture, Family, Pretrainable};
use crate::fixtures::{BERT_CLASSES, BERT_MASKED, bert, keys};
use crate::reference::{
    self, Tensors, assert_close, assert_close_at, assert_drops, assert_gradients, assert_names,
    fill, gradients, mask, read, token_loss, tokens,
};

fn filled(config: &BertConfig, shape: &EncoderShape, device: &Device) -> Bert {
    let name = match shape.outputs {
        None => "bert-tiny-mlm/model",
        Some(_) => "bert-tiny-seqcls/model",
    };
    fill(config.init(shape, 0, device), read(name), names::torch_name)
}

/// Tokens, types and mask of a file.
type Inputs = (Tensor<2, Int>, Option<Tensor<2, Int>>, Tensor<2, Bool>);

fn inputs(io: &Tensors, device: &Device) -> Inputs {
    (
        tokens(io, "input_ids", device),
        Some(tokens(io, "token_type_ids", device)),
        mask(io, "attention_mask", device),
    )
}

fn masked_logits(model: &Bert, io: &Tensors, device: &Device) -> Tensor<3> {
    let (tokens, types, mask) = inputs(io, device);
    model.predict(model.encode(tokens, types, mask))
}

fn class_logits(model: &Bert, io: &Tensors, device: &Device) -> Tensor<2> {
    let (tokens, types, mask) = inputs(io, device);
    model.forward_pooled(tokens, types, mask)
}

fn masked_loss(logits: Tensor<3>, io: &Tensors) -> Tensor<1> {
    let labels: Vec<i64> = io["labels"].iter().collect();
    token_loss(logits, &labels)
}

#[test]
fn the_masked_language_model_has_hugging_faces_logits() {
    let device = Device::flex();
    let (model, io) = (
        filled(&bert(), &BERT_MASKED, &device),
        read("bert-tiny-mlm/io"),
    );
    let logits = masked_logits(&model, &io, &device);
    assert_close_at(logits.clone(), &io, "logits", "attention_mask", 1e-5);
    let loss = masked_loss(logits, &io).into_data();
    assert_close(&loss, &io["loss"], 1e-5, "loss");
    let (tokens, types, mask) = inputs(&io, &device);
    let x = model.encode(tokens, types, mask);
    assert_close_at(x, &io, "hidden_states.2", "attention_mask", 1e-5);
}

#[test]
fn some_positions_have_the_logits_that_they_have_among_all() {
    let device = Device::flex();
    let (model, io) = (
        filled(&bert(), &BERT_MASKED, &device),
        read("bert-tiny-mlm/io"),
    );
    let (tokens, types, mask) = inputs(&io, &device);
    let positions = Tensor::from_data([17, 3, 0, 21], &device);
    let all = masked_logits(&model, &io, &device);
    let some = EncoderModel::Bert(model).forward_positions(tokens, types, mask, positions.clone());
    let all: Tensor<2> = all.flatten(0, 1);
    let expected = all.select(0, positions).into_data();
    assert_close(&some.into_data(), &expected, 1e-6, "logits");
}

#[test]
fn the_classifier_has_hugging_faces_logits() {
    let device = Device::flex();
    let (model, io) = (
        filled(&bert(), &BERT_CLASSES, &device),
        read("bert-tiny-seqcls/io"),
    );
    let logits = class_logits(&model, &io, &device);
    assert_close(&logits.to_data(), &io["logits"], 1e-5, "logits");
    let loss = reference::loss(logits, &io).into_data();
    assert_close(&loss, &io["loss"], 1e-5, "loss");
}

#[test]
fn gradients_are_hugging_faces() {
    let device = Device::flex().autodiff();
    // Dropout off, as in the reference.
    let config = BertConfig {
        dropout: 0.0,
        ..bert()
    };
    for (case, shape) in [
        ("bert-tiny-mlm", BERT_MASKED),
        ("bert-tiny-seqcls", BERT_CLASSES),
    ] {
        let model = filled(&config, &shape, &device);
        let io = read(&format!("{case}/io"));
        let loss = match shape.outputs {
            None => masked_loss(masked_logits(&model, &io, &device), &io),
            Some(_) => reference::loss(class_logits(&model, &io, &device), &io),
        };
        let mut found = gradients(&model, &loss.backward(), names::torch_name);
        let mut expected = read(&format!("{case}/grads"));
        // These have no gradient in exact arithmetic, only rounding.
        for layer in 0..2 {
            let name = format!("bert.encoder.layer.{layer}.attention.self.key.bias");
            let (one, other) = (found.remove(&name), expected.remove(&name));
            assert_close(&one.unwrap(), &other.unwrap(), 1e-5, &name);
        }
        assert_gradients(&found, &expected, 1e-4);
    }
}

#[test]
fn names_and_shapes_are_hugging_faces() {
    let config = EncoderConfig::Bert(bert());
    assert_names(&config, &BERT_MASKED, read("bert-tiny-mlm/model"));
    assert_names(&config, &BERT_CLASSES, read("bert-tiny-seqcls/model"));
}

#[test]
fn what_fills_a_row_up_changes_nothing() {
    let device = Device::flex();
    let model = filled(&bert(), &BERT_CLASSES, &device);
    let row = |ids: &[i64]| reference::row(ids, &device);
    let run = |ids: &[i64]| {
        let tokens = row(ids);
        let mask = tokens.clone().not_equal_elem(0);
        model.forward_pooled(tokens, None, mask)
    };
    let short = run(&[5, 17, 3, 88]).into_data();
    let long = run(&[5, 17, 3, 88, 0, 0, 0]).into_data();
    assert_close(&long, &short, 1e-6, "logits");
    let types = Some(row(&[0; 4]));
    let real = row(&[1; 4]).not_equal_elem(0);
    let given = model.forward_pooled(row(&[5, 17, 3, 88]), types, real);
    assert_eq!(given.into_data(), short);
}

#[test]
fn every_size_has_its_published_number_of_weights() {
    for (size, bare, masked) in [
        (BertSize::BertBase, 109_482_240, 109_514_298),
        (BertSize::BertLarge, 335_141_888, 335_174_458),
    ] {
        let config = BertConfig {
            size: Some(size),
            ..BertConfig::default()
        };
        let weights = |outputs| {
            config.least_weights(&EncoderShape {
                vocabulary: 30_522,
                outputs,
            })
        };
        assert_eq!(weights(None), masked, "{size:?}");
        let classifier = 2 * (config.sizes().width + 1);
        assert_eq!(weights(Some(2)), bare + classifier, "{size:?}");
        assert_eq!(config.validate(), []);
    }
    // And what is counted is what is built.
    for shape in [BERT_MASKED, BERT_CLASSES] {
        let model = bert().init(&shape, 0, &Device::flex());
        assert_eq!(model.num_params(), bert().least_weights(&shape));
    }
}

#[test]
fn dropout_acts_in_training_only() {
    let io = read("bert-tiny-seqcls/io");
    let run = |model: &Bert, device: &Device| class_logits(model, &io, device).into_data();
    assert_drops(|device| filled(&bert(), &BERT_CLASSES, device), run);
}

#[test]
fn the_model_passes_the_check_of_all() {
    for shape in [BERT_MASKED, BERT_CLASSES] {
        // As many positions as the check reads.
        let config = BertConfig {
            context_length: Some(32),
            ..bert()
        };
        check_digits(check_model(EncoderConfig::Bert(config), shape));
    }
}

#[test]
fn layers_count_from_the_embedding_to_the_head() {
    let config = EncoderConfig::Bert(bert());
    assert_eq!(config.layers(), 4);
    for (name, layer) in [
        ("bert.embeddings.LayerNorm.bias", 0),
        ("bert.encoder.layer.1.output.dense.weight", 2),
        ("bert.pooler.dense.weight", 3),
        ("cls.predictions.bias", 3),
        ("classifier.weight", 3),
    ] {
        assert_eq!(config.layer_of(name), layer, "{name}");
    }
}

#[test]
fn impossible_values_are_listed_at_their_keys() {
    let config = EncoderConfig::Bert(BertConfig {
        layers: Some(1001),
        heads: None,
        token_types: 0,
        dropout: 1.0,
        norm_eps: 0.0,
        ..bert()
    });
    let shape = EncoderShape {
        vocabulary: 0,
        outputs: Some(0),
    };
    let keys = keys(Family::validate_for(&config, &shape));
    let expected = [
        "token_types",
        "layers",
        "width",
        "dropout",
        "norm_eps",
        "vocabulary",
        "outputs",
    ];
    assert_eq!(keys, expected);
}
