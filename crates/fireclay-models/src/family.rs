//! What every family of models has in common, so that weights, checkpoints and training need to
//! be written once.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::hugging_face::HuggingFaceError;

/// A family of models: configurations that build modules from what the data determines.
pub trait Family: Clone + Debug + PartialEq + Serialize + DeserializeOwned {
    /// What the data determines of a model.
    type Shape: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// The module that holds the chosen architecture.
    type Model: Module;

    /// Every impossible value of the configuration alone, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;

    /// Every impossible value of the shape, and everything in the configuration that does not go
    /// with it, as (key, message).
    fn validate_for(&self, shape: &Self::Shape) -> Vec<(String, String)>;

    /// A number that the number of weights cannot be below, found without building anything.
    ///
    /// A file that describes a model with more weights than the file has bytes is refused by it
    /// before any memory is taken, so the closer the better. Saturates rather than overflows.
    fn least_weights(&self, shape: &Self::Shape) -> usize;

    /// Builds the model; equal arguments give equal weights and parameter ids on every backend.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) or [`validate_for`](Self::validate_for) reports a problem.
    fn init(&self, shape: &Self::Shape, seed: u64, device: &Device) -> Self::Model;

    /// What PyTorch calls a tensor whose path of fields and indices is `path`, without the names
    /// of enum variants and with the scale and shift of norms as `weight` and `bias`.
    fn torch_name(&self, path: String) -> String {
        path
    }

    /// The `config.json` with which Hugging Face's `transformers` loads the weights of this model;
    /// `None` if no class of it computes the same.
    fn hugging_face(&self, _shape: &Self::Shape) -> Option<Value> {
        None
    }
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

    /// Whether files have the tensor `name`, by its name in the model's PyTorch original, for a
    /// head that a model of this shape has not, so that it is not missed there.
    fn leaves_out(&self, _shape: &Self::Shape, _name: &str) -> bool {
        false
    }

    /// Compares the model with the text of a `config.json` of Hugging Face's that describes the
    /// weights in a file, but for the head and for keys that do not change the logits. Families
    /// that are not in `transformers` as they are here accept any.
    ///
    /// # Errors
    ///
    /// If the file describes no model that there is here, or another one; all is listed.
    fn check_hugging_face(
        &self,
        _shape: &Self::Shape,
        _json: &[u8],
    ) -> Result<(), HuggingFaceError> {
        Ok(())
    }

    /// Rows and columns of the grid of positions that the tensor `name` embeds in the model, if
    /// they can be resampled from those of a file.
    fn positions(&self, _shape: &Self::Shape, _name: &str) -> Option<[usize; 2]> {
        None
    }
}

/// The sum of the numbers, or the largest number there is.
pub(crate) fn saturating_sum(numbers: impl IntoIterator<Item = usize>) -> usize {
    numbers.into_iter().fold(0, usize::saturating_add)
}

/// Numbers of things of which there must be one.
pub(crate) fn check_least_one(numbers: &[(&str, usize)]) -> Vec<(String, String)> {
    let zero = numbers.iter().filter(|(_, number)| *number == 0);
    let problem = |(key, _): &(&str, usize)| (key.to_string(), "must be at least 1".to_string());
    zero.map(problem).collect()
}

/// More blocks than any published model has; it is surely a slip.
pub(crate) fn check_layers(layers: usize) -> Option<(String, String)> {
    (layers > 1000).then(|| {
        let message = format!("must be at most 1000, but is {layers}");
        ("layers".to_string(), message)
    })
}

/// Heads that divide the width. The error points at a key that the file has.
pub(crate) fn check_heads(heads: usize, width: usize, own_heads: bool) -> Option<(String, String)> {
    (heads > 0 && !width.is_multiple_of(heads)).then(|| {
        let key = if own_heads { "heads" } else { "width" };
        let message = format!("{heads} heads do not divide the width {width}");
        (key.to_string(), message)
    })
}

/// A probability of dropping that leaves something.
pub(crate) fn check_rate(key: &str, rate: f64) -> Option<(String, String)> {
    (!(0.0..1.0).contains(&rate)).then(|| {
        let message = format!("must be at least 0 and below 1, but is {rate}");
        (key.to_string(), message)
    })
}

/// A number above zero.
pub(crate) fn check_positive(key: &str, number: f64) -> Option<(String, String)> {
    (!(number > 0.0 && number.is_finite())).then(|| {
        let message = format!("must be above 0, but is {number}");
        (key.to_string(), message)
    })
}
