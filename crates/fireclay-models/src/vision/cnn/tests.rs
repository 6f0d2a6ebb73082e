use super::*;
use crate::check::check_model;
use crate::fixtures::{images, keys};
use crate::vision::ImageConfig;
use crate::vision::tests::assert_takes;

fn shape(channels: usize, height: usize, width: usize) -> ImageShape {
    images(channels, height, width, 3)
}

fn small() -> CnnConfig {
    CnnConfig {
        widths: vec![4, 6],
        // Leaky, because a dead unit has no gradient and the check wants one everywhere.
        activation: Activation::LeakyRelu,
        ..CnnConfig::default()
    }
}

#[test]
fn every_norm_pool_and_end() {
    for norm in [NormKind::None, NormKind::Batch, NormKind::Layer] {
        for (pool, global_average) in [(Pool::Max, true), (Pool::Average, false)] {
            let config = CnnConfig {
                norm,
                pool,
                global_average,
                convs: 2,
                dropout: 0.1,
                ..small()
            };
            check_model(ImageConfig::Cnn(config), shape(2, 9, 12));
        }
    }
}

#[test]
fn counts_its_parameters() {
    let count = |config: &CnnConfig| {
        let model = config.init(&shape(1, 8, 8), 0, &Device::flex());
        model.num_params()
    };
    // Scale, shift and two running statistics for each channel.
    let dense = 4 * 9 + 6 * 4 * 9 + 4 * (4 + 6);
    assert_eq!(count(&small()), dense + 3 * 6 + 3);
    let flat = CnnConfig {
        global_average: false,
        ..small()
    };
    assert_eq!(count(&flat), dense + 3 * 6 * 4 + 3);
}

#[test]
fn an_image_that_is_too_small_is_refused() {
    assert_takes(&small(), &shape(1, 4, 9));
    assert_takes(&small(), &shape(1, 4, 4));
    let (key, text) = small().validate_for(&shape(1, 9, 3)).remove(0);
    assert_eq!(key, "widths");
    assert!(text.ends_with("at most 1 fit"), "{text}");
}

#[test]
fn all_impossible_values_are_reported() {
    let config = CnnConfig {
        widths: vec![],
        convs: 0,
        kernel: 2,
        dropout: f64::NAN,
        ..CnnConfig::default()
    };
    assert_eq!(
        keys(config.validate()),
        ["widths", "convs", "kernel", "dropout"]
    );
    let config = CnnConfig {
        widths: vec![8, usize::MAX],
        convs: usize::MAX,
        kernel: usize::MAX,
        ..CnnConfig::default()
    };
    assert_eq!(config.validate().len(), 3);
    assert_eq!(CnnConfig::default().validate(), []);
}
