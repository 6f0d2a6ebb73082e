use burn::tensor::Device;

use super::*;
use crate::check::check_model;
use crate::family::Architecture;
use crate::fixtures::{images, keys, vit, vit_timm};
use crate::reference::{self, Tensors, assert_close, assert_names, fill, read};
use crate::vision::ImageConfig;
use crate::vision::tests::{assert_agrees, assert_drops, assert_evaluation, assert_takes};

fn shape(side: usize, outputs: usize) -> ImageShape {
    images(3, side, side, outputs)
}

/// The reference's model.
fn filled(config: &VitConfig) -> Vit {
    let model = config.init(&shape(32, 7), 0, &Device::flex().autodiff());
    fill(model, read("vit-tiny/model"), names::torch_name)
}

#[test]
fn agrees_with_torchvision_forwards_and_backwards() {
    let model = filled(&vit());
    assert_agrees(&model, "vit-tiny", names::torch_name);
    let io = read("vit-tiny/io");
    let pixels = reference::images(&io, &Device::flex());
    let close = |found: Tensor<3>, name: &str| {
        assert_close(&found.into_data(), &io[name], 2e-5, name);
    };
    let model = model.valid();
    close(model.tokens(pixels.clone()), "tokens");
    close(model.encode(pixels), "encoder_output");
}

#[test]
fn timms_names_and_numbers() {
    let file: Tensors = read("vit-timm/model")
        .into_iter()
        .map(|(name, data)| (names::canonical_name(&name).unwrap(), data))
        .collect();
    let model = vit_timm().init(&shape(32, 6), 0, &Device::flex());
    assert_evaluation(&fill(model, file, names::torch_name), "vit-timm");
}

#[test]
fn old_names_of_torchvision() {
    let name = "encoder.layers.encoder_layer_11.mlp.linear_2.bias";
    let expected = "encoder.layers.encoder_layer_11.mlp.3.bias";
    assert_eq!(names::canonical_name(name).unwrap(), expected);
    assert_eq!(names::canonical_name(expected), None);
    assert_eq!(names::canonical_name("blocks.0.attn.q_norm.weight"), None);
}

#[test]
fn published_sizes_have_the_published_numbers_of_parameters() {
    let count = |size, patch_size| {
        let config = VitConfig {
            size,
            patch_size,
            ..VitConfig::default()
        };
        let shape = shape(224, 1000);
        let parameters = config.init(&shape, 0, &Device::flex()).num_params();
        let least = config.least_weights(&shape);
        assert!(least <= parameters && least > parameters / 100 * 99);
        parameters
    };
    assert_eq!(count(VitSize::Tiny, 16), 5_717_416);
    assert_eq!(count(VitSize::Small, 16), 22_050_664);
    assert_eq!(count(VitSize::Base, 16), 86_567_656);
    assert_eq!(count(VitSize::Base, 32), 88_224_232);
    assert_eq!(count(VitSize::Large, 16), 304_326_632);
}

#[test]
fn images_need_not_be_square_nor_in_colour() {
    let shape = images(1, 16, 24, 2);
    let model = vit().init(&shape, 0, &Device::flex());
    let pixels = Tensor::ones([3, 1, 16, 24], &Device::flex());
    assert_eq!(model.encode(pixels).dims(), [3, 7, 32]);
    assert_takes(&vit(), &shape);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let config = ImageConfig::Vit(vit());
    assert_names(&config, &shape(32, 7), read("vit-tiny/model"));
}

#[test]
fn check() {
    let config = VitConfig {
        dropout: 0.1,
        ..vit()
    };
    check_model(ImageConfig::Vit(config), shape(16, 3));
}

#[test]
fn a_new_model_gives_zero_for_every_class() {
    let model = vit().init(&shape(32, 7), 0, &Device::flex());
    let logits = model.forward(Tensor::ones([2, 3, 32, 32], &Device::flex()));
    assert_eq!(logits.abs().max().into_scalar::<f32>(), 0.0);
}

#[test]
fn dropout_and_drop_path_act_in_training_alone() {
    let config = VitConfig {
        dropout: 0.2,
        drop_path_rate: 0.5,
        ..vit()
    };
    assert_drops(&filled(&config), "vit-tiny");
}

#[test]
fn all_impossible_values_are_reported() {
    let config = VitConfig {
        patch_size: 0,
        layers: Some(0),
        heads: Some(5),
        mlp: Some(0),
        dropout: 1.0,
        drop_path_rate: f64::NAN,
        ..VitConfig::default()
    };
    let all = [
        "patch_size",
        "layers",
        "mlp",
        "heads",
        "dropout",
        "drop_path_rate",
    ];
    assert_eq!(keys(config.validate()), all);
    let config = VitConfig {
        hidden: Some(100),
        ..VitConfig::default()
    };
    assert_eq!(keys(config.validate()), ["hidden"]);
    assert_eq!(keys(VitConfig::default().validate()), [""; 0]);

    let config = VitConfig::default();
    assert_eq!(config.validate_for(&shape(32, 2)), []);
    let [(key, message)] = &config.validate_for(&shape(30, 2))[..] else {
        panic!("one problem");
    };
    let expected = "patches of 16 pixels do not divide images of 30 x 30";
    assert_eq!((key.as_str(), message.as_str()), ("patch_size", expected));
}

#[test]
fn a_number_beyond_all_bounds_does_not_overflow() {
    let config = VitConfig {
        hidden: Some(usize::MAX),
        layers: Some(usize::MAX),
        heads: Some(1),
        ..VitConfig::default()
    };
    assert_eq!(keys(config.validate()), ["layers"]);
    assert_eq!(config.least_weights(&shape(32, usize::MAX)), usize::MAX);
}
