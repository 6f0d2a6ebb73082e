//! Linear, logistic and softmax regression: one affine map. Which of the three it is depends on
//! the loss alone.
//!
//! Least squares: Legendre, *Nouvelles méthodes pour la détermination des orbites des comètes*
//! (1805). Logistic: Cox, *The regression analysis of binary sequences* (1958). Softmax
//! (multinomial): McFadden, *Conditional logit analysis of qualitative choice behavior* (1974).

use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::{Device, Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::Architecture;
use crate::init::{Init, Values};
use crate::layers::categories::embed;
use crate::layers::linear::Linear;
use crate::limits::saturating_sum;
use crate::shape::TabularShape;
use crate::tabular::TabularNetwork;

/// Linear, logistic or softmax regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinearConfig {
    /// Whether each output has an intercept.
    pub bias: bool,
}

/// An affine map of the numeric columns, plus one learned offset for each category.
///
/// The offsets of an embedded column are a table of width `outputs` whose row is added to the
/// result, which equals a linear map of the column's one-hot code. They start at zero, so that a
/// category never seen in training changes nothing.
#[derive(Module, Debug)]
pub struct LinearModel {
    embeddings: Vec<Embedding>,
    /// Absent where a table has no numeric column; the intercept then stands alone.
    linear: Option<Linear>,
    bias: Option<Param<Tensor<1>>>,
    outputs: usize,
}

impl Architecture for LinearConfig {
    type Shape = TabularShape;
    type Model = LinearModel;

    /// A column has a table, the numeric columns a matrix.
    fn least_weights(&self, shape: &TabularShape) -> usize {
        let columns = shape.categories.iter().copied();
        let inputs = saturating_sum(columns.chain([shape.numeric]));
        inputs.max(1).saturating_mul(shape.outputs)
    }

    fn init(&self, shape: &TabularShape, seed: u64, device: &Device) -> LinearModel {
        let mut init = Init::new(seed, device);
        let numeric = shape.numeric > 0;
        let table = |&rows: &usize| Embedding {
            weight: init.param([rows, shape.outputs], Values::ZEROS),
        };
        LinearModel {
            embeddings: shape.categories.iter().map(table).collect(),
            linear: numeric.then(|| init.linear(shape.numeric, shape.outputs, self.bias)),
            bias: (self.bias && !numeric).then(|| init.param([shape.outputs], Values::ZEROS)),
            outputs: shape.outputs,
        }
    }
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { bias: true }
    }
}

impl TabularNetwork for LinearModel {
    /// The vector of a category is its one-hot code.
    fn embed(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        let code = |(index, table): (usize, &Embedding)| {
            let column = categories.clone().narrow(1, index, 1).squeeze_dim::<1>(1);
            let [rows, _] = table.weight.dims();
            column.one_hot::<2>(rows).float().cast(numeric.dtype())
        };
        let mut parts: Vec<_> = self.embeddings.iter().enumerate().map(code).collect();
        // Backends differ in what they do with tensors of width 0, so none enters an operation.
        if self.linear.is_some() {
            parts.insert(0, numeric.clone());
        }
        Tensor::cat(parts, 1)
    }

    fn vectors(&self) -> Vec<usize> {
        let tables = self.embeddings.iter();
        tables.map(|table| table.weight.dims()[0]).collect()
    }

    /// They are the inputs: there is no other layer.
    fn features_embedded(&self, inputs: Tensor<2>) -> Tensor<2> {
        inputs
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        let numeric = self
            .linear
            .as_ref()
            .map_or(0, |linear| linear.weight.dims()[0]);
        let start = match numeric {
            0 => self.affine(features.clone()),
            _ => self.affine(features.clone().narrow(1, 0, numeric)),
        };
        let mut column = numeric;
        self.embeddings.iter().fold(start, |sum, table| {
            let [rows, _] = table.weight.dims();
            let code = features.clone().narrow(1, column, rows);
            column += rows;
            sum + code.cast(table.weight.dtype()).matmul(table.weight.val())
        })
    }

    /// Looks the offsets up, where the head would multiply by codes that are nearly all zero.
    fn forward(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        let start = self.affine(numeric);
        embed(&self.embeddings, &categories)
            .into_iter()
            .fold(start, Tensor::add)
    }
}

impl LinearModel {
    fn affine(&self, numeric: Tensor<2>) -> Tensor<2> {
        let shape = [numeric.dims()[0], self.outputs];
        match (&self.linear, &self.bias) {
            (Some(linear), _) => linear.forward(numeric.cast(linear.weight.dtype())),
            (None, Some(bias)) => bias.val().unsqueeze::<2>().expand(shape),
            (None, None) => {
                let table = self.embeddings.first();
                let dtype = table.map_or(numeric.dtype(), |table| table.weight.dtype());
                Tensor::zeros(shape, (&numeric.device(), dtype))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{batch, check_model};
    use crate::fixtures::table;
    use crate::tabular::TabularConfig;

    #[test]
    fn every_kind_of_table() {
        for shape in [table(5, &[], 3), table(2, &[4, 3], 1), table(0, &[4, 3], 2)] {
            for bias in [true, false] {
                check_model(TabularConfig::Linear(LinearConfig { bias }), shape.clone());
            }
        }
    }

    #[test]
    fn counts_its_parameters() {
        for (bias, numeric, categories, expected) in [
            (true, 5, &[][..], 5 * 3 + 3),
            (false, 5, &[], 5 * 3),
            (true, 5, &[4, 2], (5 + 4 + 2 + 1) * 3),
            (true, 0, &[4, 2], (4 + 2 + 1) * 3),
        ] {
            let shape = table(numeric, categories, 3);
            let model = LinearConfig { bias }.init(&shape, 0, &Device::flex());
            assert_eq!(model.num_params(), expected);
        }
    }

    #[test]
    fn is_the_affine_map_of_numbers_and_one_hot_codes() {
        let device = Device::flex();
        let shape = table(2, &[3], 2);
        let mut model = LinearConfig::default().init(&shape, 1, &device);
        let offsets = Tensor::<2>::from_data([[0.0, 0.0], [1.0, -1.0], [0.5, 2.0]], &device);
        model.embeddings[0].weight = Param::from_tensor(offsets.clone());
        let (numeric, categories) = batch(&shape, &device);

        let one_hot = categories
            .clone()
            .squeeze_dim::<1>(1)
            .one_hot::<2>(3)
            .float();
        let linear = model.linear.as_ref().unwrap();
        let expected = numeric.clone().matmul(linear.weight.val())
            + linear.bias.as_ref().unwrap().val().unsqueeze::<2>()
            + one_hot.matmul(offsets);
        let found = model.forward(numeric, categories);
        let difference = (found - expected).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-6, "{difference}");
    }
}
