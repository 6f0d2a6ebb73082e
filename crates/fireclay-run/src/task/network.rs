//! What a task needs of a model, whatever its input.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Bool, FloatDType, Int, Tensor};
use fireclay_models::{
    EncoderModel, EncoderNetwork, ImageModel, ImageNetwork, Tabular, TabularNetwork,
};

use super::labelled::Labelled;

/// A model whose outputs are the logits or numbers of a task.
pub trait Network: Module + ModuleDisplay + 'static {
    /// The tensors of one batch.
    type Input: Clone + Send + 'static;

    /// Maps a batch to outputs `[batch, outputs]` of 32 bits, whatever the model computes in.
    fn forward(&self, input: Self::Input) -> Tensor<2>;

    /// The same batch as an [`Input`]: the values that have gradients, and the parts that have none.
    fn input(&self, input: Self::Input) -> Input;

    /// What the last layer is given, `[batch, features]`.
    fn features(&self, input: &Input) -> Tensor<2>;

    /// The last layer: maps features to outputs `[batch, outputs]`.
    fn head(&self, features: Tensor<2>) -> Tensor<2>;
}

/// A batch as a model reads it: values, with respect to which there are gradients, and the parts that are
/// not differentiable.
#[derive(Clone, Debug)]
pub struct Input {
    /// Numeric features, normalised pixels, or embedded tokens, `[batch, ...]` with all but the first
    /// dimension flattened.
    pub values: Tensor<2>,
    /// What the flattened dimensions are: `[numeric]`, `[channels, height, width]`, or `[time, width]`.
    pub dims: Vec<usize>,
    /// Indices of embedded categories `[batch, columns]`.
    pub categories: Option<Tensor<2, Int>>,
    /// True where there is a token, `[batch, time]`.
    pub mask: Option<Tensor<2, Bool>>,
}

impl Input {
    pub(crate) fn new<const D: usize>(values: Tensor<D>) -> Self {
        let dims = values.dims();
        let values = values.reshape([dims[0] as i64, -1]);
        Self {
            values,
            dims: dims[1..].to_vec(),
            categories: None,
            mask: None,
        }
    }

    /// The values in the shape that the model reads, `[batch, ...]`.
    ///
    /// # Panics
    ///
    /// If the model reads another number of dimensions.
    pub(crate) fn shaped<const D: usize>(&self) -> Tensor<D> {
        let batch = self.values.dims()[0];
        let dims = [&[batch], &self.dims[..]].concat();
        let dims: [usize; D] = dims.try_into().expect("an input of this model");
        self.values.clone().reshape(dims)
    }

    /// The same input, with autodiff on its values.
    #[must_use]
    pub fn tracked(self) -> Self {
        Self {
            values: self.values.autodiff().require_grad(),
            ..self
        }
    }

    /// An input without information, for comparison: the training means of a table, the mean colour of an
    /// image, and no embedding for the tokens of a text.
    #[must_use]
    pub fn blank(&self) -> Self {
        Self {
            values: self.values.zeros_like(),
            ..self.clone()
        }
    }
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

    fn input(&self, input: TableInput) -> Input {
        Input {
            categories: Some(input.categories),
            ..Input::new(input.numeric)
        }
    }

    fn features(&self, input: &Input) -> Tensor<2> {
        let categories = input.categories.clone().expect("the input of a table");
        TabularNetwork::features(self, input.shaped(), categories)
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        TabularNetwork::head(self, features)
    }
}

impl Network for ImageModel {
    /// `[batch, channels, height, width]`.
    type Input = Tensor<4>;

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        ImageNetwork::forward(self, images).cast(FloatDType::F32)
    }

    fn input(&self, images: Tensor<4>) -> Input {
        Input::new(images)
    }

    fn features(&self, input: &Input) -> Tensor<2> {
        ImageNetwork::features(self, input.shaped())
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        ImageNetwork::head(self, features)
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

    fn input(&self, text: TextInput) -> Input {
        Input {
            mask: Some(text.mask),
            ..Input::new(self.embed(text.tokens))
        }
    }

    fn features(&self, input: &Input) -> Tensor<2> {
        let mask = input.mask.clone().expect("the input of a text");
        self.features_embedded(input.shaped(), None, mask)
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        EncoderNetwork::head(self, features)
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
