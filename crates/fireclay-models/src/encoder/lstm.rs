//! A bidirectional LSTM: reads a text from both ends and says something of the whole.
//!
//! - Hochreiter & Schmidhuber 1997, *Long Short-Term Memory*, Neural Computation 9(8),
//!   [doi:10.1162/neco.1997.9.8.1735](https://doi.org/10.1162/neco.1997.9.8.1735), with the forget
//!   gate of Gers, Schmidhuber & Cummins 2000, *Learning to Forget*
//! - Graves & Schmidhuber 2005, *Framewise Phoneme Classification with Bidirectional LSTM and Other
//!   Neural Network Architectures*, Neural Networks 18(5), section 2
//!
//! Names, layouts and numbers are those of PyTorch's `nn.Embedding`, `nn.LSTM` and `nn.Linear`, as
//! a module has them that calls these `embedding`, `lstm` and `classifier`. Padding changes nothing,
//! as with `pack_padded_sequence`: the second direction begins at the last token.

mod config;

use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Bool, Int, Tensor};
use fireclay_kernels::{recurrence, widely};

use crate::encoder::{EncoderNetwork, TokenMask, TokenTypes};
use crate::init::{Init, Values};
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::layers::tokens::look_up;
use crate::shape::EncoderShape;
pub use config::{LstmConfig, LstmPooling};

/// The module that [`LstmConfig`] builds.
#[derive(Module, Debug)]
pub struct Lstm {
    embedding: Embedding,
    lstm: Vec<Layer>,
    classifier: Linear,
    embedding_dropout: Dropout,
    /// Between the layers and before the classifier.
    dropout: Dropout,
    #[module(skip)]
    pooling: LstmPooling,
}

impl LstmConfig {
    /// First weights as PyTorch draws them: embeddings standard normal, the rest uniform within one
    /// over the root of the number of inputs, in an LSTM of the units.
    fn build(&self, shape: &EncoderShape, mut init: Init) -> Lstm {
        let outputs = shape.outputs.expect("an LSTM has outputs");
        let both = 2 * self.hidden;
        let inputs = |layer| if layer == 0 { self.width } else { both };
        Lstm {
            embedding: init.embedding(shape.vocabulary, self.width),
            lstm: (0..self.layers)
                .map(|layer| Layer::new(inputs(layer), self.hidden, &mut init))
                .collect(),
            classifier: init.linear(both, outputs, true),
            embedding_dropout: init.dropout(self.embedding_dropout),
            dropout: init.dropout(self.dropout),
            pooling: self.pooling,
        }
    }
}

impl EncoderNetwork for Lstm {
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        look_up(&self.embedding, tokens)
    }

    /// The states of the last layer at each token, those of the first direction before those of
    /// the second.
    fn encode(&self, tokens: Tensor<2, Int>, _types: TokenTypes, mask: TokenMask) -> Tensor<3> {
        let x = self.embed(tokens.transpose()); // [time, batch, width]
        self.read(x, &Positions::new(mask)).swap_dims(0, 1)
    }

    /// Looks the tokens up step by step: in that order their gradients are summed.
    fn features(&self, tokens: Tensor<2, Int>, _types: TokenTypes, mask: TokenMask) -> Tensor<2> {
        self.pool(self.embed(tokens.transpose()), mask)
    }

    fn features_embedded(
        &self,
        embedded: Tensor<3>,
        _types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<2> {
        self.pool(embedded.swap_dims(0, 1), mask)
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.classifier.forward(features)
    }

    fn predict(&self, _x: Tensor<3>) -> Tensor<3> {
        unreachable!("checked: an LSTM has outputs")
    }

    fn classifies(&self) -> bool {
        true
    }
}

impl Lstm {
    /// `[time, batch, width]` → `[batch, 2 * hidden]`
    fn pool(&self, x: Tensor<3>, mask: TokenMask) -> Tensor<2> {
        let positions = Positions::new(mask);
        let states = self.read(x, &positions);
        self.dropout
            .forward(self.pooling.forward(states, &positions))
    }

