use burn::module::Module;

use super::*;
use crate::layers::weight::Weight;

fn numbers<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    param.val().into_data().try_to_vec().unwrap()
}

fn mean_and_std(values: &[f32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let square = |&v: &f32| (f64::from(v) - mean).powi(2);
    (
        mean,
        (values.iter().map(square).sum::<f64>() / count).sqrt(),
    )
}

fn init(seed: u64) -> Init {
    Init::new(seed, &Device::flex())
}

#[test]
fn linear_has_pytorchs_bound_for_weight_and_bias() {
    let linear = init(3).linear(400, 100, true);
    let Weight::Whole(weight) = &linear.weight else {
        panic!("whole")
    };
    let weight = numbers(weight);
    let bound = 1.0 / 20.0;
    assert!(weight.iter().all(|v| v.abs() <= bound));
    assert!(weight.iter().any(|v| v.abs() > 0.999 * bound));
    let (mean, std) = mean_and_std(&weight);
    assert!(mean.abs() < 1e-3, "{mean}");
    // The standard deviation of a uniform distribution is its bound over the root of three.
    assert!(
        (std * 3f64.sqrt() / f64::from(bound) - 1.0).abs() < 0.01,
        "{std}"
    );
    let bias = numbers(linear.bias.as_ref().unwrap());
    assert!(bias.iter().all(|v| v.abs() <= bound));
    assert!(bias.iter().any(|v| v.abs() > 0.8 * bound));
    assert!(init(3).linear(400, 100, false).bias.is_none());
}

#[test]
fn embedding_is_standard_normal() {
    let table = init(5).embedding(500, 40);
    let (mean, std) = mean_and_std(&numbers(&table.weight));
    assert!(
        mean.abs() < 0.03 && (std - 1.0).abs() < 0.03,
        "{mean} {std}"
    );
    let table = numbers(&init(5).category_embedding(500, 40).weight);
    assert!(table[..40].iter().all(|&v| v == 0.0));
    assert!(table[40..].iter().all(|&v| v != 0.0));
}

#[test]
fn the_first_numbers_never_change() {
    // The uniform ones were computed apart from this crate, from ChaCha's definition.
    let mut init = init(42);
    let uniform = Values::Uniform { bound: 1.0 };
    let expected = [-0.303_491_06, -0.428_602_84, -0.013_055_071];
    assert_eq!(numbers(&init.param([3], uniform)), expected);
    let expected = [0.553_727_7, -0.596_048_9, 0.264_279_22];
    assert_eq!(numbers(&init.param([3], uniform)), expected);
    let normal = Values::Normal { std: 1.0 };
    let expected = [-0.183_187_93, 0.102_165_55, 0.073_058_16];
    assert_eq!(numbers(&init.param([3], normal)), expected);
}

#[test]
fn values_depend_on_seed_and_index_alone() {
    let values = Values::Normal { std: 1.0 };
    let draw = |seed, index: usize| {
        let mut init = init(seed);
        let params: Vec<_> = (0..=index).map(|_| init.param([8], values)).collect();
        // Touched last to first: the order of use must not show.
        let drawn: Vec<_> = params.iter().rev().map(numbers).collect();
        drawn[0].clone()
    };
    assert_eq!(draw(1, 2), draw(1, 2));
    assert_ne!(draw(1, 2), draw(2, 2));
    assert_ne!(draw(1, 2), draw(1, 1));
    assert_ne!(draw(1 << 40, 0), draw(0, 0));
}

#[test]
fn ids_count_from_one_and_flags_do_not_shift_them() {
    let mut init = init(0);
    let dropout = init.dropout(0.5);
    let norm = init.batch_norm(4);
    let linear = init.linear(4, 2, true);
    let ids = burn::module::list_param_ids(&(norm.clone(), linear.clone()));
    let mut ids: Vec<_> = ids
        .iter()
        .map(ParamId::val)
        .filter(|&id| id < 1000)
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    assert_eq!(dropout.training.id.val(), u64::MAX);
    assert_eq!(norm.training.id.val(), u64::MAX - 1);
    assert_eq!(linear.weight.id().val(), 5);
}

#[test]
fn parameters_require_gradients_and_statistics_do_not() {
    let device = Device::flex().autodiff();
    let mut init = Init::new(0, &device);
    let norm = init.batch_norm(3);
    assert!(norm.gamma.val().is_require_grad());
    assert!(!norm.running_mean.value().is_require_grad());
    let linear = Init::new(0, &Device::flex()).linear(2, 2, true);
    assert!(!linear.weight.val().is_require_grad());
    assert!(linear.train().weight.val().is_require_grad());
}
