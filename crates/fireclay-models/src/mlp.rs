//! The multilayer perceptron for tables: blocks of linear → norm → activation → dropout, then a
//! linear output; categorical columns enter through entity embeddings.
//!
//! - Rumelhart, Hinton & Williams, *Learning representations by back-propagating errors* (1986)
//! - batch norm: Ioffe & Szegedy 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167)
//! - layer norm: Ba, Kiros & Hinton 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450)
//! - dropout: Srivastava et al., *Dropout: a simple way to prevent neural networks from
//!   overfitting* (2014)
//! - residual connections: He et al. 2015, [arXiv:1512.03385](https://arxiv.org/abs/1512.03385)
//! - entity embeddings: Guo & Berkhahn 2016, [arXiv:1604.06737](https://arxiv.org/abs/1604.06737)
//! - MLP and ResNet as baselines for tables: Gorishniy et al. 2021,
//!   [arXiv:2106.11959](https://arxiv.org/abs/2106.11959)

use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Device, Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::categories::embed;
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::norm::LayerNorm;
use crate::tabular::TabularShape;

/// A multilayer perceptron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// The width of each hidden layer.
    #[serde(default = "default_hidden")]
    pub hidden: Vec<usize>,
    /// The non-linearity after each hidden layer.
    #[serde(default)]
    pub activation: Activation,
    /// The probability of zeroing a hidden value while training, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// The normalisation before each activation. A training batch of one row has no variance, so
    /// "batch" needs at least two rows in every batch.
    #[serde(default)]
    pub norm: NormKind,
    /// Whether a hidden layer as wide as the one before adds its input to its result.
    #[serde(default)]
    pub residual: bool,
    /// The width of the vectors that stand for categories; by default half the number of
    /// categories of the column, rounded up, and at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_dim: Option<usize>,
}

/// What normalises a hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// No normalisation.
    #[default]
    None,
    /// Batch normalisation: each feature over the batch.
    Batch,
    /// Layer normalisation: each row over its features.
    Layer,
}

/// The module that [`MlpConfig`] builds.
#[derive(Module, Debug)]
pub struct Mlp {
    embeddings: Vec<Embedding>,
    /// The hidden layers and, last, the output.
    layers: Vec<Linear>,
    norms: Vec<Norm>,
    #[module(skip)]
    activation: Activation,
    dropout: Dropout,
    residual: bool,
    numeric: usize,
}

impl MlpConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push((key.to_string(), message));
        if self.hidden.is_empty() {
            problem(
                "hidden",
                "needs at least one width; type = \"linear\" has no hidden layer".into(),
            );
        }
        if self.hidden.contains(&0) {
            problem("hidden", "every width must be at least 1".into());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            problem(
                "dropout",
                format!("must be at least 0 and below 1, but is {}", self.dropout),
            );
        }
        if self.embedding_dim == Some(0) {
            problem("embedding_dim", "must be at least 1".into());
        }
        problems
    }

    /// Builds the model for tables of the given shape.
    pub fn init(&self, shape: &TabularShape, seed: u64, device: &Device) -> Mlp {
        let mut init = Init::new(seed, device);
        let width = |rows: usize| self.embedding_dim.unwrap_or(rows.div_ceil(2).min(50));
        let table = |&rows: &usize| init.category_embedding(rows, width(rows));
        let embeddings: Vec<_> = shape.categories.iter().map(table).collect();

        let inputs = shape.numeric
            + shape
                .categories
                .iter()
                .map(|&rows| width(rows))
                .sum::<usize>();
        let mut layers = Vec::new();
        let mut norms = Vec::new();
        let mut previous = inputs;
        for &hidden in &self.hidden {
            layers.push(init.linear(previous, hidden, true));
            norms.extend(Norm::new(self.norm, hidden, &mut init));
            previous = hidden;
        }
        layers.push(init.linear(previous, shape.outputs, true));

        Mlp {
            embeddings,
            layers,
            norms,
            activation: self.activation,
            dropout: init.dropout(self.dropout),
            residual: self.residual,
            numeric: shape.numeric,
        }
    }
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden: default_hidden(),
            activation: Activation::default(),
            dropout: 0.0,
            norm: NormKind::default(),
            residual: false,
            embedding_dim: None,
        }
    }
}

