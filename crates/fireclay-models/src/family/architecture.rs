//! What an architecture says of itself, once, in its own file.

use burn::module::Module;
use burn::tensor::Device;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::family::Rows;
use crate::hugging_face::{self, HuggingFaceClass, HuggingFaceError, is_of_timm};
use crate::layers::weight::Weight;
use crate::limits::check_context;
use crate::shape::Shape;

/// An architecture: the configuration that builds its module.
///
/// Methods are as those of [`Family`](super::Family) and may assume what comes before them: a
/// possible configuration, then a possible shape.
pub trait Architecture: DeserializeOwned + JsonSchema + 'static {
    /// What the data determines of a model.
    type Shape: Shape;
    /// The module.
    type Model: Module;

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What does not go with the data, as (key, message).
    fn validate_for(&self, _shape: &Self::Shape) -> Vec<(String, String)> {
        Vec::new()
    }

    /// A lower bound of the number of weights.
    fn least_weights(&self, shape: &Self::Shape) -> usize;

    /// Whether statistics are taken over the batch while training.
    fn has_batch_norm(&self) -> bool {
        false
    }

    /// The key that the number of weights depends on most.
    fn size_key(&self) -> &'static str {
        "type"
    }

    /// Tokens that the model reads, at most; every model that reads text says it.
    fn context_length(&self) -> usize {
        0
    }

    /// The number of different tokens that a model that reads text is usually trained with.
    fn usual_vocabulary(&self) -> usize {
        32_000
    }

    /// Whether an encoder can be built without outputs, for logits of each token.
    fn has_token_head(&self) -> bool {
        false
    }

    /// Builds the model; equal arguments give equal weights and parameter ids on every backend.
    fn init(&self, shape: &Self::Shape, seed: u64, device: &Device) -> Self::Model;

    /// The weights that can be kept in few bits.
    fn weights(_model: &mut Self::Model) -> Vec<&mut Weight> {
        Vec::new()
    }

    /// PyTorch's name of the tensor at `path`, where no field can be called so.
    fn torch_name(&self, path: String) -> String {
        path
    }

    /// What computes the same in Hugging Face's `transformers`.
    fn hugging_face_class() -> Option<HuggingFaceClass<Self, Self::Shape>> {
        None
    }

    /// What computes the same in timm.
    fn timm_class() -> Option<HuggingFaceClass<Self, Self::Shape>> {
        None
    }
}

/// An architecture whose weights can start from a file that others wrote, and whose layers can
/// learn at different rates; methods are as those of [`Pretrainable`](super::Pretrainable).
pub(crate) trait Layered: Architecture {
    /// The PyTorch name of the layer that gives the logits.
    const HEAD: &'static str;

    /// The same, where it depends on the configuration.
    fn head(&self) -> &'static str {
        Self::HEAD
    }

    /// The number of layers for layer-wise learning rates.
    fn layers(&self) -> usize;

    /// The layer of the tensor with this PyTorch name; `None` for the head's.
    fn layer_of(&self, name: &str) -> Option<usize>;

    /// The original's name of a tensor that others call `name`.
    fn canonical_name(&self, name: &str) -> Option<String> {
        Some(name.to_string())
    }

    /// Whether the tensor belongs to a head that files have and a model of this shape lacks.
    fn leaves_out(&self, _shape: &Self::Shape, _name: &str) -> bool {
        false
    }

    /// The grid of positions that the tensor `name` embeds.
    fn positions(&self, _shape: &Self::Shape, _name: &str) -> Option<[usize; 2]> {
        None
    }

    /// The tensor that the one called `name` in a file is a copy of, both by their original's names.
    fn copy_of(&self, _name: &str) -> Option<&'static str> {
        None
    }

    /// What the rows of the tensor `name` stand for, if a file may have another number of them.
    fn rows_of(&self, _name: &str) -> Option<Rows> {
        None
    }

    /// The values that change the logits and leave no trace in names and shapes of tensors, by key.
    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Whether `name`, as timm calls an architecture or `transformers` a class, may be this one.
    fn may_be(&self, _name: &str) -> bool {
        true
    }
}

/// What is impossible in either, or else what does not go together, as (key, message).
pub(crate) fn impossible<A: Architecture>(config: &A, shape: &A::Shape) -> Vec<(String, String)> {
    let mut problems = config.validate();
    problems.extend(shape.validate());
    problems.extend(check_context(config.context_length()));
    match problems.is_empty() {
        true => config.validate_for(shape),
        false => problems,
    }
}

/// Compares a model with a `config.json`, if `transformers` or timm have it.
pub(crate) fn check_hugging_face<A: Architecture>(
    config: &A,
    shape: &A::Shape,
    json: &[u8],
) -> Result<(), HuggingFaceError> {
    let json = hugging_face::parse(json)?;
    let class = match is_of_timm(&json) {
        true => A::timm_class().filter(|class| class.knows(&json)),
        false => A::hugging_face_class(),
    };
    match class {
        Some(class) => hugging_face::compare(&class, (config, shape), &json, impossible),
        None => Ok(()),
    }
}
