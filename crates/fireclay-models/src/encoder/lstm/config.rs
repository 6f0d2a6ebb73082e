//! Which LSTM it is, and what PyTorch calls its tensors.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Lstm;
use crate::family::{Architecture, Layered, Rows};
use crate::init::Init;
use crate::limits::{check, check_layers, check_least_one, check_rate};
use crate::shape::EncoderShape;

/// A bidirectional LSTM that reads a text as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LstmConfig {
    /// The number of layers, each in both directions.
    pub layers: usize,
    /// The width of the embedded tokens.
    pub width: usize,
    /// The number of units of each direction.
    pub hidden: usize,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// How the states of the last layer become one vector for the classifier.
    pub pooling: LstmPooling,
    /// The probability of zeroing a value between the layers and before the classifier while
    /// training, in [0, 1).
    pub dropout: f64,
    /// The same after the embedding.
    pub embedding_dropout: f64,
}

/// How the states of the last layer become one vector for the classifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LstmPooling {
    /// The last state of each direction: PyTorch's `h_n`.
    #[default]
    Final,
    /// The mean over the tokens.
    Mean,
    /// The largest over the tokens, unit by unit (Conneau et al. 2017, *InferSent*,
    /// [arXiv:1705.02364](https://arxiv.org/abs/1705.02364), section 3.2).
    Max,
}

impl Architecture for LstmConfig {
    type Shape = EncoderShape;
    type Model = Lstm;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = check_least_one(&[
            ("layers", self.layers),
            ("width", self.width),
            ("hidden", self.hidden),
            ("context_length", self.context_length),
        ]);
        problems.extend(check_layers(self.layers));
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_rate("embedding_dropout", self.embedding_dropout));
        problems
    }

    fn validate_for(&self, shape: &EncoderShape) -> Vec<(String, String)> {
        let text = "must be given: the model has no logits of tokens";
        Vec::from_iter(check(shape.outputs.is_some(), "outputs", text))
    }

    /// The number of weights, in `f64`, which does not overflow.
    fn least_weights(&self, shape: &EncoderShape) -> usize {
        let numbers = [self.layers, self.width, self.hidden, shape.vocabulary];
        let [layers, width, hidden, rows] = numbers.map(|number| number as f64);
        let layer = |inputs: f64| 8.0 * hidden * (inputs + hidden + 2.0);
        let outputs = shape.outputs.unwrap_or(0) as f64;
        let later = (layers - 1.0).max(0.0) * layer(2.0 * hidden);
        (rows * width + layer(width) + later + (2.0 * hidden + 1.0) * outputs) as usize
    }

    fn context_length(&self) -> usize {
        self.context_length
    }

    fn init(&self, shape: &EncoderShape, seed: u64, device: &Device) -> Lstm {
        self.build(shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        torch_name(&path)
    }
}

impl Layered for LstmConfig {
    const HEAD: &'static str = "classifier";

    /// The embedding, the layers, the head.
    fn layers(&self) -> usize {
        self.layers.saturating_add(2)
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        if name.starts_with("embedding.") {
            return Some(0);
        }
        let (_, layer) = name.strip_prefix("lstm.")?.rsplit_once("_l")?;
        let layer = layer.strip_suffix("_reverse").unwrap_or(layer);
        layer.parse::<usize>().ok()?.checked_add(1)
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        (name == "embedding.weight").then_some(Rows::Tokens)
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![("pooling", json!(self.pooling))]
    }
}

impl Default for LstmConfig {
    fn default() -> Self {
        Self {
            layers: 1,
            width: 128,
            hidden: 128,
            context_length: 512,
            pooling: LstmPooling::Final,
            dropout: 0.5,
            embedding_dropout: 0.0,
        }
    }
}

/// PyTorch's name of a tensor of this module: `lstm.0.reverse.weight_ih` is called
/// `lstm.weight_ih_l0_reverse`.
pub(super) fn torch_name(path: &str) -> String {
    let parts: Vec<_> = path.split('.').collect();
    match parts[..] {
        ["lstm", layer, "ahead", tensor] => format!("lstm.{tensor}_l{layer}"),
        ["lstm", layer, "reverse", tensor] => format!("lstm.{tensor}_l{layer}_reverse"),
        _ => path.to_string(),
    }
}
