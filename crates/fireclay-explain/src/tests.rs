//! The methods against other programs and against what is known by hand.

use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use crate::*;

/// What captum and shap find for two small networks; see `definitions` in the files.
const CAPTUM: &str = include_str!("../tests/data/captum.json");
const SHAP: &str = include_str!("../tests/data/shap.json");

fn numbers(value: &Value) -> Vec<f32> {
    let list = value.as_array().expect("a list").iter();
    list.map(|number| number.as_f64().expect("a number") as f32)
        .collect()
}

fn matrix(value: &Value) -> (Vec<f32>, [usize; 2]) {
    let rows: Vec<Vec<f32>> = value
        .as_array()
        .expect("a list")
        .iter()
        .map(numbers)
        .collect();
    (rows.concat(), [rows.len(), rows[0].len()])
}

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).expect("JSON");
    file["cases"].as_array().expect("cases").clone()
}

/// The outputs of a network of the fixture.
fn outputs(case: &Value, points: Tensor<2>) -> Tensor<2> {
    let layers = case["layers"].as_array().expect("layers").iter();
    layers.fold(points, |x, layer| {
        let (weight, dims) = matrix(&layer["weight"]);
        let weight = Tensor::<2>::from_data(TensorData::new(weight, dims), &x.device());
        let bias = numbers(&layer["bias"]);
        let bias = Tensor::<1>::from_data(TensorData::new(bias, [dims[0]]), &x.device());
        let x = x.matmul(weight.transpose()) + bias.unsqueeze();
        match layer["activation"].as_str() {
            Some("tanh") => x.tanh(),
            Some("relu") => relu(x),
            _ => x,
        }
    })
}

fn place(width: usize) -> Place {
    Place {
        device: Device::flex(),
        width,
        batch: 7,
    }
}

fn assert_close(found: &[f64], wanted: &[f32], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        let most = 1e-4 * f64::from(wanted.abs()).max(1.0);
        assert!(
            (found - f64::from(*wanted)).abs() < most,
            "{what}: {found} {wanted}"
        );
    }
}

#[test]
fn gradients_and_integrals_are_captums() {
    for case in cases(CAPTUM) {
        let values = &case["values"];
        let inputs = case["inputs"].as_array().expect("inputs");
        for (index, input) in inputs.iter().enumerate() {
            let point = numbers(input);
            let target = case["targets"][index].as_u64().expect("a target") as usize;
            let f = Differentiated {
                of: |x| outputs(&case, x).narrow(1, target, 1).squeeze_dim(1),
                place: place(point.len()),
            };
            let wanted = |name: &str| numbers(&values[name][index]);
            assert_close(&gradient(&f, &point), &wanted("gradient"), "gradient");
            assert_close(&saliency(&f, &point), &wanted("saliency"), "saliency");
            let found = input_x_gradient(&f, &point);
            assert_close(&found, &wanted("input_x_gradient"), "input x gradient");
            let baseline = vec![0.0; point.len()];
            let found = integrated_gradients(&f, &point, &baseline, 64);
            let wanted = wanted("integrated_gradients");
            assert_close(&found.attributions, &wanted, "integrated gradients");
            let delta = values["ig_convergence_delta"][index]
                .as_f64()
                .expect("a number");
            let error = found.completeness.error();
            assert!((error - delta).abs() < 1e-4, "{error} {delta}");
        }
    }
}

