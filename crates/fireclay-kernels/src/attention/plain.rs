//! Attention in plain operations, and its gradient.

use burn::tensor::{Bool, Tensor};

use super::thirds;
use crate::operation::{Operation, constant};
use crate::softmax::{masked_softmax, slopes, softmax};

/// Of queries, keys and values, or of the three in one.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    hidden: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
}

impl Attention {
    pub fn new(hidden: Option<Tensor<4, Bool>>, factors: Option<Tensor<4>>) -> Self {
        Self {
            hidden: hidden.map(Tensor::without_autodiff),
            factors: factors.map(constant),
        }
    }

    /// `[batch, heads, new, time]`, from scaled and stacked queries.
    fn weights(&self, query: Tensor<4>, keys: Tensor<4>, heads: usize) -> Tensor<4> {
        let scores = query.matmul(keys.transpose()); // [batch, key heads, rows, time]
        let [batch, key_heads, rows, time] = scores.dims();
        let scores = scores.reshape([batch, heads, rows * key_heads / heads, time]);
        match self.hidden.clone() {
            Some(hidden) => masked_softmax(scores, hidden, 1.0),
            None => softmax(scores, 1.0),
        }
    }

    fn thinned(&self, weights: Tensor<4>) -> Tensor<4> {
        match self.factors.clone() {
            Some(factors) => weights * factors,
            None => weights,
        }
    }
}

impl Operation<4, 3> for Attention {
    const CHEAP: bool = false;

    /// The weights, before any factor.
    type Kept = Tensor<4>;

    fn forward(&self, [query, keys, values]: [Tensor<4>; 3]) -> (Tensor<4>, Tensor<4>) {
        let dims = query.dims();
        let key_heads = keys.dims()[1];
        let query = stacked(scaled(query), key_heads);
        let weights = self.weights(query, keys, dims[1]);
        let shares = stacked(self.thinned(weights.clone()), key_heads);
        let mixed = shares.matmul(values); // [batch, key heads, rows, width]
        (mixed.reshape(dims), weights)
    }

    fn backward(
        &self,
        [query, keys, values]: [Tensor<4>; 3],
        weights: Tensor<4>,
        gradient: Tensor<4>,
    ) -> [Tensor<4>; 3] {
        let dims = query.dims();
        let key_heads = keys.dims()[1];
        let [query, gradient] = [scaled(query), gradient].map(|rows| stacked(rows, key_heads));
        let shares = stacked(self.thinned(weights.clone()), key_heads);
        let to_values = shares.transpose().matmul(gradient.clone());
        let to_shares = gradient.matmul(values.transpose()); // [batch, key heads, rows, time]
        let to_weights = self.thinned(to_shares.reshape(weights.dims()));
        let to_scores = slopes(weights, to_weights, self.hidden.clone(), 1.0);
        let to_scores = stacked(to_scores, key_heads);
        let to_query = to_scores.clone().matmul(keys).reshape(dims);
        let to_keys = to_scores.transpose().matmul(query);
        [scaled(to_query), to_keys, to_values]
    }
}

impl Operation<4, 1> for Attention {
    const CHEAP: bool = false;

    type Kept = Tensor<4>;

    fn forward(&self, [all]: [Tensor<4>; 1]) -> (Tensor<4>, Tensor<4>) {
        self.forward(thirds(all))
    }

    fn backward(
        &self,
        [all]: [Tensor<4>; 1],
        weights: Tensor<4>,
        gradient: Tensor<4>,
    ) -> [Tensor<4>; 1] {
        let parts: [Tensor<4>; 3] = self.backward(thirds(all), weights, gradient);
        [Tensor::cat(parts.into(), 1)]
    }
}

/// Before their product, which in half precision may be beyond the largest number until it is scaled.
fn scaled(query: Tensor<4>) -> Tensor<4> {
    let [_, _, _, width] = query.dims();
    query * (width as f64).powf(-0.5)
}

/// Queries that share a key below each other, so that no key need be repeated: `[batch, heads, new,
/// ...]` as `[batch, key heads, rows, ...]`.
fn stacked(x: Tensor<4>, key_heads: usize) -> Tensor<4> {
    let [batch, heads, new, width] = x.dims();
    x.reshape([batch, key_heads, heads / key_heads * new, width])
}
