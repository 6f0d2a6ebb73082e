//! The one check that every architecture's test calls.

mod batches;
mod families;

use burn::module::Module;
use burn::tensor::{Device, FloatDType, Gradients, Tensor, TensorData};

use crate::family::Family;
use crate::half::halved;
use crate::io::tensors::{from_tensors, to_tensors};
use crate::io::weights::{ModelDescription, Name, decode, encode, plain_names};
use crate::reference::{generator, gradients};

pub use batches::batch;

const BATCH: usize = 6;

/// What the check needs to know of a family beside what every program does.
pub trait Check: Family {
    /// Whatever a batch is made of.
    type Batch: Clone;

    fn outputs(shape: &Self::Shape) -> usize;

    /// A batch in which every input varies.
    fn batch(shape: &Self::Shape, device: &Device) -> Self::Batch;

    fn forward(model: &Self::Model, batch: Self::Batch) -> Tensor<2>;

    /// What explanations need, of a frozen model: see [`check_parts`].
    fn check_parts(_model: &Self::Model, _batch: Self::Batch) {}
}

/// Builds the model and checks that its output has the right shape, that the loss is finite, that
/// a gradient other than zero reaches every parameter, that no more weights are predicted than
/// there are, that there are gradients in half precision too, that the host tensors, Burn's
/// record and the weights file each give back the very same model, and that explanations find
/// features, head and gradients with respect to the input.
///
/// The result is the errors of the gradients in half precision.
pub fn check_model<F: Check>(config: F, shape: F::Shape) -> [f64; 2] {
    assert_eq!(config.validate(), []);
    assert_eq!(config.validate_for(&shape), []);
    let _alone = generator();
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = stir(config.init(&shape, 7, &device));
    assert!(config.least_weights(&shape) <= model.num_params());

    let output = F::forward(&model, F::batch(&shape, &device));
    assert_eq!(output.dims(), [BATCH, F::outputs(&shape)]);
    // Squares, because a sum would not move a model whose last step is a normalisation.
    let loss = (output - 1.0).square().mean();
    assert!(loss.clone().into_scalar::<f32>().is_finite());
    let (missing, _) = reached(&model, &loss.backward());
    assert!(missing.is_empty(), "no gradient reaches {missing:?}");
    let errors = half_errors::<F>(&shape, &model, &device);
    // Rectifiers near zero and pools of near maxima go one way or the other, in deep networks often.
    assert!(
        errors[0] < 0.35 && errors[1] < 0.6,
        "half precision is {errors:?} off"
    );
    check_restoring(&config, &shape, &model, &device);
    F::check_parts(&model.freeze(), F::batch(&shape, &device));
    errors
}

/// Fails unless the outputs are what the head makes of the features, and the gradient of a loss
/// reaches the input, finite.
fn check_parts<const D: usize>(
    input: Tensor<D>,
    features: impl FnOnce(Tensor<D>) -> Tensor<2>,
    head: impl FnOnce(Tensor<2>) -> Tensor<2>,
    expected: Tensor<2>,
) {
    let input = input.detach().require_grad();
    let features = features(input.clone());
    assert_eq!(features.dims()[0], BATCH);
    let outputs = head(features);
    assert_eq!(outputs.to_data(), expected.into_data());
    // A table may have no numeric column.
    if input.shape().num_elements() == 0 {
        return;
    }
    let gradients = (outputs - 1.0).square().mean().backward();
    let gradient = input.grad(&gradients).expect("the input has a gradient");
    let values: Vec<f32> = gradient.into_data().iter().collect();
    assert!(values.iter().all(|value| value.is_finite()));
    assert!(values.iter().any(|value| *value != 0.0));
}

