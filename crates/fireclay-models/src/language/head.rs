//! The last layer of a model that predicts the next token.

use burn::tensor::Tensor;
use fireclay_kernels::{linear, widely};

use crate::layers::weight::{PackedWeight, Weight};

/// The last layer of a model that predicts the next token, which has no bias.
#[derive(Clone, Debug)]
pub struct Head {
    matrix: Matrix,
    cap: Option<f64>,
}

#[derive(Clone, Debug)]
enum Matrix {
    /// `[width, vocabulary]`; a transposed view where it is the embedding of the tokens.
    Whole(Tensor<2>),
    /// In few bits, which a product reads as they are.
    Packed(PackedWeight),
}

impl Head {
    /// A head of whole numbers, `[width, vocabulary]`.
    pub fn whole(weight: Tensor<2>) -> Self {
        let (matrix, cap) = (Matrix::Whole(weight), None);
        Self { matrix, cap }
    }

    /// The layer with this weight, `[width, vocabulary]`.
    pub(crate) fn layer(weight: &Weight) -> Self {
        match weight {
            Weight::Whole(weight) => Self::whole(weight.val()),
            Weight::Packed(packed) => Self::packed(packed),
        }
    }

    /// The embedding of the tokens, `[vocabulary, width]`.
    pub(crate) fn tied(table: &Weight) -> Self {
        match table {
            Weight::Whole(table) => Self::whole(table.val().transpose()),
            Weight::Packed(packed) => Self::packed(packed),
        }
    }

    fn packed(weight: &PackedWeight) -> Self {
        let matrix = Matrix::Packed(weight.clone());
        Self { matrix, cap: None }
    }

    /// What logits are held below, by the hyperbolic tangent (Gemma Team 2024, *Gemma 2*,
    /// [arXiv:2408.00118](https://arxiv.org/abs/2408.00118), section 2).
    #[must_use]
    pub fn capped(self, cap: Option<f64>) -> Self {
        Self { cap, ..self }
    }

    /// What logits are held below.
    pub fn cap(&self) -> Option<f64> {
        self.cap
    }

    /// Tokens that it tells apart.
    pub fn vocabulary(&self) -> usize {
        match &self.matrix {
            Matrix::Whole(weight) => weight.dims()[1],
            Matrix::Packed(packed) => packed.matrix.shape()[0],
        }
    }

    /// Its numbers in full, `[width, vocabulary]`.
    pub fn weight(&self) -> Tensor<2> {
        match &self.matrix {
            Matrix::Whole(weight) => weight.clone(),
            Matrix::Packed(packed) if packed.is_table => packed.val().transpose(),
            Matrix::Packed(packed) => packed.val(),
        }
    }

    /// # Shapes
    ///
    /// - `hidden`: `[.., width]`
    /// - result: `[.., vocabulary]`
    pub fn logits<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        let logits = match &self.matrix {
            Matrix::Whole(weight) => linear(hidden, weight.clone(), None),
            Matrix::Packed(packed) => packed.product(hidden),
        };
        match self.cap {
            Some(cap) => widely(logits, |logits| (logits / cap).tanh() * cap),
            None => logits,
        }
    }
}
