//! The one check that every architecture's test calls.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

use crate::tabular::{TabularConfig, TabularShape};
use crate::tensors::{from_tensors, to_tensors};
use crate::weights::{ModelDescription, decode, encode};

const BATCH: usize = 6;

/// Builds the model and checks that its output has the right shape, that the loss is finite, that
/// a gradient other than zero reaches every parameter, and that the host tensors, Burn's record
/// and the weights file each give back the very same model.
pub fn check_model(config: TabularConfig, shape: TabularShape) {
    assert_eq!(config.validate(), []);
    assert_eq!(shape.validate(), []);
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = config.init(&shape, 7, &device);

    let (numeric, categories) = batch(&shape, &device);
    let output = model.forward(numeric, categories);
    assert_eq!(output.dims(), [BATCH, shape.outputs]);
    // Squares, because a sum would not move a model whose last step is a normalisation.
    let loss = (output - 1.0).square().mean();
    assert!(loss.clone().into_scalar::<f32>().is_finite());
    let mut check = GradientCheck {
        path: Vec::new(),
        gradients: &loss.backward(),
        missing: Vec::new(),
    };
    model.visit(&mut check);
    assert_eq!(
        check.missing,
        Vec::<String>::new(),
        "no gradient reaches these"
    );

    // After the forward pass above the running statistics are no longer their initial values.
    let tensors = to_tensors(&model);
    let other = || config.init(&shape, 8, &device);
    let restored = from_tensors(other(), tensors.clone()).expect("the same architecture");
    assert_eq!(to_tensors(&restored), tensors);
    let restored = other().load_record(model.clone().into_record());
    assert_eq!(to_tensors(&restored), tensors);

    let description = ModelDescription {
        config: config.clone(),
        shape: shape.clone(),
    };
    let bytes = encode(&model, &description).expect("finite weights");
    let (restored, found) = decode(&bytes, &device).expect("the file just written");
    assert_eq!(found, description);
    assert_eq!(to_tensors(&restored), tensors);
    assert_eq!(
        encode(&restored, &description).expect("finite weights"),
        bytes
    );

    let (numeric, categories) = batch(&shape, &Device::flex());
    let before = model.valid().forward(numeric.clone(), categories.clone());
    let after = restored.valid().forward(numeric, categories);
    assert_eq!(before.into_data(), after.into_data());
}

/// A batch in which every column varies and every category but the unknown one may occur.
pub fn batch(shape: &TabularShape, device: &Device) -> (Tensor<2>, Tensor<2, Int>) {
    let numeric: Vec<f32> = (0..BATCH * shape.numeric)
        .map(|index| (index as f32 * 1.7).sin())
        .collect();
    let index = |row: usize| {
        let column = move |(column, &count): (usize, &usize)| ((row + column) % count) as i64;
        shape.categories.iter().enumerate().map(column)
    };
    let categories: Vec<i64> = (0..BATCH).flat_map(index).collect();
    (
        Tensor::from_data(TensorData::new(numeric, [BATCH, shape.numeric]), device),
        Tensor::from_data(
            TensorData::new(categories, [BATCH, shape.categories.len()]),
            device,
        ),
    )
}

struct GradientCheck<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    missing: Vec<String>,
}

impl ModuleVisitor for GradientCheck<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        if path.contains("running_") {
            return;
        }
        let gradient = param.val().grad(self.gradients);
        let reached = gradient.is_some_and(|grad| {
            let values: Vec<f32> = grad.into_data().iter().collect();
            values.iter().all(|value| value.is_finite()) && values.iter().any(|&value| value != 0.0)
        });
        if !reached {
            self.missing.push(path);
        }
    }
}
