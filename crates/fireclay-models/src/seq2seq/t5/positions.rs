//! Relative positions (section 2.1): what the distance of two tokens adds to how much one attends to the other.

use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_kernels::{embedding as gather, widely};

use super::config::T5Config;
use crate::init::Init;
use crate::layers::tokens::embedding;

/// Distances fall into buckets, and each head adds a learned number for each bucket. All blocks of a stack share it.
#[derive(Module, Debug)]
pub(super) struct RelativePositions {
    /// A row for each bucket, a column for each head.
    relative_attention_bias: Embedding,
    #[module(skip)]
    buckets: Buckets,
}

impl RelativePositions {
    /// With buckets for tokens before and after, or, as of a decoder, before alone.
    pub fn new(config: &T5Config, looks_ahead: bool, init: &mut Init) -> Self {
        let std = (config.width as f64).powf(-0.5);
        Self {
            relative_attention_bias: embedding(config.buckets, config.heads, std, init),
            buckets: Buckets {
                count: config.buckets,
                max_distance: config.max_distance,
                looks_ahead,
            },
        }
    }

    /// What is added to the scores of `new` tokens after `seen` others.
    ///
    /// # Shapes
    ///
    /// - result: `[1, heads, new, seen + new]`
    pub fn bias(&self, seen: usize, new: usize, device: &Device) -> Tensor<4> {
        let (time, most) = (seen + new, self.buckets.max_distance as i64);
        let buckets: Vec<i64> = (-most..=most)
            .map(|distance| self.buckets.of(distance) as i64)
            .collect();
        let buckets = TensorData::new(buckets, [1, 2 * self.buckets.max_distance + 1]);
        let buckets = Tensor::<2, Int>::from_data(buckets, device);
        let indices =
            |start: usize, end: usize| Tensor::<1, Int>::arange(start as i64..end as i64, device);
        let own = indices(seen, time).reshape([new, 1]).expand([new, time]);
        let other = indices(0, time).reshape([1, time]).expand([new, time]);
        // What is farther away than the last bucket begins is in it, too.
        let distances = (other - own).clamp(-most, most) + most;
        // Many gradients are summed for each bucket.
        widely(self.relative_attention_bias.weight.val(), |table| {
            let heads = table.dims()[1];
            let by_distance = gather(table, buckets).squeeze_dim::<2>(0); // [distances, heads]
            let bias = gather(by_distance, distances.reshape([1, new * time]));
            bias.reshape([1, new, time, heads]).permute([0, 3, 1, 2])
        })
    }
}

/// Which distances are told apart: near ones all, farther ones by their logarithm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets {
    pub count: usize,
    /// The distance from which on all are alike.
    pub max_distance: usize,
    /// Whether half of the buckets are for tokens that come later; else these are in the first.
    pub looks_ahead: bool,
}

impl Buckets {
    /// The bucket of a token that comes so many after another, or before it if below zero.
    ///
    /// Logarithms are in single precision, as in the published code: at a border, another rounding would choose another
    /// bucket.
    pub fn of(&self, distance: i64) -> usize {
        let (count, first) = match self.looks_ahead {
            true if distance > 0 => (self.count / 2, self.count / 2),
            true => (self.count / 2, 0),
            false => (self.count, 0),
        };
        let distance = match self.looks_ahead {
            true => distance.unsigned_abs() as usize,
            false => distance.min(0).unsigned_abs() as usize,
        };
        let exact = count / 2;
        if distance < exact {
            return first + distance;
        }
        let far = (distance as f32 / exact as f32).ln();
        let farthest = (self.max_distance as f64 / exact as f64).ln() as f32;
        let beyond = far / farthest * (count - exact) as f32;
        first + (exact + beyond as usize).min(count - 1)
    }
}