#[test]
fn shapley_values_are_those_of_the_shap_package() {
    for (case, wanted) in cases(CAPTUM).iter().zip(cases(SHAP)) {
        assert_eq!(case["name"], wanted["name"]);
        let (background, [_, width]) = matrix(&wanted["background"]);
        let groups: Vec<Vec<usize>> = (0..width).map(|at| vec![at]).collect();
        let inputs = case["inputs"].as_array().expect("inputs");
        for (index, input) in inputs.iter().enumerate() {
            let point = numbers(input);
            let target = case["targets"][index].as_u64().expect("a target") as usize;
            let f = Valued {
                of: |x| {
                    let probability = softmax(outputs(case, x), 1).narrow(1, target, 1);
                    probability.into_data().iter().collect()
                },
                place: place(width),
            };
            let shares = numbers(&wanted["shapley"][index]);
            let exact = exact_shapley(&f, &point, &background, &groups);
            assert_close(&exact.values, &shares, "exact");
            let base = wanted["base"][index].as_f64().expect("a number") as f32;
            assert_close(&[exact.base], &[base], "base");

            let drawn = sampled_shapley(&f, &point, &background, &groups, (50, 3));
            assert_close(&[drawn.base], &[base], "base");
            let sums = [
                drawn.values.iter().sum::<f64>() + drawn.base,
                f.values(&point)[0],
            ];
            assert!((sums[0] - sums[1]).abs() < 1e-5, "{sums:?}");
            for ((found, share), error) in drawn
                .values
                .iter()
                .zip(&exact.values)
                .zip(drawn.errors.expect("errors"))
            {
                let gap = (found - share).abs();
                assert!(
                    gap < 4.0 * error + 1e-6 && gap < 0.03,
                    "{found} {share} {error}"
                );
            }
        }
    }
}

/// w · x + 10 x0 x1, by hand.
struct Bent;

impl Function for Bent {
    fn width(&self) -> usize {
        3
    }

    fn values(&self, points: &[f32]) -> Vec<f64> {
        let value = |x: &[f32]| f64::from(x[0] + 2.0 * x[1] - 3.0 * x[2] + 10.0 * x[0] * x[1]);
        points.chunks(3).map(value).collect()
    }
}

impl Smooth for Bent {
    fn gradients(&self, points: &[f32]) -> Vec<f32> {
        let slopes = |x: &[f32]| [1.0 + 10.0 * x[1], 2.0 + 10.0 * x[0], -3.0];
        points.chunks(3).flat_map(slopes).collect()
    }
}

#[test]
fn covering_takes_away_what_a_group_gives() {
    let groups = [vec![0, 1], vec![2], vec![]];
    let found = occlusion(&Bent, &[1.0, 2.0, 3.0], &[0.0, 1.0, 1.0], &groups);
    assert_eq!(found, [1.0 + 2.0 + 20.0, -6.0, 0.0]);
}

#[test]
fn patches_cover_an_image() {
    let found = patches([2, 5, 4], 2, 2);
    assert_eq!(found.len(), 3 * 2);
    assert_eq!(found[0], [0, 1, 4, 5, 20, 21, 24, 25]);
    let covered = spread(&vec![1.0; found.len()], &found, 40);
    assert!(covered.iter().all(|loss| *loss == 1.0));
    assert_eq!(patches([1, 2, 2], 9, 3).concat(), [0, 1, 2, 3]);
    let means = spread(&[1.0, 3.0], &[vec![0, 1], vec![1]], 3);
    assert_eq!(means, [1.0, 2.0, 0.0]);
}

#[test]
fn noise_leaves_the_gradient_of_a_bilinear_function() {
    let noise = Noise {
        samples: 2000,
        level: 0.15,
        seed: 1,
    };
    let point = [1.0, -1.0, 0.5];
    let found = smooth_grad(&Bent, &point, noise);
    for (found, wanted) in found.iter().zip(Bent.gradients(&point)) {
        assert!((found - f64::from(wanted)).abs() < 0.3, "{found} {wanted}");
    }
    assert_eq!(found, smooth_grad(&Bent, &point, noise));
    let other = Noise { seed: 2, ..noise };
    assert_ne!(found, smooth_grad(&Bent, &point, other));
}

