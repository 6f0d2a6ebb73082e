//! Tables of tokens that may be kept in few bits.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use fireclay_kernels::{embedding, embedding_packed, widely};

use super::weight::Weight;
use crate::init::{Init, Values};

/// A lookup table of vectors, named as Burn's, so that its tensor is.
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    /// `[rows, width]`.
    pub weight: Weight,
}

impl Embedding {
    /// Normal with deviation `std`.
    pub fn new(rows: usize, width: usize, std: f64, init: &mut Init) -> Self {
        Self {
            weight: Weight::Whole(init.param([rows, width], Values::Normal { std })),
        }
    }

    /// The vector of each index, as [`look_up`](super::tokens::look_up).
    ///
    /// # Shapes
    ///
    /// - `indices`: `[batch, time]`
    /// - result: `[batch, time, width]`
    pub fn look_up(&self, indices: Tensor<2, Int>) -> Tensor<3> {
        match &self.weight {
            Weight::Whole(weight) => widely(weight.val(), |table| embedding(table, indices)),
            Weight::Packed(weight) => embedding_packed(&weight.matrix, indices),
        }
    }
}
