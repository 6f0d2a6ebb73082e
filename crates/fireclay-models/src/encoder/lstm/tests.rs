use burn::tensor::{Device, TensorData};

use super::*;
use crate::check::check_model;
use crate::encoder::EncoderConfig;
use crate::family::{Architecture, Family, Pretrainable};
use crate::fixtures::keys;
use crate::reference::{
    self, Tensors, assert_close, assert_close_at, assert_drops, assert_gradients, assert_names,
    fill, gradients, mask, read, tokens,
};

/// The model in `tests/data/lstm-tiny`.
const SHAPE: EncoderShape = EncoderShape {
    vocabulary: 29,
    outputs: Some(3),
};

const POOLINGS: [(LstmPooling, &str); 3] = [
    (LstmPooling::Final, "logits.final"),
    (LstmPooling::Mean, "logits.mean"),
    (LstmPooling::Max, "logits.max"),
];

/// Its size.
fn tiny() -> LstmConfig {
    LstmConfig {
        layers: 2,
        width: 6,
        hidden: 5,
        ..LstmConfig::default()
    }
}

fn filled(pooling: LstmPooling, device: &Device) -> Lstm {
    // Dropout off, as in the reference.
    let config = LstmConfig {
        pooling,
        dropout: 0.0,
        ..tiny()
    };
    let model = config.init(&SHAPE, 0, device);
    fill(model, read("lstm-tiny/model"), config::torch_name)
}

fn logits(model: &Lstm, io: &Tensors, device: &Device) -> Tensor<2> {
    let tokens = tokens(io, "input_ids", device);
    model.forward_pooled(tokens, None, mask(io, "attention_mask", device))
}

#[test]
fn rows_of_unequal_length_have_pytorchs_states_and_logits() {
    let (device, io) = (Device::flex(), read("lstm-tiny/io"));
    for (pooling, name) in POOLINGS {
        let found = logits(&filled(pooling, &device), &io, &device);
        assert_close(&found.into_data(), &io[name], 1e-6, name);
    }
    let model = filled(LstmPooling::Final, &device);
    let tokens = tokens(&io, "input_ids", &device);
    let states = model.encode(tokens, None, mask(&io, "attention_mask", &device));
    assert_close_at(states, &io, "states", "attention_mask", 1e-6);
}

#[test]
fn gradients_are_pytorchs() {
    let (device, io) = (Device::flex().autodiff(), read("lstm-tiny/io"));
    let model = filled(LstmPooling::Final, &device);
    let losses = POOLINGS.map(|(pooling, _)| {
        let model = Lstm {
            pooling,
            ..model.clone()
        };
        reference::loss(logits(&model, &io, &device), &io)
    });
    let loss = losses.into_iter().reduce(|sum, loss| sum + loss).unwrap();
    assert_close(&loss.to_data(), &io["loss"], 1e-6, "loss");
    let found = gradients(&model, &loss.backward(), config::torch_name);
    assert_gradients(&found, &read("lstm-tiny/grads"), 1e-5);
}

#[test]
fn names_and_shapes_are_pytorchs() {
    let config = EncoderConfig::Lstm(tiny());
    assert_names(&config, &SHAPE, read("lstm-tiny/model"));
}

#[test]
fn what_fills_a_row_up_changes_nothing() {
    let device = Device::flex();
    for (pooling, name) in POOLINGS {
        let model = filled(pooling, &device);
        let run = |ids: &[i64], real: usize| {
            let mask: Vec<bool> = (0..ids.len()).map(|time| time < real).collect();
            let mask = Tensor::from_data(TensorData::new(mask, [1, ids.len()]), &device);
            model.forward_pooled(reference::row(ids, &device), None, mask)
        };
        let short = run(&[5, 17, 3], 3).into_data();
        // Not the same padding at every position: none of it may be read.
        let long = run(&[5, 17, 3, 9, 0, 28], 3).into_data();
        assert_close(&long, &short, 1e-7, name);
    }
}

#[test]
fn long_texts_go_backward_too() {
    let device = Device::flex().autodiff();
    let model = filled(LstmPooling::Mean, &device);
    let ids: Vec<i64> = (0..2000).map(|time| time % 29).collect();
    let tokens = reference::row(&ids, &device);
    let mask = tokens.clone().greater_equal_elem(0);
    let loss = model.forward_pooled(tokens, None, mask).square().mean();
    let found = gradients(&model, &loss.backward(), config::torch_name);
    let finite = |data: &TensorData| data.iter::<f32>().all(f32::is_finite);
    assert!(found.values().all(finite));
    assert_eq!(found.len(), 19);
}

#[test]
fn what_is_counted_is_what_is_built() {
    for layers in 1..4 {
        let config = LstmConfig { layers, ..tiny() };
        let model = config.init(&SHAPE, 0, &Device::flex());
        assert_eq!(model.num_params(), config.least_weights(&SHAPE));
    }
}

#[test]
fn dropout_acts_in_training_only() {
    let io = read("lstm-tiny/io");
    for (dropout, embedding_dropout) in [(0.5, 0.0), (0.0, 0.5)] {
        let config = LstmConfig {
            dropout,
            embedding_dropout,
            ..tiny()
        };
        let run = |model: &Lstm, device: &Device| logits(model, &io, device).into_data();
        assert_drops(|device| config.init(&SHAPE, 0, device), run);
    }
}

#[test]
fn the_model_passes_the_check_of_all() {
    for (pooling, _) in POOLINGS {
        let config = LstmConfig { pooling, ..tiny() };
        check_model(EncoderConfig::Lstm(config), SHAPE);
    }
}

#[test]
fn layers_count_from_the_embedding_to_the_head() {
    let config = EncoderConfig::Lstm(tiny());
    assert_eq!(config.layers(), 4);
    for (name, layer) in [
        ("embedding.weight", 0),
        ("lstm.weight_ih_l0", 1),
        ("lstm.bias_hh_l1_reverse", 2),
        ("classifier.weight", 3),
    ] {
        assert_eq!(config.layer_of(name), layer, "{name}");
    }
}

#[test]
fn impossible_values_are_listed_at_their_keys() {
    let config = EncoderConfig::Lstm(LstmConfig {
        layers: 0,
        hidden: 0,
        dropout: 1.0,
        embedding_dropout: -0.1,
        ..tiny()
    });
    let shape = EncoderShape {
        vocabulary: 29,
        outputs: None,
    };
    let keys = keys(Family::validate_for(&config, &shape));
    assert_eq!(keys, ["layers", "hidden", "dropout", "embedding_dropout"]);
    let problems = EncoderConfig::Lstm(tiny()).validate_for(&shape);
    assert_eq!(problems[0].0, "outputs");
}
