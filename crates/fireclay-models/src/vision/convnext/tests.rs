use burn::tensor::Device;

use super::*;
use crate::check::check_model;
use crate::family::{Architecture, Layered};
use crate::fixtures::{images, keys};
use crate::reference::{Tensors, assert_names, fill, read};
use crate::vision::ImageConfig;
use crate::vision::tests::{assert_agrees, assert_drops, assert_takes};

fn shape(side: usize, outputs: usize) -> ImageShape {
    images(3, side, side, outputs)
}

/// The model of the reference in `tests/data/convnext-tiny`.
fn tiny() -> ConvNextConfig {
    ConvNextConfig {
        depths: Some([1, 1, 2, 1]),
        widths: Some([8, 16, 24, 32]),
        ..ConvNextConfig::default()
    }
}

fn torch_name(path: &str) -> String {
    names::torch_name(path).unwrap()
}

/// The reference's model.
fn filled(config: &ConvNextConfig) -> ConvNext {
    let model = config.init(&shape(64, 6), 0, &Device::flex().autodiff());
    fill(model, read("convnext-tiny/model"), torch_name)
}

#[test]
fn agrees_with_torchvision_forwards_and_backwards() {
    assert_agrees(&filled(&tiny()), "convnext-tiny", torch_name);
}

/// Every name of the reference in another's spelling, and back.
fn comes_back(spell: impl Fn(&str) -> String) {
    let names: Tensors = read("convnext-tiny/model");
    for name in names.keys() {
        let other = spell(name);
        let found = names::canonical_name(&other);
        assert_eq!(found.as_deref(), Some(name.as_str()), "{other}");
    }
}

#[test]
fn timms_names() {
    comes_back(|name| {
        let name = name
            .replace("features.0.", "stem.")
            .replace("classifier.0.", "head.norm.")
            .replace("classifier.2.", "head.fc.")
            .replace("block.0.", "conv_dw.")
            .replace("block.2.", "norm.")
            .replace("block.3.", "mlp.fc1.")
            .replace("block.5.", "mlp.fc2.")
            .replace("layer_scale", "gamma");
        (1..4).fold(
            name.replace("features.1.", "stages.0.blocks."),
            |name, stage| {
                name.replace(
                    &format!("features.{}.", 2 * stage),
                    &format!("stages.{stage}.downsample."),
                )
                .replace(
                    &format!("features.{}.", 2 * stage + 1),
                    &format!("stages.{stage}.blocks."),
                )
            },
        )
    });
}

#[test]
fn the_papers_names() {
    comes_back(|name| {
        let name = name
            .replace("classifier.0.", "norm.")
            .replace("classifier.2.", "head.")
            .replace("block.0.", "dwconv.")
            .replace("block.2.", "norm.")
            .replace("block.3.", "pwconv1.")
            .replace("block.5.", "pwconv2.")
            .replace("layer_scale", "gamma");
        (0..4).fold(name, |name, stage| {
            name.replace(
                &format!("features.{}.", 2 * stage),
                &format!("downsample_layers.{stage}."),
            )
            .replace(
                &format!("features.{}.", 2 * stage + 1),
                &format!("stages.{stage}."),
            )
        })
    });
    for foreign in [
        "stages.9.downsample.0.bias",
        "stages.x.0.norm.bias",
        "fc.bias",
    ] {
        assert_eq!(names::canonical_name(foreign), None);
    }
}

#[test]
fn published_sizes_have_the_published_numbers_of_parameters() {
    let count = |size| {
        let config = ConvNextConfig {
            size,
            ..ConvNextConfig::default()
        };
        let shape = shape(224, 1000);
        let parameters = config.init(&shape, 0, &Device::flex()).num_params();
        let least = config.least_weights(&shape);
        assert!(least <= parameters && least > parameters / 10 * 9);
        parameters
    };
    assert_eq!(count(ConvNextSize::Tiny), 28_589_128);
    assert_eq!(count(ConvNextSize::Small), 50_223_688);
    assert_eq!(count(ConvNextSize::Base), 88_591_464);
    assert_eq!(count(ConvNextSize::Large), 197_767_336);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let config = ImageConfig::Convnext(tiny());
    assert_names(&config, &shape(64, 6), read("convnext-tiny/model"));
}

#[test]
fn check() {
    check_model(ImageConfig::Convnext(tiny()), shape(32, 3));
}

#[test]
fn layers_follow_the_blocks() {
    let config = tiny();
    assert_eq!(config.layers(), 7);
    for (name, layer) in [
        ("features.0.1.weight", Some(0)),
        ("features.1.0.layer_scale", Some(1)),
        ("features.2.1.weight", Some(2)),
        ("features.3.0.block.3.bias", Some(2)),
        ("features.4.0.bias", Some(3)),
        ("features.5.0.layer_scale", Some(3)),
        ("features.5.1.block.0.weight", Some(4)),
        ("features.6.1.weight", Some(5)),
        ("features.7.0.block.2.bias", Some(5)),
        ("classifier.0.bias", Some(6)),
        ("classifier.2.bias", Some(6)),
        ("fc.bias", None),
    ] {
        assert_eq!(config.layer_of(name), layer, "{name}");
    }
}

#[test]
fn small_images_need_small_patches() {
    let config = tiny();
    assert_eq!(config.validate_for(&shape(32, 2)), []);
    assert_eq!(config.validate_for(&shape(31, 2)).len(), 1);
    let config = ConvNextConfig {
        patch_size: 1,
        ..tiny()
    };
    assert_takes(&config, &images(1, 8, 13, 2));
}

#[test]
fn drop_path_acts_in_training_alone() {
    let config = ConvNextConfig {
        drop_path_rate: 0.5,
        ..tiny()
    };
    assert_drops(&filled(&config), "convnext-tiny");
}

#[test]
fn all_impossible_values_are_reported() {
    let config = ConvNextConfig {
        depths: Some([1, 0, 1, 1]),
        widths: Some([0; 4]),
        patch_size: 0,
        drop_path_rate: -0.1,
        ..ConvNextConfig::default()
    };
    assert_eq!(
        keys(config.validate()),
        ["depths", "widths", "patch_size", "drop_path_rate"]
    );
    assert_eq!(ConvNextConfig::default().validate(), []);
    let config = ConvNextConfig {
        depths: Some([usize::MAX; 4]),
        widths: Some([usize::MAX; 4]),
        ..tiny()
    };
    assert_eq!(config.least_weights(&shape(32, 2)), usize::MAX);
}
