//! What a task needs of a model, whatever its input.

use super::labelled::Labelled;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Bool, FloatDType, Int, Tensor};
use fireclay_models::{
    EncoderModel, EncoderNetwork, ImageModel, ImageNetwork, Tabular, TabularNetwork,
};

/// A model whose outputs are the logits or numbers of a task.
pub trait Network: Module + ModuleDisplay + 'static {
    /// The tensors of one batch.
    type Input: Clone + Send + 'static;

    /// Maps a batch to outputs `[batch, outputs]` of 32 bits, whatever the model computes in.
    fn forward(&self, input: Self::Input) -> Tensor<2>;
}

/// The input of a model for tables.
#[derive(Clone, Debug)]
pub struct TableInput {
    /// Numeric features, `[batch, numeric]`.
    pub numeric: Tensor<2>,
    /// Indices of embedded categories, `[batch, embedded columns]`.
    pub categories: Tensor<2, Int>,
}

impl Network for Tabular {
    type Input = TableInput;

    fn forward(&self, input: TableInput) -> Tensor<2> {
        TabularNetwork::forward(self, input.numeric, input.categories).cast(FloatDType::F32)
    }
}

impl Network for ImageModel {
    /// `[batch, channels, height, width]`.
    type Input = Tensor<4>;

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        ImageNetwork::forward(self, images).cast(FloatDType::F32)
    }
}

/// The input of an encoder of text.
#[derive(Clone, Debug)]
pub struct TextInput {
    /// Tokens, `[batch, time]`.
    pub tokens: Tensor<2, Int>,
    /// True where there is a token, `[batch, time]`.
    pub mask: Tensor<2, Bool>,
}

impl Network for EncoderModel {
    type Input = TextInput;

    fn forward(&self, text: TextInput) -> Tensor<2> {
        self.forward_pooled(text.tokens, None, text.mask)
            .cast(FloatDType::F32)
    }
}

/// The input of a step: the model's input and the targets.
#[derive(Clone, Debug)]
pub struct Batch<I> {
    /// The model's input.
    pub input: I,
    /// The targets.
    pub labelled: Labelled,
}
