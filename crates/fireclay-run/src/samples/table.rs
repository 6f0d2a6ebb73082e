//! Rows of a table as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::{Carried, Features, Split};

use crate::task::{Batch, Labelled, TableInput};
use fireclay_train::loader::Samples;

/// The rows of one split.
#[derive(Clone, Debug)]
pub struct TableSamples(Split);

impl TableSamples {
    /// The rows of `split`.
    pub fn new(split: Split) -> Self {
        Self(split)
    }

    /// What else is known of the rows.
    pub(crate) fn carried(&self) -> &Carried {
        &self.0.carried
    }
}

impl Samples for TableSamples {
    type Host = fireclay_data::Batch;
    type Batch = Batch<TableInput>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        Ok(self.0.gather(indices))
    }

    fn upload(&self, batch: Self::Host, device: &Device) -> Self::Batch {
        Batch {
            input: upload(batch.features, device),
            labelled: Labelled {
                truth: batch.labels,
                weights: batch.weights,
                mix: None,
            },
        }
    }
}

/// Moves encoded rows to the device.
pub(crate) fn upload(features: Features, device: &Device) -> TableInput {
    let rows = features.rows;
    let numeric = TensorData::new(features.numeric, [rows, features.numeric_width]);
    let categories = TensorData::new(features.categories, [rows, features.cardinalities.len()]);
    TableInput {
        numeric: Tensor::from_data(numeric, device),
        categories: Tensor::from_data(categories, device),
    }
}
