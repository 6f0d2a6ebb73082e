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

use crate::family::Architecture;
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::categories::embed;
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::norm::{LayerNorm, NormKind};
use crate::limits::{MOST_LAYERS, check, check_least_one, check_rate};
use crate::shape::TabularShape;
use crate::tabular::TabularNetwork;

/// A multilayer perceptron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlpConfig {
    /// The width of each hidden layer.
    pub hidden: Vec<usize>,
    /// The non-linearity after each hidden layer.
    pub activation: Activation,
    /// The probability of zeroing a value of a hidden layer while training, in [0, 1).
    pub dropout: f64,
    /// The normalisation before each activation. A training batch of one row has no variance, so
    /// "batch" needs at least two rows in every batch.
    pub norm: NormKind,
    /// Whether a hidden layer as wide as the one before adds its input to its result.
    pub residual: bool,
    /// The width of the vectors that stand for categories; by default half the number of
    /// categories of the column, rounded up, and at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_dim: Option<usize>,
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

impl Architecture for MlpConfig {
    type Shape = TabularShape;
    type Model = Mlp;

    fn validate(&self) -> Vec<(String, String)> {
        let text = "needs at least one width; type = \"linear\" has no hidden layer";
        let mut problems = Vec::from_iter(check(!self.hidden.is_empty(), "hidden", text));
        let text = "every width must be at least 1";
        problems.extend(check(!self.hidden.contains(&0), "hidden", text));
        let layers = self.hidden.len();
        let text = format!("must have at most {MOST_LAYERS} widths, but has {layers}");
        problems.extend(check(layers <= MOST_LAYERS, "hidden", text));
        problems.extend(check_rate("dropout", self.dropout));
        let vector = self.embedding_dim.unwrap_or(1);
        problems.extend(check_least_one(&[("embedding_dim", vector)]));
        problems
    }

    /// Tables and matrices with their biases, in `f64`, which does not overflow.
    fn least_weights(&self, shape: &TabularShape) -> usize {
        let tables = shape.categories.iter();
        let tables = tables.map(|rows| (*rows as f64, self.vector(*rows) as f64));
        let vectors: f64 = tables.clone().map(|(_, width)| width).sum();
        let mut inputs = shape.numeric as f64 + vectors;
        let outputs = self.hidden.iter().chain([&shape.outputs]);
        let mut weights: f64 = tables.map(|(rows, width)| rows * width).sum();
        for outputs in outputs.map(|width| *width as f64) {
            weights += (inputs + 1.0) * outputs;
            inputs = outputs;
        }
        weights as usize
    }

    fn has_batch_norm(&self) -> bool {
        self.norm == NormKind::Batch
    }

    fn size_key(&self) -> &'static str {
        "hidden"
    }

    fn init(&self, shape: &TabularShape, seed: u64, device: &Device) -> Mlp {
        let mut init = Init::new(seed, device);
        let width = |rows: usize| self.vector(rows);
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

impl MlpConfig {
    /// The width of the vectors of a column with so many categories.
    fn vector(&self, rows: usize) -> usize {
        self.embedding_dim.unwrap_or(rows.div_ceil(2).min(50))
    }
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden: vec![64, 32],
            activation: Activation::default(),
            dropout: 0.0,
            norm: NormKind::default(),
            residual: false,
            embedding_dim: None,
        }
    }
}

impl TabularNetwork for Mlp {
    fn embed(&self, numeric: Tensor<2>, categories: Tensor<2, Int>) -> Tensor<2> {
        let mut parts = embed(&self.embeddings, &categories);
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

    fn vectors(&self) -> Vec<usize> {
        let tables = self.embeddings.iter();
        tables.map(|table| table.weight.dims()[1]).collect()
    }

    /// The last hidden layer.
    fn features_embedded(&self, inputs: Tensor<2>) -> Tensor<2> {
        let mut x = inputs;
        for (index, layer) in self.split().1.iter().enumerate() {
            x = self.block(layer, self.norms.get(index), x);
        }
        x
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.split().0.forward(features)
    }
}

impl Mlp {
    /// The output and the hidden layers.
    fn split(&self) -> (&Linear, &[Linear]) {
        let layers = self.layers.split_last();
        layers.expect("the output layer always exists")
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

#[cfg(test)]
mod tests;