/// How far gradients in `f16` and `bf16` are from the exact ones, relative to the norm of all: finite, and
/// there for every parameter.
fn half_errors<F: Check>(shape: &F::Shape, model: &F::Model, device: &Device) -> [f64; 2] {
    let gradients = |model: &F::Model, scale: f32| {
        device.seed(1);
        let output = F::forward(model, F::batch(shape, device)).cast(FloatDType::F32);
        let loss = (output - 1.0).square().mean() * scale;
        reached(model, &loss.backward())
    };
    let (_, exact) = gradients(model, 1.0);
    [FloatDType::F16, FloatDType::BF16].map(|dtype| {
        let half = halved(model.clone(), dtype);
        // As a training finds it: the largest with which nothing overflows.
        let mut scale = 65536.0;
        let (mut missing, mut found) = gradients(&half, scale);
        while !missing.is_empty() && scale > 1.0 {
            scale /= 2.0;
            (missing, found) = gradients(&half, scale);
        }
        assert!(
            missing.is_empty(),
            "no {dtype:?} gradient reaches {missing:?}"
        );
        let pairs = found.iter().zip(&exact);
        let error: f64 = pairs.map(|(a, b)| f64::from(a / scale - b).powi(2)).sum();
        let size: f64 = exact.iter().map(|value| f64::from(*value).powi(2)).sum();
        (error / size).sqrt()
    })
}

/// Holds the errors of a model without rectifiers to four times the rounding of the two formats.
pub fn check_digits(errors: [f64; 2]) {
    let bounds = [4.0 / 2048.0, 4.0 / 256.0];
    let is_near = errors
        .iter()
        .zip(bounds)
        .all(|(error, bound)| *error < bound);
    assert!(is_near, "gradients in half precision are {errors:?} off");
}

/// Fills matrices that start at zero, behind which no gradient would reach anything.
fn stir<M: Module>(model: M) -> M {
    let fill = |(path, data): (String, TensorData)| {
        let zero = data.iter::<f32>().all(|value| value == 0.0);
        if !zero || data.shape().len() != 2 {
            return (path, data);
        }
        let values: Vec<f32> = (0..data.num_elements())
            .map(|index| 0.1 * (index as f32 * 1.3).sin())
            .collect();
        (path, TensorData::new(values, data.shape()))
    };
    let tensors: Vec<_> = to_tensors(&model).into_iter().map(fill).collect();
    from_tensors(model, tensors).expect("the same shapes")
}

fn check_restoring<F: Check>(config: &F, shape: &F::Shape, model: &F::Model, device: &Device) {
    // After the forward pass the running statistics are no longer their initial values.
    let tensors = to_tensors(model);
    let other = || config.init(shape, 8, device);
    let restored = from_tensors(other(), tensors.clone()).expect("the same architecture");
    assert_eq!(to_tensors(&restored), tensors);
    let restored = other().load_record(model.clone().into_record());
    assert_eq!(to_tensors(&restored), tensors);

    let description = ModelDescription {
        config: config.clone(),
        shape: shape.clone(),
    };
    let bytes = encode(model, &description).expect("finite weights");
    let (restored, found) = decode::<F>(&bytes, device).expect("the file just written");
    assert_eq!(found, description);
    assert_eq!(to_tensors(&restored), tensors);
    assert_eq!(
        encode(&restored, &description).expect("finite weights"),
        bytes
    );

    let batch = F::batch(shape, &Device::flex());
    let before = F::forward(&model.valid(), batch.clone());
    let after = F::forward(&restored.valid(), batch);
    assert_eq!(before.into_data(), after.into_data());
}

/// The parameters that no gradient reaches, finite and other than zero, and all gradients one after
/// the other.
fn reached<M: Module>(model: &M, all: &Gradients) -> (Vec<String>, Vec<f32>) {
    let found = gradients(model, all, str::to_string);
    let (mut missing, mut all) = (Vec::new(), Vec::new());
    for Name { torch, .. } in plain_names(model) {
        if torch.contains("running_") {
            continue;
        }
        let values = found
            .get(&torch)
            .map_or(Vec::new(), |data| data.iter().collect());
        let finite = values.iter().all(|value: &f32| value.is_finite());
        if !finite || values.iter().all(|value| *value == 0.0) {
            missing.push(torch);
        }
        all.extend(values);
    }
    (missing, all)
}
