//! Rows of a table as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_data::{Batch, Features, Labels, Split};

use crate::loader::Samples;

/// The rows of one split.
#[derive(Clone, Debug)]
pub struct TableSamples(Split);

/// A batch of rows.
#[derive(Clone, Debug)]
pub struct TableBatch {
    /// Numeric features, `[batch, numeric]`.
    pub numeric: Tensor<2>,
    /// Indices of embedded categories, `[batch, embedded columns]`.
    pub categories: Tensor<2, Int>,
    /// The target of each row, on the host.
    pub truth: Truth,
}

/// The targets of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// Class indices.
    Classes(Vec<u32>),
    /// Numbers in the target's own unit.
    Numbers(Vec<f64>),
}

impl TableSamples {
    /// The rows of `split`.
    pub fn new(split: Split) -> Self {
        Self(split)
    }
}

impl Samples for TableSamples {
    type Host = Batch;
    type Batch = TableBatch;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Batch, DatasetError> {
        Ok(self.0.gather(indices))
    }

    fn upload(&self, batch: Batch, device: &Device) -> TableBatch {
        let (numeric, categories) = upload(batch.features, device);
        let truth = match batch.labels {
            Labels::Classes(classes) => Truth::Classes(classes),
            Labels::Numbers(numbers) => Truth::Numbers(numbers),
        };
        TableBatch {
            numeric,
            categories,
            truth,
        }
    }
}

/// Moves encoded rows to the device: numeric features `[rows, numeric]` and category indices
/// `[rows, embedded columns]`.
pub fn upload(features: Features, device: &Device) -> (Tensor<2>, Tensor<2, Int>) {
    let rows = features.rows;
    let numeric = TensorData::new(features.numeric, [rows, features.numeric_width]);
    let categories = TensorData::new(features.categories, [rows, features.cardinalities.len()]);
    (
        Tensor::from_data(numeric, device),
        Tensor::from_data(categories, device),
    )
}
