//! Attention: what queries find in the values whose keys are like them.

#[cfg(feature = "flex")]
mod flex;
mod plain;

use burn::tensor::{Bool, Tensor};

use crate::operation::apply;
use crate::{is_half, stand_in};
use plain::Attention;

/// softmax(Q Kᵀ / sqrt(d)) V (Vaswani et al. 2017,
/// [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.1). Where there are fewer heads
/// of keys than of queries, as many queries in a row share one (Ainslie et al. 2023, *GQA*,
/// [arXiv:2305.13245](https://arxiv.org/abs/2305.13245), section 2.2).
///
/// What is hidden counts as in [`masked_softmax`](crate::masked_softmax). `factors`, which have no
/// gradient, are multiplied with the weights after the softmax: dropout's mask.
///
/// The weights are kept for the gradients, in half precision if the rest is. On the CPU those of a few
/// queries at a time are made, and made again for the gradients, so that without `factors` memory
/// grows with the rows, not with their square; what a mask hides at either end of a row is not computed.
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
    apply(Attention::new(hidden, factors), [query, keys, values])
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
    apply(Attention::new(hidden, factors), [all])
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

#[cfg(all(test, feature = "flex"))]
mod tests;