    /// The states of the last layer, `[time, batch, width]` → `[time, batch, 2 * hidden]`: what
    /// belongs to one step lies together.
    fn read(&self, x: Tensor<3>, positions: &Positions) -> Tensor<3> {
        let x = self.embedding_dropout.forward(x);
        let mut layers = self.lstm.iter();
        let first = layers.next().expect("there is at least one layer");
        layers.fold(first.forward(x, positions), |x, layer| {
            layer.forward(self.dropout.forward(x), positions)
        })
    }
}

impl LstmPooling {
    /// `[time, batch, 2 * hidden]` → `[batch, 2 * hidden]`
    fn forward(self, states: Tensor<3>, positions: &Positions) -> Tensor<2> {
        let padding = positions.is_token.clone().bool_not().unsqueeze_dim(2); // [time, batch, 1]
        match self {
            Self::Final => positions.ends(states),
            Self::Mean => {
                let lengths = positions.lengths.clone().float().unsqueeze_dim(1);
                widely(states, |states| {
                    let sum = states
                        .mask_fill(padding, 0.0)
                        .sum_dim(0)
                        .squeeze_dim::<2>(0);
                    sum / lengths
                })
            }
            Self::Max => {
                let states = states.mask_fill(padding, f32::MIN);
                states.max_dim(0).squeeze_dim(0)
            }
        }
    }
}

/// One layer in both directions.
#[derive(Module, Debug)]
struct Layer {
    ahead: Direction,
    reverse: Direction,
}

impl Layer {
    fn new(inputs: usize, hidden: usize, init: &mut Init) -> Self {
        Self {
            ahead: Direction::new(inputs, hidden, init),
            reverse: Direction::new(inputs, hidden, init),
        }
    }

    /// `[time, batch, inputs]` → `[time, batch, 2 * hidden]`
    ///
    /// The second direction reads each row turned round, so that both go through the same steps
    /// side by side, with the padding at the end.
    fn forward(&self, x: Tensor<3>, positions: &Positions) -> Tensor<3> {
        let turned = positions.turn(x.clone());
        let gates = [self.ahead.project(x), self.reverse.project(turned)];
        let gates = Tensor::stack::<4>(gates.to_vec(), 1); // [time, 2, batch, 4 * hidden]
        let weights = [&self.ahead, &self.reverse].map(|d| d.weight_hh.val().transpose());
        let weights = Tensor::stack::<3>(weights.to_vec(), 0); // [2, hidden, 4 * hidden]
        let states = recurrence(gates, weights, unroll);
        let [ahead, reverse] = [0, 1].map(|d| states.clone().narrow(1, d, 1).squeeze_dim(1));
        Tensor::cat(vec![ahead, positions.turn(reverse)], 2)
    }
}

/// The weights of one direction: the gates of input, forgetting, the cell and output below each
/// other, as PyTorch has them.
#[derive(Module, Debug)]
struct Direction {
    /// `[4 * hidden, inputs]`
    weight_ih: Param<Tensor<2>>,
    /// `[4 * hidden, hidden]`
    weight_hh: Param<Tensor<2>>,
    /// `[4 * hidden]`
    bias_ih: Param<Tensor<1>>,
    /// As `bias_ih`, to which it is added; PyTorch has both, as cuDNN does.
    bias_hh: Param<Tensor<1>>,
}

impl Direction {
    fn new(inputs: usize, hidden: usize, init: &mut Init) -> Self {
        let bound = (hidden as f64).powf(-0.5);
        let values = Values::Uniform { bound };
        Self {
            weight_ih: init.param([4 * hidden, inputs], values),
            weight_hh: init.param([4 * hidden, hidden], values),
            bias_ih: init.param([4 * hidden], values),
            bias_hh: init.param([4 * hidden], values),
        }
    }

    /// The part of the gates that does not depend on the states, of all steps in one product:
    /// `[time, batch, inputs]` → `[time, batch, 4 * hidden]`
    fn project(&self, x: Tensor<3>) -> Tensor<3> {
        let [time, batch, inputs] = x.dims();
        let gates = x
            .reshape([time * batch, inputs])
            .matmul(self.weight_ih.val().transpose());
        let bias = self.bias_ih.val() + self.bias_hh.val();
        let gates = gates + bias.unsqueeze();
        gates.reshape([time as i32, batch as i32, -1])
    }
}

