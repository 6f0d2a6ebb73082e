use burn::module::{ModuleMapper, Param};
use burn::tensor::Device;

use super::*;
use crate::check::check_model;
use crate::family::Architecture;
use crate::fixtures::{images, keys};
use crate::reference::{assert_names, fill, read};
use crate::vision::ImageConfig;
use crate::vision::inverted_residual::{Layer, round_to_eight};
use crate::vision::tests::{assert_agrees, assert_evaluation, assert_takes};

fn shape(height: usize, width: usize, outputs: usize) -> ImageShape {
    images(3, height, width, outputs)
}

/// The model of the reference in `tests/data/mobilenet-v3-tiny`.
fn tiny() -> MobileNetV3Config {
    MobileNetV3Config {
        size: MobileNetV3Size::Small,
        width: 0.1,
        dropout: 0.0,
        ..MobileNetV3Config::default()
    }
}

/// The reference's model with its running statistics, on `device`.
fn reference(device: &Device) -> MobileNetV3 {
    let model = tiny().init(&shape(32, 40, 5), 0, device);
    let file = read("mobilenet-v3-tiny/model");
    fill(model, file, config::torch_name)
}

#[test]
fn agrees_with_torchvision_forwards_and_backwards() {
    // Frozen norms take the running statistics, as PyTorch's do in evaluation; the parameters
    // need their gradients back.
    let model = reference(&Device::flex().autodiff());
    let model = model.freeze().map(&mut Thaw);
    assert_agrees(&model, "mobilenet-v3-tiny", config::torch_name);
}

#[test]
fn evaluation_agrees_with_torchvision() {
    assert_evaluation(&reference(&Device::flex()), "mobilenet-v3-tiny");
}

#[test]
fn published_sizes_have_the_published_numbers_of_parameters() {
    let count = |size| {
        let config = MobileNetV3Config {
            size,
            ..MobileNetV3Config::default()
        };
        let shape = shape(224, 224, 1000);
        let model = config.init(&shape, 0, &Device::flex());
        assert!(config.least_weights(&shape) <= model.num_params());
        // Burn counts the running statistics, PyTorch does not.
        let norms = |feature: &Feature| match feature {
            Feature::Conv(conv) => conv.norm.gamma.dims()[0],
            Feature::Block(block) => block
                .block
                .iter()
                .map(|layer| match layer {
                    Layer::Conv(conv) => conv.norm.gamma.dims()[0],
                    Layer::Squeeze(_) => 0,
                })
                .sum(),
        };
        let channels: usize = model.features.iter().map(norms).sum();
        model.num_params() - 2 * channels
    };
    assert_eq!(count(MobileNetV3Size::Small), 2_542_856);
    assert_eq!(count(MobileNetV3Size::Large), 5_483_032);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let config = ImageConfig::MobilenetV3(tiny());
    assert_names(&config, &shape(32, 40, 5), read("mobilenet-v3-tiny/model"));
}

#[test]
fn check() {
    for size in [MobileNetV3Size::Small, MobileNetV3Size::Large] {
        let config = MobileNetV3Config { size, ..tiny() };
        check_model(ImageConfig::MobilenetV3(config), shape(40, 33, 3));
    }
}

#[test]
fn channels_are_rounded_as_in_the_papers_code() {
    let found = [1.0, 8.0, 9.6, 11.9, 12.0, 18.0, 43.9, 1000.0].map(round_to_eight);
    assert_eq!(found, [8, 8, 16, 16, 16, 24, 40, 1000]);
}

#[test]
fn any_image_will_do() {
    assert_takes(&tiny(), &shape(1, 1, 2));
    assert_takes(&tiny(), &shape(7, 33, 2));
}

#[test]
fn all_impossible_values_are_reported() {
    for width in [0.0, -1.0, 17.0, f64::NAN, f64::INFINITY] {
        let config = MobileNetV3Config {
            width,
            dropout: 1.0,
            ..MobileNetV3Config::default()
        };
        assert_eq!(keys(config.validate()), ["width", "dropout"]);
    }
    assert_eq!(MobileNetV3Config::default().validate(), []);
}

/// Gives frozen parameters their gradients back, and leaves the flags of layers cleared.
struct Thaw;

impl ModuleMapper for Thaw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.set_require_grad(true)
    }
}
