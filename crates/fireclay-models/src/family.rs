//! What every family of models has in common, so that weights, checkpoints and training need to
//! be written once; and what an architecture says of itself, from which its family is made.

mod architecture;
mod registry;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::hugging_face::HuggingFaceError;
use crate::layers::weight::Weight;
use crate::shape::Shape;
pub use architecture::Architecture;
pub(crate) use architecture::{Layered, check_hugging_face, impossible};
pub(crate) use registry::{delegate, enums, pretrainable, registry};

/// A family of models: configurations that build modules from what the data determines.
pub trait Family: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// The name of each architecture and what it is.
    const TYPES: &[(&str, &str)];

    /// What the data determines of a model.
    type Shape: Shape;
    /// The module that holds the chosen architecture.
    type Model: Module;

    /// Shows every architecture of the family to `visitor`, in the order in which they are listed.
    fn visit(visitor: &mut impl Visitor<Self>);

    /// The name of the architecture: `type` in configurations.
    fn name(&self) -> &'static str;

    /// Every impossible value of the configuration alone, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;

    /// Every impossible value of the configuration and of the shape, or else everything in which
    /// the two do not go together, as (key, message).
    fn validate_for(&self, shape: &Self::Shape) -> Vec<(String, String)>;

    /// A lower bound of the number of weights, found without building anything.
    ///
    /// A file that describes a model with more weights than the file has bytes is refused by it
    /// before any memory is taken, so the closer the better. Saturates rather than overflows.
    fn least_weights(&self, shape: &Self::Shape) -> usize;

    /// Whether statistics are taken over the batch while training, so that its rows depend on each
    /// other.
    fn has_batch_norm(&self) -> bool;

    /// The key of the configuration that the number of weights depends on most.
    fn size_key(&self) -> &'static str;

    /// Tokens that the model reads, at most; 0 where it reads no text.
    fn context_length(&self) -> usize;

    /// The number of different tokens that the model is usually trained with, if it reads text.
    fn usual_vocabulary(&self) -> usize;

    /// Builds the model; equal arguments give equal weights and parameter ids on every backend.
    ///
    /// # Panics
    ///
    /// If [`validate_for`](Self::validate_for) reports a problem.
    fn init(&self, shape: &Self::Shape, seed: u64, device: &Device) -> Self::Model;

    /// The weights of the model that can be kept in few bits; none where an architecture has no layers for it.
    fn weights(model: &mut Self::Model) -> Vec<&mut Weight>;

    /// What PyTorch calls a tensor whose path of fields and indices is `path`, without the names
    /// of enum variants and with the scale and shift of norms as `weight` and `bias`.
    fn torch_name(&self, path: String) -> String;

    /// The `config.json` with which Hugging Face's `transformers` loads the weights of this model;
    /// `None` if no class of it computes the same.
    fn hugging_face(&self, shape: &Self::Shape) -> Option<Value>;
}

/// What wants to know the architectures of a family `F`.
pub trait Visitor<F: Family> {
    /// An architecture: its name in configurations, what it is in a few words, and what makes a
    /// configuration of it one of the family.
    fn architecture<C: Architecture<Shape = F::Shape>>(
        &mut self,
        name: &'static str,
        summary: &'static str,
        wrap: fn(C) -> F,
    );
}

/// What the rows of a tensor stand for, of which a file may have more or fewer than the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The tokens of a vocabulary, of which others may have some more, or fewer.
    Tokens,
    /// The positions of a text, the first of which serve a model that reads less.
    Positions,
}

/// A family whose weights can start from a file that others wrote, and whose layers can learn at
/// different rates.
pub trait Pretrainable: Family {
    /// How many layers the model has for layer-wise learning rates and freezing: what comes before
    /// the first block is 0, then comes each block, and the head is last.
    fn layers(&self) -> usize;

    /// The layer of a tensor by its PyTorch name, below [`layers`](Self::layers).
    ///
    /// A name that no tensor of the model has counts as the head's.
    fn layer_of(&self, name: &str) -> usize;

    /// The PyTorch name of the layer that gives the logits, without a dot at the end.
    fn head(&self) -> &'static str;

    /// The name that the model's PyTorch original gives to a tensor which another widely used
    /// implementation calls `name`; names of the original stay as they are. `None` if it is no
    /// weight, or a copy of another one.
    fn canonical_name(&self, name: &str) -> Option<String>;

    /// Whether the tensor `name`, by its name in the model's PyTorch original, belongs to a head that
    /// files have and a model of this shape lacks, so that it is left out.
    fn leaves_out(&self, shape: &Self::Shape, name: &str) -> bool;

    /// Compares the model with the text of a `config.json` of Hugging Face's that describes the
    /// weights in a file, but for the head and for keys that do not change the logits.
    /// Architectures that are not in `transformers` as they are here accept any.
    ///
    /// # Errors
    ///
    /// If the file describes no model that there is here, or another one; all is listed.
    fn check_hugging_face(&self, shape: &Self::Shape, json: &[u8]) -> Result<(), HuggingFaceError>;

    /// Rows and columns of the grid of positions that the tensor `name` embeds in the model, if
    /// they can be resampled from those of a file.
    fn positions(&self, shape: &Self::Shape, name: &str) -> Option<[usize; 2]>;

    /// The tensor that the one called `name` in a file is a copy of, by the name in the model's
    /// PyTorch original; the copy must be equal to it.
    fn copy_of(&self, name: &str) -> Option<&'static str>;

    /// What the rows of the tensor `name` stand for, if a file may have another number of them.
    fn rows_of(&self, name: &str) -> Option<Rows>;

    /// The values of the configuration that change the logits and leave no trace in the names and
    /// shapes of tensors, by key.
    fn hidden_values(&self) -> Vec<(&'static str, Value)>;

    /// Whether a model that timm or `transformers` calls `name` may be of this architecture.
    fn may_be(&self, name: &str) -> bool;
}

/// The name of a part of a tensor in a file, where the rows of the tensor `name` are those of so many parts, one after
/// another.
pub(crate) fn part_of(name: &str, part: usize, parts: usize) -> String {
    format!("{name}[{part}/{parts}]")
}
