//! Attention: what queries find in the values whose keys are like them.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::{Bool, Tensor};

use crate::softmax::{masked_softmax, softmax};
use crate::{is_half, stand_in};

/// softmax(Q Kᵀ / sqrt(d)) V (Vaswani et al. 2017,
/// [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.1). Where there are fewer heads
/// of keys than of queries, as many queries in a row share one (Ainslie et al. 2023, *GQA*,
/// [arXiv:2305.13245](https://arxiv.org/abs/2305.13245), section 2.2).
///
/// What is hidden counts as in [`masked_softmax`]. `factors`, which have no gradient, are multiplied
/// with the weights after the softmax: dropout's mask.
///
/// On the CPU the weights of a few queries at a time are made, and made again for the gradients, so
/// that without `factors` memory grows with the rows, not with their square; what a mask hides at either end of a row
/// is not computed.
///
/// # Shapes
///
/// - `query`: `[batch, heads, new, width]`
/// - `keys`, `values`: `[batch, key heads, time, width]`
/// - `hidden`: true where hidden, `[1 or batch, 1, 1 or new, time]`
/// - `factors`: `[batch, heads, new, time]`
/// - result: `[batch, heads, new, width]`
pub fn attention(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    hidden: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if pays(&query) {
        return flex::attention([query, keys, values], hidden, factors);
    }
    if stands_in(&query) {
        let pair = stand_in::keeps_input(keys).sum() + stand_in::keeps_input(values).sum();
        let pair = pair.reshape([1, 1, 1, 1]);
        let pair = match factors {
            Some(factors) => (factors * pair).sum().reshape([1, 1, 1, 1]),
            None => pair,
        };
        return stand_in::keeps_input(query) + pair;
    }
    plain([query, keys, values], hidden, factors)
}

/// [`attention`] where queries, keys and values are parts of one tensor, in this order, and so are
/// their gradients.
///
/// # Shapes
///
/// - `all`: `[batch, 3 heads, time, width]`
/// - result: `[batch, heads, time, width]`
pub fn self_attention(
    all: Tensor<4>,
    hidden: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if pays(&all) {
        return flex::self_attention(all, hidden, factors);
    }
    if stands_in(&all) {
        let [query, keys, values] = thirds(all);
        return attention(query, [keys, values], hidden, factors);
    }
    plain(thirds(all), hidden, factors)
}

/// Keys and values are laid out anew for each product with a few queries, which a single query, such
/// as that of the next token, does not pay back.
#[cfg(feature = "flex")]
fn pays(query: &Tensor<4>) -> bool {
    const QUERIES: usize = 8;
    query.dims()[2] >= QUERIES && crate::flex::takes(query)
}

/// Half precision has no body but the plain one, whose products are what GPUs are fast at.
fn stands_in(query: &Tensor<4>) -> bool {
    stand_in::is_wanted() && !is_half(query.dtype())
}

fn thirds(all: Tensor<4>) -> [Tensor<4>; 3] {
    let heads = all.dims()[1] / 3;
    [0, 1, 2].map(|index| all.clone().narrow(1, index * heads, heads))
}

fn plain(
    [query, keys, values]: [Tensor<4>; 3],
    hidden: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    let [batch, heads, new, width] = query.dims();
    let [_, key_heads, time, _] = keys.dims();
    // Queries that share a key stand below each other, so that no key need be repeated.
    let rows = heads / key_heads * new;
    let query = query.reshape([batch, key_heads, rows, width]);
    let scale = (width as f64).powf(-0.5);
    // Products of long vectors may be beyond the largest number of 16 bits until they are scaled.
    let (query, scale) = match is_half(query.dtype()) {
        true => (query * scale, 1.0),
        false => (query, scale),
    };
    let scores = query.matmul(keys.transpose()); // [batch, key heads, rows, time]
    let scores = scores.reshape([batch, heads, new, time]);
    let weights = match hidden {
        Some(hidden) => masked_softmax(scores, hidden, scale),
        None => softmax(scores, scale),
    };
    let weights = match factors {
        Some(factors) => weights * factors,
        None => weights,
    };
    let weights = weights.reshape([batch, key_heads, rows, time]);
    let mixed = weights.matmul(values); // [batch, key heads, rows, width]
    mixed.reshape([batch, heads, new, width])
}

#[cfg(all(test, feature = "flex"))]
mod tests;
