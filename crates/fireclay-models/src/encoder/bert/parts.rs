//! What an encoder with norms after its branches is made of.

use crate::layers::activation::Activation;
use crate::layers::sizes::Sizes;
use crate::shape::EncoderShape;

/// The parts of an encoder, which its configuration chooses, and their sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub sizes: Sizes,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// The row of the position table that the first token of a text has; those before it belong to
    /// nothing.
    pub first_position: usize,
    /// The number of kinds of tokens; none where they are not told apart.
    pub token_types: Option<usize>,
    /// The probability of zeroing a value.
    pub dropout: f64,
    /// The non-linearity of each MLP.
    pub activation: Activation,
    /// That of the masked language model's head.
    pub head_activation: Activation,
    /// What a norm adds to the variance.
    pub norm_eps: f64,
    /// What the classifier makes of the first token.
    pub pooling: Pooling,
}

/// What the classifier makes of the first token, before its last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// A layer and the hyperbolic tangent.
    Tanh,
    /// The same after dropout.
    DroppedTanh,
    /// A layer and a rectifier.
    Relu,
}

impl Parts {
    /// The number of weights, in `f64`, which does not overflow.
    pub fn weights(&self, shape: &EncoderShape) -> usize {
        let [layers, width, mlp_width] = self.sizes.numbers();
        let rows = [
            shape.vocabulary,
            self.first_position,
            self.context_length,
            self.token_types.unwrap_or(0),
        ];
        let rows: f64 = rows.iter().map(|rows| *rows as f64).sum();
        let linear = |inputs: f64, outputs: f64| (inputs + 1.0) * outputs;
        let mlp = linear(width, mlp_width) + linear(mlp_width, width);
        let block = 4.0 * linear(width, width) + mlp + 4.0 * width;
        let head = match shape.outputs {
            None => 2.0 * width + shape.vocabulary as f64,
            Some(outputs) => linear(width, outputs as f64),
        };
        (rows * width + 2.0 * width + layers * block + linear(width, width) + head) as usize
    }
}