#[test]
fn dependence_is_the_mean_of_the_rows() {
    let rows = [0.0, 1.0, 0.0, 0.0, 3.0, 0.0];
    let grid = [0.0, 9.0, 9.0, 2.0, 9.0, 9.0];
    let found = partial_dependence(&Bent, &rows, &grid, &[0]);
    assert_eq!(found.each, [vec![2.0, 24.0], vec![6.0, 68.0]]);
    assert_eq!(found.mean, [4.0, 46.0]);
}

#[test]
fn a_column_that_is_not_read_is_of_no_importance() {
    let rows: Vec<f32> = (0..40)
        .flat_map(|x| [x as f32, (x * 7 % 40) as f32])
        .collect();
    let truth = |row: &[f32]| 2.0 * f64::from(row[0]);
    // The score of a perfect model of the first number.
    let score = |points: &[f32]| {
        let errors = points.chunks(2).zip(rows.chunks(2));
        -errors
            .map(|(x, row)| (truth(x) - truth(row)).powi(2))
            .sum::<f64>()
            / 40.0
    };
    let groups = [vec![0], vec![1]];
    let found = permutation_importance(&score, (&rows, 2), &groups, (20, 5));
    assert_eq!(found[1].each, [0.0; 20]);
    // 2 Var(2 x) for a permutation drawn at random, but for n / (n - 1).
    let variance = 4.0 * (40.0 * 40.0 - 1.0) / 12.0;
    let gap = (found[0].mean / (2.0 * variance) - 1.0).abs();
    assert!(gap < 0.15, "{}", found[0].mean);
    let again = permutation_importance(&score, (&rows, 2), &groups, (20, 5));
    assert_eq!(found, again);
}

#[test]
fn maps_are_weighed_by_their_mean_gradient() {
    let maps = [1.0, 2.0, 3.0, 4.0, -1.0, 5.0];
    let gradients = [1.0, 3.0, 2.0, -1.0, -1.0, -1.0];
    // Weights 2 and -1.
    assert_eq!(grad_cam(&maps, &gradients, 3), [0.0, 5.0, 1.0]);
}

#[test]
fn attention_rolls_out_by_hand() {
    // Two heads whose mean is [[0.5, 0.5], [0, 1]]; with the residual [[0.75, 0.25], [0, 1]].
    let layer = vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0];
    assert_eq!(
        attention_rollout(std::slice::from_ref(&layer), 2),
        [0.75, 0.25, 0.0, 1.0]
    );
    let twice = attention_rollout(&[layer.clone(), layer], 2);
    assert_eq!(twice, [0.5625, 0.4375, 0.0, 1.0]);
    // The later layer is on the left: attention of the first, then none.
    let none = vec![1.0, 0.0, 0.0, 1.0];
    let first = vec![0.0, 1.0, 0.0, 1.0];
    assert_eq!(attention_rollout(&[first, none], 2), [0.5, 0.5, 0.0, 1.0]);
}

/// The sum of very many numbers.
struct Total(usize);

impl Function for Total {
    fn width(&self) -> usize {
        self.0
    }

    fn values(&self, points: &[f32]) -> Vec<f64> {
        // More at once would fill the memory where there are a hundred thousand columns.
        assert!(points.len() <= 5_000_000, "{} numbers", points.len());
        let sum = |point: &[f32]| point.iter().map(|value| f64::from(*value)).sum();
        points.chunks_exact(self.0).map(sum).collect()
    }
}

#[test]
fn shares_of_very_many_columns_are_found_piece_by_piece() {
    let width = 3000;
    let point: Vec<f32> = (0..width).map(|at| (at % 7) as f32).collect();
    let groups: Vec<Vec<usize>> = (0..width).map(|at| vec![at]).collect();
    let background = vec![1.0; width];
    let found = sampled_shapley(&Total(width), &point, &background, &groups, (1, 3));
    let wanted: Vec<f64> = point.iter().map(|value| f64::from(*value) - 1.0).collect();
    for (found, wanted) in found.values.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
    }
}