/// Goes through the steps from zero states: `[time, 2, batch, 4 * hidden]` → `[time, 2, batch, hidden]`
fn unroll(gates: Tensor<4>, weights: Tensor<3>) -> Tensor<4> {
    let [_, directions, batch, _] = gates.dims();
    let hidden = weights.dims()[1];
    let zeros = Tensor::zeros(
        [directions, batch, hidden],
        (&gates.device(), gates.dtype()),
    );
    let (mut state, mut cell) = (zeros.clone(), zeros);
    let mut states = Vec::new();
    for gates in steps(gates) {
        let gates = gates + state.matmul(weights.clone());
        let [input, forget, new, output] =
            [0, 1, 2, 3].map(|gate| gates.clone().narrow(2, gate * hidden, hidden));
        cell = sigmoid(forget) * cell + sigmoid(input) * new.tanh();
        state = sigmoid(output) * cell.clone().tanh();
        states.push(state.clone());
    }
    Tensor::stack(states, 0)
}

/// What belongs to each step, cut in halves again and again: the gradient of a slice is as large
/// as what it was cut from, so that slices of the whole would cost the square of the time.
fn steps(x: Tensor<4>) -> Vec<Tensor<3>> {
    let time = x.dims()[0];
    if time == 1 {
        return vec![x.squeeze_dim(0)];
    }
    let half = time / 2;
    let mut all = steps(x.clone().narrow(0, 0, half));
    all.extend(steps(x.narrow(0, half, time - half)));
    all
}

/// The positions of the tokens of a batch. Rows of a tensor `[time, batch, ..]` count from 0 to
/// `time * batch`.
struct Positions {
    /// `[time, batch]`
    is_token: Tensor<2, Bool>,
    /// The number of tokens of each text, `[batch]`.
    lengths: Tensor<1, Int>,
    /// The row that replaces each when every text is reversed and the padding stays where it
    /// is: `[time * batch]`.
    turned: Tensor<1, Int>,
}

impl Positions {
    fn new(mask: TokenMask) -> Self {
        let is_token = mask.transpose();
        let ([time, batch], device) = (is_token.dims(), is_token.device());
        let lengths = is_token.clone().int().sum_dim(0); // [1, batch]
        let own = Tensor::arange(0..time as i64, &device).unsqueeze_dim::<2>(1); // [time, 1]
        let own = own.expand([time, batch]);
        let mirrored = lengths.clone() - 1 - own.clone();
        let turned = own.mask_where(is_token.clone(), mirrored) * batch as i64;
        let texts = Tensor::arange(0..batch as i64, &device).unsqueeze_dim(0); // [1, batch]
        Self {
            is_token,
            lengths: lengths.squeeze_dim(0),
            turned: (turned + texts).reshape([time * batch]),
        }
    }

    /// Every text with its last token first; twice, it is as it was.
    fn turn(&self, x: Tensor<3>) -> Tensor<3> {
        let [time, batch, width] = x.dims();
        let rows = x
            .reshape([time * batch, width])
            .select(0, self.turned.clone());
        rows.reshape([time, batch, width])
    }

    /// The state of each direction at the token that it read last: `[batch, 2 * hidden]`
    fn ends(&self, states: Tensor<3>) -> Tensor<2> {
        let [_, batch, both] = states.dims();
        let hidden = both / 2;
        let first = |x: Tensor<3>| x.narrow(0, 0, 1).squeeze_dim::<2>(0);
        // Turned round, the last token is the first.
        let [ahead, reverse] = [self.turn(states.clone()), states].map(first);
        let ahead = ahead.slice([0..batch, 0..hidden]);
        let reverse = reverse.slice([0..batch, hidden..both]);
        Tensor::cat(vec![ahead, reverse], 1)
    }
}

#[cfg(test)]
mod tests;
