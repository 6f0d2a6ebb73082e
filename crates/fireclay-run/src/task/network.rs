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

    /// The feature maps that the last convolution leaves, `[batch, channels, rows, columns]`, if the model is
    /// made of convolutions.
    fn maps(&self, _input: &Input) -> Option<Tensor<4>> {
        None
    }

    /// The features that [`maps`](Self::maps) become.
    ///
    /// # Panics
    ///
    /// If the model has no maps.
    fn features_of_maps(&self, _maps: Tensor<4>) -> Tensor<2> {
        unreachable!("a model without maps gives none")
    }

    /// How much each token attends to each other one in each layer, `[batch, heads, tokens, tokens]`; empty
    /// where the model is no transformer.
    fn attentions(&self, _input: &Input) -> Vec<Tensor<4>> {
        Vec::new()
    }

    /// The width of the vector that stands for a category, for each embedded column of a table.
    fn vectors(&self) -> Vec<usize> {
        Vec::new()
    }
}

/// A batch as a model reads it: values, with respect to which there are gradients, and the parts that are
/// not differentiable.
#[derive(Clone, Debug)]
pub struct Input {
    /// Numeric features and the vectors of embedded categories, normalised pixels, or embedded tokens,
    /// `[batch, ...]` with all but the first dimension flattened.
    pub values: Tensor<2>,
    /// What the flattened dimensions are: `[inputs]`, `[channels, height, width]`, or `[time, width]`.
    pub dims: Vec<usize>,
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

    /// The first sample.
    #[must_use]
    pub fn head(&self) -> Self {
        Self {
            values: self.values.clone().narrow(0, 0, 1),
            dims: self.dims.clone(),
            mask: self.mask.clone().map(|mask| mask.narrow(0, 0, 1)),
        }
    }

    /// An input without information, for comparison: the training means of a table and no category, the mean
    /// colour of an image, and no embedding for the tokens of a text.
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
        Input::new(TabularNetwork::embed(self, input.numeric, input.categories))
    }

    fn features(&self, input: &Input) -> Tensor<2> {
        TabularNetwork::features_embedded(self, input.shaped())
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        TabularNetwork::head(self, features)
    }

    fn vectors(&self) -> Vec<usize> {
        TabularNetwork::vectors(self)
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

    fn maps(&self, input: &Input) -> Option<Tensor<4>> {
        ImageNetwork::maps(self, input.shaped())
    }

    fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        ImageNetwork::features_of_maps(self, maps)
    }

    fn attentions(&self, input: &Input) -> Vec<Tensor<4>> {
        ImageNetwork::attentions(self, input.shaped())
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

    fn attentions(&self, input: &Input) -> Vec<Tensor<4>> {
        let mask = input.mask.clone().expect("the input of a text");
        EncoderNetwork::attentions(self, input.shaped(), None, mask)
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
