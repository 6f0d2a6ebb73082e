//! The ends of models that read tokens.

use burn::nn::Embedding;
use burn::tensor::{Int, Tensor};
use fireclay_kernels::{embedding as gather, linear, widely};

use crate::init::{Init, Values};

/// The deviation of first weights (Radford et al. 2018, *Improving Language Understanding by
/// Generative Pre-Training*, section 4.1).
pub(crate) const STD: f64 = 0.02;

/// The deviation of the first weights that end one of the two branches of each of `layers` blocks
/// (Radford et al. 2019, section 2.3).
pub(crate) fn branch_std(layers: usize) -> f64 {
    STD / (2.0 * layers as f64).sqrt()
}

impl Init {
    /// A lookup table of `rows` vectors of length `width`, standard normal (`torch.nn.Embedding`).
    pub fn embedding(&mut self, rows: usize, width: usize) -> Embedding {
        Embedding {
            weight: self.param([rows, width], Values::Normal { std: 1.0 }),
        }
    }
}

/// A lookup table of `rows` vectors, normal with deviation `std`.
pub(crate) fn embedding(rows: usize, width: usize, std: f64, init: &mut Init) -> Embedding {
    Embedding {
        weight: init.param([rows, width], Values::Normal { std }),
    }
}

/// The vector of each index; of a table in half precision, the gradients of an index that occurs often
/// are summed in single.
///
/// # Shapes
///
/// - `indices`: `[batch, time]`
/// - result: `[batch, time, width]`
pub(crate) fn look_up(table: &Embedding, indices: Tensor<2, Int>) -> Tensor<3> {
    widely(table.weight.val(), |table| gather(table, indices))
}

/// The product with the embedding of each token, which serves as the head's weight (Press & Wolf
/// 2016, [arXiv:1608.05859](https://arxiv.org/abs/1608.05859)).
///
/// # Shapes
///
/// - `x`: `[batch, time, width]`
/// - result: `[batch, time, vocabulary]`
pub(crate) fn tied_head(x: Tensor<3>, table: &Embedding) -> Tensor<3> {
    linear(x, tied_weight(table), None)
}

/// The weight of [`tied_head`], `[width, vocabulary]`.
pub(crate) fn tied_weight(table: &Embedding) -> Tensor<2> {
    table.weight.val().transpose()
}
