use burn::tensor::{Device, Int};

use super::*;
use crate::check::check_model;
use crate::family::{Architecture, Layered};
use crate::fixtures::{images, keys};
use crate::reference::generator;
use crate::vision::ImageConfig;
use crate::vision::inverted_residual::ImagePadding;
use crate::vision::tests::assert_takes;

fn shape(height: usize, width: usize) -> ImageShape {
    images(3, height, width, 4)
}

/// All stages, with a block or two each.
fn tiny() -> EfficientNetConfig {
    EfficientNetConfig {
        width: Some(0.1),
        depth: Some(0.5),
        ..EfficientNetConfig::default()
    }
}

#[test]
fn published_sizes_have_the_published_numbers_of_parameters() {
    for (size, expected) in [
        (EfficientNetSize::B0, 5_288_548),
        (EfficientNetSize::B1, 7_794_184),
        (EfficientNetSize::B2, 9_109_994),
        (EfficientNetSize::B3, 12_233_232),
        (EfficientNetSize::B4, 19_341_616),
        (EfficientNetSize::B5, 30_389_784),
        (EfficientNetSize::B6, 43_040_704),
        (EfficientNetSize::B7, 66_347_960),
    ] {
        let config = EfficientNetConfig {
            size,
            ..EfficientNetConfig::default()
        };
        let shape = images(3, 224, 224, 1000);
        let model = config.init(&shape, 0, &Device::flex());
        // Burn counts the running statistics, PyTorch does not.
        let rows = config.stages();
        let norms = |row: &crate::vision::inverted_residual::Row| {
            let widened = if row.expanded == row.input {
                0
            } else {
                row.expanded
            };
            widened + row.expanded + row.output
        };
        let [first, _, last] = config.ends();
        let norms: usize = rows.iter().flatten().map(norms).sum();
        let found = model.num_params() - 2 * (norms + first + last);
        assert_eq!(found, expected, "{size:?}");
        let least = config.least_weights(&shape);
        assert!(least <= found && least > found / 2, "{size:?} {least}");
    }
}

#[test]
fn check() {
    for padding in [ImagePadding::Symmetric, ImagePadding::Same] {
        let config = EfficientNetConfig { padding, ..tiny() };
        check_model(ImageConfig::Efficientnet(config), shape(40, 33));
    }
}

#[test]
fn any_image_will_do() {
    for padding in [ImagePadding::Symmetric, ImagePadding::Same] {
        let config = EfficientNetConfig { padding, ..tiny() };
        assert_takes(&config, &shape(1, 1));
        assert_takes(&config, &shape(7, 33));
    }
}

#[test]
fn layers_follow_the_blocks() {
    let config = EfficientNetConfig::default();
    assert_eq!(config.layers(), 19);
    for (name, layer) in [
        ("features.0.1.weight", Some(0)),
        ("features.1.0.block.0.0.weight", Some(1)),
        ("features.2.1.block.3.1.bias", Some(3)),
        ("features.7.0.block.2.fc1.bias", Some(16)),
        ("features.8.0.weight", Some(17)),
        ("classifier.1.bias", None),
    ] {
        assert_eq!(config.layer_of(name), layer, "{name}");
    }
}

#[test]
fn dropout_and_stochastic_depth_act_in_training_alone() {
    let _alone = generator();
    let (device, plain) = (Device::flex().autodiff(), Device::flex());
    for (dropout, drop_path_rate) in [(0.5, 0.0), (0.0, 0.5)] {
        let config = EfficientNetConfig {
            dropout,
            drop_path_rate,
            ..tiny()
        };
        let run = |device: &Device| {
            let model = config.init(&shape(32, 32), 1, device);
            // Images that are all alike become zeros in the last norm, of which dropout leaves zeros.
            let values = Tensor::<1, Int>::arange(0..8 * 3 * 32 * 32, device).float();
            let pixels = values.sin().reshape([8, 3, 32, 32]);
            model.forward(pixels).into_data()
        };
        assert_ne!(run(&device), run(&device));
        assert_eq!(run(&plain), run(&plain));
    }
}

#[test]
fn all_impossible_values_are_reported() {
    for factor in [0.0, -1.0, 17.0, f64::NAN, f64::INFINITY] {
        let config = EfficientNetConfig {
            width: Some(factor),
            depth: Some(factor),
            dropout: 1.0,
            drop_path_rate: -0.5,
            norm_eps: Some(0.0),
            ..EfficientNetConfig::default()
        };
        let expected = ["width", "depth", "drop_path_rate", "dropout", "norm_eps"];
        assert_eq!(keys(config.validate()), expected);
    }
    assert_eq!(EfficientNetConfig::default().validate(), []);
}
