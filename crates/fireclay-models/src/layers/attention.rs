//! Attention with several heads (Vaswani et al. 2017,
//! [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2).

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Tensor};
use fireclay_kernels::{attention, masked_softmax, self_attention, widely};

use super::dropout::Dropout;

/// Masks the padding.
///
/// # Shapes
///
/// - `mask`: `[batch, time]`, true where there is a token
/// - result: `[batch, 1, 1, time]`, true where masked
pub(crate) fn padding_mask(mask: Tensor<2, Bool>) -> Tensor<4, Bool> {
    let [batch, time] = mask.dims();
    mask.bool_not().reshape([batch, 1, 1, time])
}

/// Attention of queries to keys and values.
///
/// Burn's own `attention` is not used: it drops nothing, shares keys on some backends only, and
/// while training it is decomposed into plain operations (`docs/benchmarks.md`).
///
/// # Shapes
///
/// - `query`: `[batch, heads, new, head width]`
/// - `keys`, `values`: `[batch, key heads, time, head width]`
/// - `masked`: true where masked, `[1 or batch, 1, 1 or new, time]`
/// - result: `[batch, heads, new, head width]`
pub(crate) fn attend(
    query: Tensor<4>,
    pairs: [Tensor<4>; 2],
    masked: &Tensor<4, Bool>,
    dropout: Option<&Dropout>,
) -> Tensor<4> {
    let [batch, heads, new, _] = query.dims();
    let weights = [batch, heads, new, pairs[0].dims()[2]];
    let factors = dropout.and_then(|dropout| dropout.factors(weights, &query));
    attention(query, pairs, Some(masked.clone()), factors)
}

/// [`attend`] of tokens to each other, where one layer made queries, keys and values.
///
/// # Shapes
///
/// - `all`: queries, keys and values, in this order, `[batch, 3 heads, time, head width]`
/// - result: `[batch, heads, time, head width]`
pub(crate) fn attend_itself(
    all: Tensor<4>,
    masked: &Tensor<4, Bool>,
    dropout: &Dropout,
) -> Tensor<4> {
    let [batch, heads, time, _] = all.dims();
    let factors = dropout.factors([batch, heads / 3, time, time], &all);
    self_attention(all, Some(masked.clone()), factors)
}

/// [`attend`] with scores that are held between `-cap` and `cap` by the hyperbolic tangent (Gemma
/// Team 2024, *Gemma 2*, [arXiv:2408.00118](https://arxiv.org/abs/2408.00118), section 2).
///
/// The scores are kept for the gradients, so memory grows with the square of the length.
///
/// # Shapes
///
/// - as for [`attend`]
pub(crate) fn attend_capped(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    masked: &Tensor<4, Bool>,
    cap: f64,
) -> Tensor<4> {
    let dims = query.dims();
    let [batch, heads, new, width] = dims;
    let [_, key_heads, time, _] = keys.dims();
    // Queries that share a key stand below each other.
    let rows = heads / key_heads * new;
    let query = (query * (width as f64).powf(-0.5)).reshape([batch, key_heads, rows, width]);
    let scores = query.matmul(keys.swap_dims(2, 3)); // [batch, key heads, rows, time]
    let shares = widely(scores, |scores| {
        let scores = (scores / cap).tanh() * cap;
        let scores = scores.reshape([batch, heads, new, time]);
        let masked = masked.clone().expand([batch, heads, new, time]);
        softmax(scores.mask_fill(masked, f32::NEG_INFINITY), 3)
    });
    let shares = shares.reshape([batch, key_heads, rows, time]);
    shares.matmul(values).reshape(dims)
}

/// [`attend`] where `bias` is added to the scores, which are not divided (Raffel et al. 2020, *Exploring the Limits of Transfer
/// Learning with a Unified Text-to-Text Transformer*, [arXiv:1910.10683](https://arxiv.org/abs/1910.10683), section 2.1).
/// There are as many heads of keys as of queries.
///
/// The scores are kept for the gradients, so memory grows with the square of the length.
///
/// # Shapes
///
/// - as for [`attend`]
/// - `bias`: `[1, heads, new, time]`
pub(crate) fn attend_biased(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    masked: &Tensor<4, Bool>,
    bias: Tensor<4>,
    dropout: &Dropout,
) -> Tensor<4> {
    let scores = query.matmul(keys.swap_dims(2, 3)) + bias; // [batch, heads, new, time]
    let shares = masked_softmax(scores, masked.clone(), 1.0);
    dropout.forward(shares).matmul(values)
}

/// How much each query attends to each key, which [`attend`] does not give away: the softmax of their scaled
/// products.
///
/// # Shapes
///
/// - `query`: `[batch, heads, new, head width]`
/// - `keys`: `[batch, heads, time, head width]`
/// - `masked`: true where masked, `[1 or batch, 1, 1 or new, time]`
/// - result: `[batch, heads, new, time]`
pub(crate) fn weights(
    query: Tensor<4>,
    keys: Tensor<4>,
    masked: Option<&Tensor<4, Bool>>,
) -> Tensor<4> {
    let [batch, heads, new, width] = query.dims();
    let time = keys.dims()[2];
    let scores = query.matmul(keys.swap_dims(2, 3)) / (width as f64).sqrt();
    let scores = match masked {
        Some(masked) => {
            let masked = masked.clone().expand([batch, heads, new, time]);
            scores.mask_fill(masked, f32::NEG_INFINITY)
        }
        None => scores,
    };
    softmax(scores, 3)
}

/// Splits the last axis into heads.
///
/// # Shapes
///
/// - `x`: `[batch, time, heads * head width]`
/// - result: `[batch, heads, time, head width]`
pub(crate) fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, time, width] = x.dims();
    let split = x.reshape([batch, time, heads, width / heads]);
    split.swap_dims(1, 2)
}

/// The inverse of [`split_heads`].
///
/// # Shapes
///
/// - `x`: `[batch, heads, time, head width]`
/// - result: `[batch, time, heads * head width]`
pub(crate) fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, time, width] = x.dims();
    x.swap_dims(1, 2).reshape([batch, time, heads * width])
}
