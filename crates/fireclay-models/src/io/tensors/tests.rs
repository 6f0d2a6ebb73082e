use burn::module::list_param_ids;

use super::*;
use crate::init::Init;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::linear::Linear;

#[derive(Module, Debug)]
struct Small {
    linear: Linear,
    norm: BatchNorm,
}

fn small(seed: u64, device: &Device) -> Small {
    let mut init = Init::new(seed, device);
    Small {
        linear: init.linear(3, 2, true),
        norm: init.batch_norm(2),
    }
}

fn step(model: &Small, device: &Device) {
    let input = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [-4.0, 0.5, 0.0]], device);
    model.norm.forward(model.linear.forward(input));
}

#[test]
fn paths_come_in_visiting_order() {
    let tensors = to_tensors(&small(0, &Device::flex()));
    let paths: Vec<_> = tensors.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "linear.weight",
        "linear.bias",
        "norm.gamma",
        "norm.beta",
        "norm.running_mean",
        "norm.running_var",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn the_last_update_of_running_statistics_is_in() {
    let device = Device::flex().autodiff();
    let model = small(0, &device);
    step(&model, &device);
    let (_, mean) = to_tensors(&model).remove(4);
    assert_eq!(mean, model.norm.running_mean.value_sync().into_data());
    assert!(mean.iter::<f32>().any(|value| value != 0.0));
}

#[test]
fn restoring_into_a_used_model_drops_its_pending_statistics() {
    let device = Device::flex().autodiff();
    let saved = to_tensors(&small(0, &device));
    let used = small(1, &device);
    step(&used, &device);
    let restored = from_tensors(used, saved.clone()).unwrap();
    assert_eq!(to_tensors(&restored), saved);
    step(&restored, &device);
    let fresh = small(0, &device);
    step(&fresh, &device);
    assert_eq!(to_tensors(&restored), to_tensors(&fresh));
}

#[test]
fn ids_and_gradient_requirements_stay() {
    let device = Device::flex().autodiff();
    let mut model = small(1, &device);
    model.linear.weight = model.linear.weight.set_require_grad(false);
    let ids = list_param_ids(&model);
    let restored = from_tensors(model, to_tensors(&small(0, &device))).unwrap();
    assert_eq!(list_param_ids(&restored), ids);
    assert!(!restored.linear.weight.val().is_require_grad());
    assert!(restored.linear.bias.unwrap().val().is_require_grad());
    assert!(!restored.norm.running_mean.value().is_require_grad());
}

#[test]
fn bits_that_are_no_ordinary_numbers_survive() {
    let device = Device::flex();
    let mut tensors = to_tensors(&small(0, &device));
    let bits = [f32::NAN.to_bits() | 1, (-0.0f32).to_bits()];
    tensors[1].1 = TensorData::new(bits.map(f32::from_bits).to_vec(), [2]);
    let restored = from_tensors(small(0, &device), tensors).unwrap();
    let (_, bias) = to_tensors(&restored).remove(1);
    let found: Vec<u32> = bias.iter::<f32>().map(f32::to_bits).collect();
    assert_eq!(found, bits);
}

#[test]
fn every_difference_is_listed() {
    let device = Device::flex();
    let mut tensors = to_tensors(&small(0, &device));
    tensors[0].0 = "linear.wait".to_string();
    tensors[2].1 = TensorData::new(vec![1.0f32], [1]);
    tensors[3].1 = TensorData::new(vec![1.0f64; 2], [2]);
    let error = from_tensors(small(0, &device), tensors).unwrap_err();
    let expected = "the tensors do not fit the model: linear.weight is missing; \
                    norm.gamma has shape [1], but the model needs [2]; \
                    norm.beta holds f64, but the model needs f32; \
                    linear.wait is not part of the model";
    assert_eq!(error.to_string(), expected);
}
