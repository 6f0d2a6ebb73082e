//! From which tokens a transformer has what each token holds at its end.
//!
//! Abnar & Zuidema 2020, *Quantifying Attention Flow in Transformers*,
//! [arXiv:2005.00928](https://arxiv.org/abs/2005.00928), section 3: attention rollout.

/// The share that each token has in each other one after the last layer, `[tokens, tokens]`, whose rows sum to one.
/// Layers are attentions `[heads, tokens, tokens]`, the first layer first. The heads are averaged, and the residual
/// connection counts as much as the attention.
pub fn attention_rollout(layers: &[Vec<f32>], tokens: usize) -> Vec<f64> {
    let mut shares = identity(tokens);
    for layer in layers {
        shares = product(&mixed(layer, tokens), &shares, tokens);
    }
    shares
}

/// Half the mean attention of the heads, half the token itself.
fn mixed(layer: &[f32], tokens: usize) -> Vec<f64> {
    let heads = (layer.len() / (tokens * tokens)) as f64;
    let mut mean = identity(tokens);
    mean.iter_mut().for_each(|share| *share *= 0.5);
    for head in layer.chunks_exact(tokens * tokens) {
        let pairs = mean.iter_mut().zip(head);
        pairs.for_each(|(share, weight)| *share += 0.5 * f64::from(*weight) / heads);
    }
    mean
}

fn identity(tokens: usize) -> Vec<f64> {
    let one = |at: usize| f64::from(u8::from(at / tokens == at % tokens));
    (0..tokens * tokens).map(one).collect()
}

fn product(left: &[f64], right: &[f64], size: usize) -> Vec<f64> {
    let mut result = vec![0.0; size * size];
    for (row, out) in left.chunks_exact(size).zip(result.chunks_exact_mut(size)) {
        for (share, from) in row.iter().zip(right.chunks_exact(size)) {
            let pairs = out.iter_mut().zip(from);
            pairs.for_each(|(sum, value)| *sum += share * value);
        }
    }
    result
}
