//! The family of models for tables: what the data determines, the choice of architecture, and the
//! module that holds the chosen one.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::family::{Family, saturating_sum};
use crate::linear::{LinearConfig, LinearModel};
use crate::mlp::{Mlp, MlpConfig};

/// What the data determines of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TabularShape {
    /// The number of numeric columns after encoding.
    pub numeric: usize,
    /// For each embedded column, the number of indices it can hold, including index 0, which
    /// stands for an unknown category.
    pub categories: Vec<usize>,
    /// The number of logits or predicted numbers.
    pub outputs: usize,
}

/// A model for tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TabularConfig {
    /// Linear, logistic or softmax regression.
    Linear(LinearConfig),
    /// A multilayer perceptron.
    Mlp(MlpConfig),
}

/// The architecture that a [`TabularConfig`] builds.
#[derive(Module, Debug)]
pub enum Tabular {
    /// See [`LinearModel`].
    Linear(LinearModel),
    /// See [`Mlp`].
    Mlp(Mlp),
}

impl TabularShape {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: &str| {
            problems.push((key.to_string(), message.to_string()));
        };
        if self.numeric == 0 && self.categories.is_empty() {
            problem("numeric", "there is no input column");
        }
        if self.categories.contains(&0) {
            problem(
                "categories",
                "every embedded column needs the index of unknown categories",
            );
        }
        if self.outputs == 0 {
            problem("outputs", "must be at least 1");
        }
        problems
    }
}

impl TabularConfig {
    /// The name of each type and what it is.
    pub const TYPES: &[(&str, &str)] = &[
        (
            "linear",
            "linear, logistic or softmax regression (Legendre 1805, Cox 1958, McFadden 1974)",
        ),
        (
            "mlp",
            "multilayer perceptron with entity embeddings (Rumelhart et al. 1986, Guo & Berkhahn 2016, Gorishniy et al. 2021)",
        ),
    ];

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Linear(_) => Vec::new(),
            Self::Mlp(config) => config.validate(),
        }
    }

    /// Builds the model for tables of the given shape; equal arguments give equal weights and
    /// parameter ids on every backend.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) of the configuration or the shape reports a problem.
    pub fn init(&self, shape: &TabularShape, seed: u64, device: &Device) -> Tabular {
        match self {
            Self::Linear(config) => Tabular::Linear(config.init(shape, seed, device)),
            Self::Mlp(config) => Tabular::Mlp(config.init(shape, seed, device)),
        }
    }
}

impl Family for TabularConfig {
    type Shape = TabularShape;
    type Model = Tabular;

    fn validate(&self) -> Vec<(String, String)> {
        self.validate()
    }

    fn validate_for(&self, shape: &TabularShape) -> Vec<(String, String)> {
        shape.validate()
    }

    fn least_weights(&self, shape: &TabularShape) -> usize {
        let (hidden, vector) = match self {
            Self::Mlp(mlp) => (mlp.hidden.as_slice(), mlp.embedding_dim),
            Self::Linear(_) => ([].as_slice(), None),
        };
        // A column has a table, a hidden layer a bias, the numeric columns a matrix.
        let columns = shape.categories.iter().chain(hidden).copied();
        let vector = vector.filter(|_| !shape.categories.is_empty());
        saturating_sum(columns.chain([shape.numeric]))
            .max(shape.outputs)
            .max(vector.unwrap_or(0))
    }

    fn init(&self, shape: &TabularShape, seed: u64, device: &Device) -> Tabular {
        self.init(shape, seed, device)
    }
}

impl Tabular {
    /// Maps rows to logits or predictions.
    ///
    /// Where a table has no numeric or no embedded column, pass a tensor of width 0: it is not
    /// read, so every backend can take it.
    ///
    /// # Shapes
    ///
    /// - `numeric`: `[batch, shape.numeric]`
    /// - `categories`: `[batch, shape.categories.len()]`, each index below its column's number
    /// - result: `[batch, shape.outputs]`
    pub fn forward(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        match self {
            Self::Linear(model) => model.forward(numeric, categories),
            Self::Mlp(model) => model.forward(numeric, categories),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_the_tags_of_the_variants() {
        let configs = [
            TabularConfig::Linear(LinearConfig::default()),
            TabularConfig::Mlp(MlpConfig::default()),
        ];
        let tag = |config: &TabularConfig| {
            serde_json::to_value(config).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_string()
        };
        let tags: Vec<_> = configs.iter().map(tag).collect();
        let types: Vec<_> = TabularConfig::TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(tags, types);
        for config in configs {
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(
                serde_json::from_str::<TabularConfig>(&json).unwrap(),
                config
            );
        }
    }

    #[test]
    fn a_shape_without_columns_or_outputs_is_refused() {
        let shape = TabularShape {
            numeric: 0,
            categories: vec![],
            outputs: 0,
        };
        assert_eq!(shape.validate().len(), 2);
        let shape = TabularShape {
            numeric: 1,
            categories: vec![0],
            outputs: 1,
        };
        assert_eq!(shape.validate().len(), 1);
    }
}