impl Mlp {
    /// Maps rows to logits or predictions.
    ///
    /// # Shapes
    ///
    /// - `numeric`: `[batch, numeric]`
    /// - `categories`: `[batch, embedded columns]`
    /// - result: `[batch, outputs]`
    pub fn forward(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        let mut x = self.inputs(numeric, &categories);
        let (output, hidden) = self
            .layers
            .split_last()
            .expect("the output layer always exists");
        for (index, layer) in hidden.iter().enumerate() {
            x = self.block(layer, self.norms.get(index), x);
        }
        output.forward(x)
    }

    /// The numeric columns and the vectors of the categories side by side: `[batch, inputs]`.
    fn inputs(&self, numeric: Tensor<2>, categories: &Tensor<2, Int>) -> Tensor<2> {
        let mut parts = embed(&self.embeddings, categories);
        // Backends differ in what they do with tensors of width 0, so none enters an operation.
        if self.numeric > 0 {
            let dtype = self.layers[0].weight.dtype();
            parts.insert(0, numeric.cast(dtype));
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 1),
        }
    }

    fn block(&self, layer: &Linear, norm: Option<&Norm>, input: Tensor<2>) -> Tensor<2> {
        let x = layer.forward(input.clone());
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let x = self.dropout.forward(self.activation.forward(x));
        match self.residual && x.dims() == input.dims() {
            true => x + input,
            false => x,
        }
    }
}

#[derive(Module, Debug)]
enum Norm {
    Batch(BatchNorm),
    Layer(LayerNorm),
}

impl Norm {
    fn new(kind: NormKind, width: usize, init: &mut Init) -> Option<Self> {
        match kind {
            NormKind::None => None,
            NormKind::Batch => Some(Self::Batch(init.batch_norm(width))),
            NormKind::Layer => Some(Self::Layer(init.layer_norm(width))),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Batch(norm) => norm.forward(input),
            Self::Layer(norm) => norm.forward(input),
        }
    }
}

