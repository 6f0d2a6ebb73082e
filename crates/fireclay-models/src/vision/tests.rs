use burn::module::Module;
use burn::tensor::Device;

use super::*;
use crate::family::tests::defaults;
use crate::family::{Family, Pretrainable};
use crate::fixtures::images;
use crate::reference::{self, assert_close, assert_gradients, gradients, read};

/// Fails unless the logits, in training without dropout and in evaluation, and the gradients are
/// torchvision's, which are in the folder `case` of `tests/data`.
pub fn assert_agrees<M: Module + ImageNetwork>(
    model: &M,
    case: &str,
    torch_name: impl Fn(&str) -> String,
) {
    let (device, io) = (Device::flex().autodiff(), read(&format!("{case}/io")));
    let logits = model.forward(reference::images(&io, &device));
    assert_close(&logits.to_data(), &io["logits"], 2e-5, case);
    let loss = reference::loss(logits, &io);
    assert_close(&loss.to_data(), &io["loss"], 2e-5, case);
    let found = gradients(model, &loss.backward(), torch_name);
    assert_gradients(&found, &read(&format!("{case}/grads")), 1e-4);
    assert_evaluation(&model.valid(), case);
}

/// As [`assert_agrees`] for the logits of a model without autodiff.
pub fn assert_evaluation(model: &impl ImageNetwork, case: &str) {
    let io = read(&format!("{case}/io"));
    let logits = model.forward(reference::images(&io, &Device::flex()));
    assert_close(&logits.into_data(), &io["logits"], 2e-5, case);
}

/// Fails unless the model takes images of this shape.
pub fn assert_takes<C>(config: &C, shape: &ImageShape)
where
    C: Architecture<Shape = ImageShape, Model: ImageNetwork>,
{
    let (device, ImageShape { height, width, .. }) = (Device::flex(), *shape);
    assert_eq!(config.validate_for(shape), []);
    let model = config.init(shape, 0, &device);
    let pixels = Tensor::ones([3, shape.channels, height, width], &device);
    assert_eq!(model.forward(pixels).dims(), [3, shape.outputs]);
}

/// Fails unless two draws of training differ, equal ones do not, and evaluation agrees with
/// torchvision.
pub fn assert_drops<M: Module + ImageNetwork>(model: &M, case: &str) {
    let _alone = reference::generator();
    let (device, io) = (Device::flex().autodiff(), read(&format!("{case}/io")));
    let run = |seed| {
        device.seed(seed);
        model.forward(reference::images(&io, &device)).into_data()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_evaluation(&model.valid(), case);
}

#[test]
fn every_layer_holds_a_tensor_and_the_head_is_last() {
    let shape = images(3, 32, 32, 5);
    for config in defaults::<ImageConfig>() {
        let model = config.init(&shape, 0, &Device::flex());
        let names = crate::io::weights::parameter_names(&config, &model);
        let mut seen = vec![false; config.layers()];
        for (_, name) in names {
            let layer = config.layer_of(&name);
            seen[layer] = true;
            // The last norm or the layer before the head may be there too.
            if name.starts_with(&format!("{}.", config.head())) {
                assert_eq!(layer + 1, config.layers(), "{name}");
            }
        }
        assert!(seen.iter().all(|&seen| seen), "{config:?} {seen:?}");
        let order = format!("{}.weight", config.head());
        assert_eq!(config.layer_of(&order), config.layers() - 1);
    }
}

#[test]
fn least_weights_is_a_close_lower_bound() {
    let shape = images(3, 32, 32, 5);
    for config in defaults::<ImageConfig>() {
        let weights = config.init(&shape, 0, &Device::flex()).num_params();
        let least = config.least_weights(&shape);
        assert!(
            least <= weights && least > 1,
            "{config:?} {least} {weights}"
        );
    }
}

#[test]
fn a_shape_of_nothing_is_refused() {
    let shape = images(0, 0, 0, 0);
    for config in defaults::<ImageConfig>() {
        assert_eq!(config.validate_for(&shape).len(), 4);
    }
}
