use burn::tensor::{Device, TensorData};

use super::*;
use crate::check::check_model;
use crate::family::Architecture;
use crate::reference::{
    Tensors, assert_close, assert_gradients, assert_names, fill, generator, gradients, images,
    loss, read,
};
use crate::vision::ImageConfig;

fn shape(side: usize, outputs: usize) -> ImageShape {
    ImageShape {
        channels: 3,
        height: side,
        width: side,
        outputs,
    }
}

/// The model of the reference in `tests/data/vit-tiny`.
fn tiny() -> VitConfig {
    VitConfig {
        patch_size: 8,
        hidden: Some(32),
        layers: Some(2),
        heads: Some(4),
        mlp: Some(64),
        ..VitConfig::default()
    }
}

#[test]
fn agrees_with_torchvision_forwards_and_backwards() {
    let device = Device::flex().autodiff();
    let model = tiny().init(&shape(32, 7), 0, &device);
    let model = fill(model, read("vit-tiny/model"), names::torch_name);
    let io = read("vit-tiny/io");
    let pixels = images(&io, &device);
    let close = |found: TensorData, name: &str| assert_close(&found, &io[name], 2e-5, name);
    close(model.tokens(pixels.clone()).into_data(), "tokens");
    close(model.encode(pixels.clone()).into_data(), "encoder_output");
    let logits = model.forward(pixels);
    close(logits.clone().into_data(), "logits");

    let loss = loss(logits, &io);
    close(loss.clone().into_data(), "loss");
    let found = gradients(&model, &loss.backward(), names::torch_name);
    assert_gradients(&found, &read("vit-tiny/grads"), 1e-4);
}

#[test]
fn evaluation_agrees_with_torchvision() {
    let device = Device::flex();
    let model = tiny().init(&shape(32, 7), 0, &device);
    let model = fill(model, read("vit-tiny/model"), names::torch_name);
    let io = read("vit-tiny/io");
    let logits = model.forward(images(&io, &device)).into_data();
    assert_close(&logits, &io["logits"], 2e-5, "logits");
}

/// The model of the reference in `tests/data/vit-timm`.
fn timm() -> VitConfig {
    VitConfig {
        hidden: Some(40),
        heads: Some(5),
        mlp: Some(80),
        ..tiny()
    }
}

#[test]
fn timms_names_and_numbers() {
    let file: Tensors = read("vit-timm/model")
        .into_iter()
        .map(|(name, data)| (names::canonical_name(&name).unwrap(), data))
        .collect();
    let device = Device::flex();
    let model = timm().init(&shape(32, 6), 0, &device);
    let model = fill(model, file, names::torch_name);
    let io = read("vit-timm/io");
    let logits = model.forward(images(&io, &device)).into_data();
    assert_close(&logits, &io["logits"], 2e-5, "logits");
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
    let shape = ImageShape {
        channels: 1,
        height: 16,
        width: 24,
        outputs: 2,
    };
    let model = tiny().init(&shape, 0, &Device::flex());
    let images = Tensor::ones([3, 1, 16, 24], &Device::flex());
    assert_eq!(model.encode(images.clone()).dims(), [3, 7, 32]);
    assert_eq!(model.forward(images).dims(), [3, 2]);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let config = ImageConfig::Vit(tiny());
    assert_names(&config, &shape(32, 7), read("vit-tiny/model"));
}

#[test]
fn check() {
    let config = VitConfig {
        dropout: 0.1,
        ..tiny()
    };
    check_model(ImageConfig::Vit(config), shape(16, 3));
}

#[test]
fn a_new_model_gives_zero_for_every_class() {
    let model = tiny().init(&shape(32, 7), 0, &Device::flex());
    let logits = model.forward(Tensor::ones([2, 3, 32, 32], &Device::flex()));
    assert_eq!(logits.abs().max().into_scalar::<f32>(), 0.0);
}

#[test]
fn dropout_and_drop_path_act_in_training_alone() {
    let _alone = generator();
    let device = Device::flex().autodiff();
    let config = VitConfig {
        dropout: 0.2,
        drop_path_rate: 0.5,
        ..tiny()
    };
    let model = config.init(&shape(32, 7), 0, &device);
    let model = fill(model, read("vit-tiny/model"), names::torch_name);
    let io = read("vit-tiny/io");
    let run = |seed| {
        device.seed(seed);
        model.forward(images(&io, &device)).into_data()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    let logits = model.valid().forward(images(&io, &Device::flex()));
    assert_close(&logits.into_data(), &io["logits"], 2e-5, "logits");
}

#[test]
fn all_impossible_values_are_reported() {
    let keys = |config: VitConfig| -> Vec<String> {
        config.validate().into_iter().map(|(key, _)| key).collect()
    };
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
    assert_eq!(keys(config), all);
    let config = VitConfig {
        hidden: Some(100),
        ..VitConfig::default()
    };
    assert_eq!(keys(config), ["hidden"]);
    assert_eq!(keys(VitConfig::default()), [""; 0]);

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
    let refused = config.validate().into_iter().map(|(key, _)| key);
    assert_eq!(refused.collect::<Vec<_>>(), ["layers"]);
    assert_eq!(config.least_weights(&shape(32, usize::MAX)), usize::MAX);
}