fn default_hidden() -> Vec<usize> {
    vec![64, 32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{batch, check_model};
    use crate::reference::generator;
    use crate::tabular::TabularConfig;
    use crate::tensors::to_tensors;

    fn shape(numeric: usize, categories: &[usize]) -> TabularShape {
        TabularShape {
            numeric,
            categories: categories.to_vec(),
            outputs: 3,
        }
    }

    fn small() -> MlpConfig {
        MlpConfig {
            hidden: vec![8, 8],
            ..MlpConfig::default()
        }
    }

    #[test]
    fn every_activation() {
        for activation in Activation::ALL {
            let config = MlpConfig {
                activation,
                ..small()
            };
            check_model(TabularConfig::Mlp(config), shape(5, &[]));
        }
    }

    #[test]
    fn every_norm_with_and_without_residual() {
        for norm in [NormKind::None, NormKind::Batch, NormKind::Layer] {
            for residual in [true, false] {
                let config = MlpConfig {
                    norm,
                    residual,
                    dropout: 0.1,
                    ..small()
                };
                // Leaky, because a dead unit has no gradient and the check wants one everywhere.
                let config = MlpConfig {
                    activation: Activation::LeakyRelu,
                    ..config
                };
                check_model(TabularConfig::Mlp(config), shape(5, &[]));
            }
        }
    }

    #[test]
    fn every_kind_of_column() {
        for shape in [shape(2, &[4, 3]), shape(0, &[4, 3]), shape(0, &[6])] {
            check_model(TabularConfig::Mlp(small()), shape.clone());
            let config = MlpConfig {
                embedding_dim: Some(5),
                ..small()
            };
            check_model(TabularConfig::Mlp(config), shape);
        }
    }

    #[test]
    fn counts_its_parameters() {
        let count = |config: &MlpConfig, shape: TabularShape| {
            config.init(&shape, 0, &Device::flex()).num_params()
        };
        let dense = |inputs: usize| (inputs + 1) * 8 + (8 + 1) * 8 + (8 + 1) * 3;
        assert_eq!(count(&small(), shape(5, &[])), dense(5));
        // Widths 50 (the cap), 4 and 1 of 200, 7 and 2 categories.
        let tables = 200 * 50 + 7 * 4 + 2;
        assert_eq!(
            count(&small(), shape(5, &[200, 7, 2])),
            tables + dense(5 + 55)
        );
        // Burn counts the two running statistics beside scale and shift.
        let config = MlpConfig {
            norm: NormKind::Batch,
            ..small()
        };
        assert_eq!(count(&config, shape(5, &[])), dense(5) + 2 * 4 * 8);
        let config = MlpConfig {
            norm: NormKind::Layer,
            ..small()
        };
        assert_eq!(count(&config, shape(5, &[])), dense(5) + 2 * 2 * 8);
    }

    #[test]
    fn residual_adds_the_input_of_a_block_as_wide_as_the_one_before() {
        let device = Device::flex();
        let shape = shape(5, &[]);
        let config = MlpConfig {
            hidden: vec![8, 8, 4],
            ..small()
        };
        let plain = config.init(&shape, 1, &device);
        let residual = MlpConfig {
            residual: true,
            ..config
        }
        .init(&shape, 1, &device);
        let (numeric, _) = batch(&shape, &device);

        let mut x = numeric.clone();
        for (index, layer) in plain.layers[..3].iter().enumerate() {
            let y = layer.forward(x.clone()).clamp_min(0.0);
            x = if index == 1 { y + x } else { y };
        }
        let expected = plain.layers[3].forward(x).into_data();
        let categories = || Tensor::<2, Int>::zeros([6, 0], &device);
        assert_eq!(
            residual.forward(numeric.clone(), categories()).into_data(),
            expected
        );
        assert_ne!(plain.forward(numeric, categories()).into_data(), expected);
    }

    #[test]
    fn same_seed_same_bits_whatever_the_dropout() {
        let device = Device::flex();
        let tensors = |dropout: f64, seed: u64| {
            let config = MlpConfig { dropout, ..small() };
            to_tensors(&config.init(&shape(5, &[4]), seed, &device))
        };
        assert_eq!(tensors(0.0, 1), tensors(0.0, 1));
        assert_eq!(tensors(0.0, 1), tensors(0.5, 1));
        assert_ne!(tensors(0.0, 1), tensors(0.0, 2));
    }

    #[test]
    fn dropout_acts_in_training_alone() {
        let _alone = generator();
        let device = Device::flex().autodiff();
        let shape = shape(5, &[]);
        let model = MlpConfig {
            dropout: 0.5,
            ..small()
        }
        .init(&shape, 1, &device);
        let run = |seed: u64| {
            device.seed(seed);
            let (numeric, categories) = batch(&shape, &device);
            model.forward(numeric, categories).into_data()
        };
        assert_ne!(run(1), run(2));
        let valid = model.valid();
        let run = || {
            let (numeric, categories) = batch(&shape, &Device::flex());
            valid.forward(numeric, categories).into_data()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn all_impossible_values_are_reported() {
        let config = MlpConfig {
            hidden: vec![8, 0],
            dropout: 1.0,
            embedding_dim: Some(0),
            ..MlpConfig::default()
        };
        let keys: Vec<_> = config.validate().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["hidden", "dropout", "embedding_dim"]);
        let config = MlpConfig {
            hidden: vec![],
            dropout: f64::NAN,
            ..MlpConfig::default()
        };
        assert_eq!(config.validate().len(), 2);
        assert_eq!(MlpConfig::default().validate(), []);
    }

    #[test]
    fn defaults_come_from_an_empty_table() {
        assert_eq!(
            serde_json::from_str::<MlpConfig>("{}").unwrap(),
            MlpConfig::default()
        );
        let config = r#"{"activation": "leaky_relu", "norm": "batch"}"#;
        let config: MlpConfig = serde_json::from_str(config).unwrap();
        assert_eq!(
            (config.activation, config.norm),
            (Activation::LeakyRelu, NormKind::Batch)
        );
        assert!(serde_json::from_str::<MlpConfig>(r#"{"hiden": [3]}"#).is_err());
    }
}
