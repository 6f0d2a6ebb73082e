//! Attention in plain operations, and its gradient.

use burn::tensor::{Bool, Tensor};

use super::{pays, thirds};
use crate::operation::{Operation, constant};
use crate::pass::{Results, one_pass};
use crate::softmax::{masked_softmax, softmax, softmax_gradient};

/// Takes queries, keys and values, or the three in one tensor.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    mask: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
}

impl Attention {
    pub fn new(mask: Option<Tensor<4, Bool>>, factors: Option<Tensor<4>>) -> Self {
        Self {
            mask: mask.map(Tensor::without_autodiff),
            factors: factors.map(constant),
        }
    }

    /// The same for some of the queries alone.
    pub fn of_rows(&self, start: usize, rows: usize) -> Self {
        let part = |mask: &Tensor<4, Bool>| match mask.dims()[2] {
            1 => mask.clone(),
            _ => mask.clone().narrow(2, start, rows),
        };
        let factors = self.factors.as_ref();
        Self {
            mask: self.mask.as_ref().map(part),
            factors: factors.map(|factors| factors.clone().narrow(2, start, rows)),
        }
    }

    /// The weights before any factor, `[batch, heads, new, time]`.
    pub fn weights_of(&self, query: Tensor<4>, keys: Tensor<4>) -> Tensor<4> {
        let (heads, key_heads) = (query.dims()[1], keys.dims()[1]);
        self.weights(stacked(scaled(query), key_heads), keys, heads)
    }

    /// `[batch, heads, new, time]`, from scaled and stacked queries.
    fn weights(&self, query: Tensor<4>, keys: Tensor<4>, heads: usize) -> Tensor<4> {
        let scores = query.matmul(keys.transpose()); // [batch, key heads, rows, time]
        let [batch, key_heads, rows, time] = scores.dims();
        let scores = scores.reshape([batch, heads, rows * key_heads / heads, time]);
        match self.mask.clone() {
            Some(mask) => masked_softmax(scores, mask, 1.0),
            None => softmax(scores, 1.0),
        }
    }

    fn thinned(&self, weights: Tensor<4>) -> Tensor<4> {
        match self.factors.clone() {
            Some(factors) => weights * factors,
            None => weights,
        }
    }

    /// What is found, and the weights before any factor.
    pub fn find(&self, [query, keys, values]: [Tensor<4>; 3]) -> (Tensor<4>, Tensor<4>) {
        let dims = query.dims();
        let key_heads = keys.dims()[1];
        let weights = self.weights_of(query, keys);
        let shares = stacked(self.thinned(weights.clone()), key_heads);
        let mixed = shares.matmul(values); // [batch, key heads, rows, width]
        (mixed.reshape(dims), weights)
    }

    pub fn gradients(
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
        let to_scores = softmax_gradient(weights, to_weights, self.mask.clone(), 1.0);
        let to_scores = stacked(to_scores, key_heads);
        let to_query = to_scores.clone().matmul(keys).reshape(dims);
        let to_keys = to_scores.transpose().matmul(query);
        [scaled(to_query), to_keys, to_values]
    }
}

/// Does `body`, for which there is a loop if that pays.
pub(super) fn perhaps_one_pass<R: Results>(
    query: Tensor<4>,
    body: impl FnOnce(Tensor<4>) -> R,
) -> R {
    match pays(&query) {
        true => one_pass(query, body),
        false => body(query),
    }
}

impl Operation<4, 3, 3> for Attention {
    const CHEAP: bool = false;

    /// The weights.
    type Kept = Tensor<4>;

    fn forward(&self, [query, keys, values]: [Tensor<4>; 3]) -> (Tensor<4>, Tensor<4>) {
        perhaps_one_pass(query, |query| self.find([query, keys, values]))
    }

    fn backward(
        &self,
        [query, keys, values]: [Tensor<4>; 3],
        weights: Tensor<4>,
        gradient: Tensor<4>,
    ) -> [Tensor<4>; 3] {
        perhaps_one_pass(query, |query| {
            self.gradients([query, keys, values], weights, gradient)
        })
    }
}

impl Operation<4, 1, 1> for Attention {
    const CHEAP: bool = false;

    type Kept = Tensor<4>;

    fn forward(&self, [all]: [Tensor<4>; 1]) -> (Tensor<4>, Tensor<4>) {
        perhaps_one_pass(all, |all| self.find(thirds(all)))
    }

    fn backward(
        &self,
        [all]: [Tensor<4>; 1],
        weights: Tensor<4>,
        gradient: Tensor<4>,
    ) -> [Tensor<4>; 1] {
        [perhaps_one_pass(all, |all| {
            let parts = self.gradients(thirds(all), weights, gradient);
            Tensor::cat(parts.into(), 1)
        })]
    }
}

/// Queries are scaled before their product with keys, which might overflow in half precision.
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
