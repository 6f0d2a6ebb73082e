//! What a training needs to know of the model as it begins, beside its samples.

use std::sync::Arc;

use burn::tensor::Device;

use super::{Model, Workload};
use crate::config::RunConfig;
use crate::run::RunError;

/// How a workload asks the model as it begins for numbers of its samples, such as the log-probabilities of answers, and
/// puts these beside them. The numbers are computed once for a run, by all of its processes together, and kept in its
/// folder: a run that goes on has the same bits.
pub struct Reference<W: Workload> {
    /// The numbers of the samples of a split, in their order.
    pub of: ReferenceOf<W>,
    /// How many numbers a sample has.
    pub each: usize,
    /// The samples of a split with their numbers beside them.
    pub with: fn(W::Samples, Arc<[f32]>) -> W::Samples,
}

/// Asks a model of samples.
pub type ReferenceOf<W> =
    fn(&RunConfig, &Model<W>, <W as Workload>::Samples, &Device) -> Result<Vec<f32>, RunError>;
