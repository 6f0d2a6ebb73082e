//! The tokens of texts on the CPU: keys lie so that the products with several of them are one vector.

use burn::backend::Flex;
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::Sight;
use crate::flex::{LANES, numbers, run, tensor};
use crate::softmax::flex::weigh;

/// One text in one layer.
#[derive(Clone, Debug)]
pub(super) struct Past {
    heads: Vec<Head>,
}

/// What the queries that share a head of keys look at.
#[derive(Clone, Debug)]
struct Head {
    /// Blocks of [`LANES`] tokens: for each place of a key that of each token; zeros fill the last block.
    keys: Vec<f32>,
    /// Token by token.
    values: Vec<f32>,
    tokens: usize,
}

impl Past {
    pub fn new(keys: Tensor<4>, values: Tensor<4>) -> Self {
        let [_, heads, time, width] = keys.dims();
        let (keys, values) = (numbers(keys), numbers(values));
        let parts = |numbers: &'_ [f32], head: usize| {
            let part = &numbers[head * time * width..][..time * width];
            part.chunks_exact(width)
                .map(<[f32]>::to_vec)
                .collect::<Vec<_>>()
        };
        let head = |head| {
            let mut found = Head {
                keys: Vec::new(),
                values: Vec::new(),
                tokens: 0,
            };
            let [keys, values] = [&keys, &values].map(|all| parts(all.storage(), head));
            for (key, value) in keys.iter().zip(&values) {
                found.push(key, value);
            }
            found
        };
        Self {
            heads: (0..heads).map(head).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.heads.first().map_or(0, |head| head.tokens)
    }
}

impl Head {
    fn push(&mut self, key: &[f32], value: &[f32]) {
        let lane = self.tokens % LANES;
        if lane == 0 {
            self.keys.resize(self.keys.len() + key.len() * LANES, 0.0);
        }
        let block = self.keys.len() - key.len() * LANES;
        let places = self.keys[block + lane..].iter_mut().step_by(LANES);
        for (place, x) in places.zip(key) {
            *place = *x;
        }
        self.values.extend_from_slice(value);
        self.tokens += 1;
    }
}

pub(super) fn attend_each(
    query: Tensor<4>,
    pairs: [Tensor<4>; 2],
    pasts: Vec<&mut Past>,
    sight: Sight,
) -> Tensor<4> {
    let ([rows, heads, _, width], key_heads) = (query.dims(), pairs[0].dims()[1]);
    let shared = heads / key_heads * width;
    let query = numbers(query);
    let [keys, values] = pairs.map(numbers);
    let mut found = vec![0.0; rows * heads * width];
    let pasts = pasts.into_iter().flat_map(|past| &mut past.heads);
    let pairs = keys
        .storage()
        .chunks_exact(width)
        .zip(values.storage().chunks_exact(width));
    let groups = query
        .storage()
        .chunks_exact(shared)
        .zip(found.chunks_exact_mut(shared));
    let work = pasts.zip(pairs).zip(groups);
    run(work.map(|((past, (key, value)), (queries, found))| Group {
        past,
        key,
        value,
        queries,
        found,
        sight,
    }));
    Tensor::from_primitive::<Flex>(tensor(found, [rows, heads, 1, width]))
}

/// The queries of one token that share keys.
struct Group<'a> {
    past: &'a mut Head,
    key: &'a [f32],
    value: &'a [f32],
    queries: &'a [f32],
    found: &'a mut [f32],
    sight: Sight,
}

impl NullaryFnOnce for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.past.push(self.key, self.value);
        let (width, past) = (self.key.len(), &*self.past);
        let scale = (width as f32).powf(-0.5);
        let mut weights = vec![0.0; past.tokens.next_multiple_of(LANES)];
        let mut scaled = vec![0.0; width];
        let window = self.sight.window.unwrap_or(past.tokens);
        let first = past.tokens.saturating_sub(window);
        let queries = self.queries.chunks_exact(width);
        for (query, found) in queries.zip(self.found.chunks_exact_mut(width)) {
            for (scaled, x) in scaled.iter_mut().zip(query) {
                *scaled = x * scale;
            }
            score(&scaled, &past.keys, &mut weights);
            let weights = &mut weights[first..past.tokens];
            if let Some(cap) = self.sight.cap {
                hold(weights, cap as f32);
            }
            let moments = weigh(weights, None);
            mix(
                weights,
                &past.values[first * width..],
                moments.factor,
                found,
            );
        }
    }
}

/// The products of a query with all keys.
#[inline(always)]
fn score(query: &[f32], keys: &[f32], scores: &mut [f32]) {
    let blocks = keys.chunks_exact(LANES * query.len());
    for (block, scores) in blocks.zip(scores.as_chunks_mut::<LANES>().0) {
        let mut sums = [0.0; LANES];
        for (x, keys) in query.iter().zip(block.as_chunks::<LANES>().0) {
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += x * key;
            }
        }
        *scores = sums;
    }
}

/// Holds scores between `-cap` and `cap`.
#[inline(always)]
fn hold(scores: &mut [f32], cap: f32) {
    for score in scores {
        *score = (*score / cap).tanh() * cap;
    }
}

/// The sum of all values by their weights, times a factor.
#[inline(always)]
fn mix(weights: &[f32], values: &[f32], factor: f32, found: &mut [f32]) {
    let width = found.len();
    let whole = width / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let mut sums = [0.0; LANES];
        for (weight, value) in weights.iter().zip(values.chunks_exact(width)) {
            for (sum, x) in sums.iter_mut().zip(&value[start..start + LANES]) {
                *sum += weight * x;
            }
        }
        for (found, sum) in found[start..].iter_mut().zip(sums) {
            *found = sum * factor;
        }
    }
    for place in whole..width {
        let products = weights.iter().zip(values.chunks_exact(width));
        let sum: f32 = products.map(|(weight, value)| weight * value[place]).sum();
        found[place] = sum * factor;
    }
}
