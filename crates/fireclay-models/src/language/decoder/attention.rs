//! Attention whose heads share keys and values in groups.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Turns;
use super::parts::{BlockParts, Parts, Projection, QueryNorm};
use crate::init::Init;
use crate::layers::attention::{join_heads, split_heads};
use crate::layers::causal::{LayerCache, Seen};
use crate::layers::linear::{self, Linear};
use crate::layers::norm::Norm;
use crate::layers::tokens::STD;
use crate::layers::weight::Weight;

/// The layers that a family does not have are absent.
#[derive(Module, Debug)]
pub(super) struct Attention {
    q_proj: Option<Linear>,
    k_proj: Option<Linear>,
    v_proj: Option<Linear>,
    /// Queries, keys and values in one.
    qkv_proj: Option<Linear>,
    q_norm: Option<Norm>,
    k_norm: Option<Norm>,
    o_proj: Linear,
    #[module(skip)]
    sizes: Sizes,
    #[module(skip)]
    own: BlockParts,
}

/// What the layers do not say.
#[derive(Clone, Debug)]
struct Sizes {
    heads: usize,
    kv_heads: usize,
    head_width: usize,
    projection: Projection,
    query_norm: Option<QueryNorm>,
    /// What queries are multiplied by beside one over the root of the width of a head.
    query_scale: Option<f64>,
    cap: Option<f64>,
}

impl Sizes {
    fn new(parts: &Parts) -> Self {
        let head_width = parts.head_width as f64;
        let own = parts.query_scalar.filter(|scalar| *scalar != head_width);
        Self {
            heads: parts.heads,
            kv_heads: parts.kv_heads,
            head_width: parts.head_width,
            projection: parts.projection,
            query_norm: parts.query_norm,
            query_scale: own.map(|scalar| (head_width / scalar).sqrt()),
            cap: parts.attention_cap,
        }
    }
}

impl Attention {
    pub fn new(parts: &Parts, own: BlockParts, init: &mut Init) -> Self {
        let (width, biases) = (parts.width, parts.biases);
        let queries = parts.heads * parts.head_width;
        let keys = parts.kv_heads * parts.head_width;
        let is_apart = parts.projection == Projection::Apart;
        let made = |apart: bool, outputs: usize, init: &mut Init| {
            let layer = || linear::normal(width, outputs, STD, biases.projection, init);
            (apart == is_apart).then(layer)
        };
        let norm = |all: usize, init: &mut Init| {
            let width = match parts.query_norm? {
                QueryNorm::Heads => parts.head_width,
                QueryNorm::Whole => all,
            };
            Some(init.norm(parts.norm, width, parts.norm_eps))
        };
        Self {
            q_proj: made(true, queries, init),
            k_proj: made(true, keys, init),
            v_proj: made(true, keys, init),
            qkv_proj: made(false, queries + 2 * keys, init),
            q_norm: norm(queries, init),
            k_norm: norm(keys, init),
            o_proj: linear::normal(queries, width, STD, biases.output, init),
            sizes: Sizes::new(parts),
            own,
        }
    }

    /// Those of its linear layers.
    pub fn weights(&mut self) -> Vec<&mut Weight> {
        let made = [
            &mut self.q_proj,
            &mut self.k_proj,
            &mut self.v_proj,
            &mut self.qkv_proj,
        ];
        let layers = made.into_iter().flatten().chain([&mut self.o_proj]);
        layers.map(|layer| &mut layer.weight).collect()
    }

    pub fn forward(&self, x: Tensor<3>, turns: &Turns, cache: &mut LayerCache) -> Tensor<3> {
        let [query, keys, values] = self.project(x);
        let turn = |x| match self.own.rope {
            Some(kind) => turns.rotaries[kind].turn(x),
            None => x,
        };
        // A key is turned once, by its own position, so the cache holds turned keys.
        let keys = turn(keys);
        let query = match self.sizes.query_scale {
            Some(scale) => turn(query) * scale,
            None => turn(query),
        };
        let seen = Seen {
            masked: turns.masked(self.own.window),
            window: self.own.window,
            cap: self.sizes.cap,
            dropout: None,
        };
        let mixed = cache.attend(query, [keys, values], &seen);
        self.o_proj.forward(join_heads(mixed))
    }

    /// Queries, keys and values, `[batch, heads or key heads, new, head width]`.
    fn project(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let Sizes {
            heads, kv_heads, ..
        } = self.sizes;
        if self.sizes.projection == Projection::ByHead {
            return self.by_head(x);
        }
        let [query, keys, values] = self.rows(x);
        let is_whole = self.sizes.query_norm == Some(QueryNorm::Whole);
        let query = normed(self.q_norm.as_ref().filter(|_| is_whole), query);
        let keys = normed(self.k_norm.as_ref().filter(|_| is_whole), keys);
        let query = split_heads(query, heads);
        let keys = split_heads(keys, kv_heads);
        [
            normed(self.q_norm.as_ref().filter(|_| !is_whole), query),
            normed(self.k_norm.as_ref().filter(|_| !is_whole), keys),
            split_heads(values, kv_heads),
        ]
    }

    /// Queries, keys and values of all heads, `[batch, new, heads or key heads * head width]`.
    fn rows(&self, x: Tensor<3>) -> [Tensor<3>; 3] {
        if let [Some(query), Some(keys), Some(values)] = [&self.q_proj, &self.k_proj, &self.v_proj]
        {
            return Linear::forward_each([query, keys, values], x);
        }
        let all = self.joined(x);
        let queries = self.sizes.heads * self.sizes.head_width;
        let keys = self.sizes.kv_heads * self.sizes.head_width;
        [(0, queries), (queries, keys), (queries + keys, keys)]
            .map(|(start, length)| all.clone().narrow(2, start, length))
    }

    /// As [`project`](Self::project), where the layer makes them head by head.
    fn by_head(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let all = split_heads(self.joined(x), self.sizes.heads);
        let width = self.sizes.head_width;
        [0, 1, 2].map(|part| all.clone().narrow(3, part * width, width))
    }

    fn joined(&self, x: Tensor<3>) -> Tensor<3> {
        let layer = self.qkv_proj.as_ref();
        layer.expect("there is one layer or three").forward(x)
    }
}

fn normed<const D: usize>(norm: Option<&Norm>, x: Tensor<D>) -> Tensor<D> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}
