//! Attention with several heads (Vaswani et al. 2017,
//! [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2).

use burn::tensor::{Bool, Tensor};
use fireclay_kernels::masked_softmax;

use super::dropout::Dropout;

/// Hides the tokens which only fill a row up.
///
/// # Shapes
///
/// - `mask`: `[batch, time]`, true where there is a token
/// - result: `[batch, 1, 1, time]`, true where hidden
pub(crate) fn hide_padding(mask: Tensor<2, Bool>) -> Tensor<4, Bool> {
    let [batch, time] = mask.dims();
    mask.bool_not().reshape([batch, 1, 1, time])
}

/// softmax(Q Kᵀ / sqrt(d)) V. Where there are fewer heads of keys than of queries, as many
/// queries in a row share one (Ainslie et al. 2023, *GQA*,
/// [arXiv:2305.13245](https://arxiv.org/abs/2305.13245), section 2.2).
///
/// Burn's own `attention` is not used: it drops nothing, shares keys on some backends only, and
/// while training it is decomposed into plain operations. Forward alone it was up to 2.8 times as
/// fast on flex over rows of 1024 before the softmax was fused here, but slower with a cache of as
/// many (`docs/benchmarks.md`).
///
/// # Shapes
///
/// - `query`: `[batch, heads, new, head width]`
/// - `keys`, `values`: `[batch, key heads, time, head width]`
/// - `hidden`: what each must not look at, `[1 or batch, 1, 1 or new, time]`
/// - result: `[batch, heads, new, head width]`
pub(crate) fn attend(
    query: Tensor<4>,
    [keys, values]: [Tensor<4>; 2],
    hidden: &Tensor<4, Bool>,
    dropout: Option<&Dropout>,
) -> Tensor<4> {
    let [batch, heads, new, width] = query.dims();
    let [_, key_heads, time, _] = keys.dims();
    // Queries that share a key stand below each other, so that no key need be repeated.
    let rows = heads / key_heads * new;
    let query = query.reshape([batch, key_heads, rows, width]);
    let scores = query.matmul(keys.transpose()); // [batch, key heads, rows, time]
    let scores = scores.reshape([batch, heads, new, time]);
    let scale = (width as f64).powf(-0.5);
    let weights = masked_softmax(scores, hidden.clone(), scale);
    let weights = match dropout {
        Some(dropout) => dropout.forward(weights),
        None => weights,
    };
    let weights = weights.reshape([batch, key_heads, rows, time]);
    let mixed = weights.matmul(values); // [batch, key heads, rows, head width]
    mixed.reshape([batch, heads, new, width])
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
