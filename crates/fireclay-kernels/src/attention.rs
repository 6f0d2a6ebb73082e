//! Attention: what queries find in the values whose keys are like them.

mod blocks;
#[cfg(feature = "flex")]
mod flex;
mod plain;

use burn::tensor::{Bool, Tensor};

use crate::operation::apply;
use blocks::Blocks;
use plain::Attention;

/// softmax(Q Kᵀ / sqrt(d)) V (Vaswani et al. 2017,
/// [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.1). Where there are fewer heads
/// of keys than of queries, as many queries in a row share one (Ainslie et al. 2023, *GQA*,
/// [arXiv:2305.13245](https://arxiv.org/abs/2305.13245), section 2.2).
///
/// Masked scores get no weight; where all scores of a query are masked, they get the same weight.
/// `factors` are dropout's mask: the weights are multiplied with them after the softmax. They have no
/// gradient.
///
/// The weights are kept for the gradients, in half precision if the rest is. Without `factors` those of texts of more
/// than 2048 tokens are made for some queries at a time, and made again for the gradients, so that memory
/// grows with the length, not with its square. The loops for the CPU do that with texts of any length, and do not compute what
/// is masked at either end of a row.
///
/// # Shapes
///
/// - `query`: `[batch, heads, new, width]`
/// - `keys`, `values`: `[batch, key heads, time, width]`
/// - `mask`: true where masked, `[1 or batch, 1, 1 or new, time]`
/// - `factors`: `[batch, heads, new, time]`
/// - result: `[batch, heads, new, width]`
pub fn attention(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    mask: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if pays(&query) && crate::flex::takes(&query) {
        return flex::attention([query, keys, values], mask, factors);
    }
    let [batch, heads, new, _] = query.dims();
    let rows = blocks::rows([batch, heads, new, keys.dims()[2]]);
    let rows = rows.filter(|_| factors.is_none());
    let attention = Attention::new(mask, factors);
    let parts = [query, keys, values];
    match rows {
        Some(rows) => apply(Blocks { attention, rows }, parts),
        None => apply(attention, parts),
    }
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
    mask: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if pays(&all) && crate::flex::takes(&all) {
        return flex::self_attention(all, mask, factors);
    }
    let [batch, heads, time, _] = all.dims();
    let rows = blocks::rows([batch, heads / 3, time, time]).filter(|_| factors.is_none());
    let attention = Attention::new(mask, factors);
    match rows {
        Some(rows) => apply(Blocks { attention, rows }, [all]),
        None => apply(attention, [all]),
    }
}

/// Whether the loops are faster. They lay keys and values out anew for each product with a few queries,
/// which a single query, such as that of the next token, does not pay back.
fn pays(query: &Tensor<4>) -> bool {
    const QUERIES: usize = 8;
    query.dims()[2] >= QUERIES
}

fn thirds(all: Tensor<4>) -> [Tensor<4>; 3] {
    let heads = all.dims()[1] / 3;
    [0, 1, 2].map(|index| all.clone().narrow(1, index * heads, heads))
}

#[cfg(all(test, feature = "flex"))]
mod tests;
