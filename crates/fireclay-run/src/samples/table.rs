//! Rows of a table as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::{Ahead, Carried, EpochOrder, Features, Split, Upcoming};

use crate::fairness::Indicators;
use crate::task::{Batch, Labelled, Memberships, TableInput};
use fireclay_train::loader::Samples;

/// The rows of one split.
#[derive(Clone, Debug)]
pub struct TableSamples {
    split: Split,
    groups: Option<Indicators>,
}

impl TableSamples {
    /// The rows of `split`.
    pub fn new(split: Split) -> Self {
        Self {
            split,
            groups: None,
        }
    }

    /// The same, in groups that the loss asks for.
    pub(crate) fn in_groups(self, groups: Option<Indicators>) -> Self {
        Self { groups, ..self }
    }

    /// What else is known of the rows.
    pub(crate) fn carried(&self) -> &Carried {
        &self.split.carried
    }
}

impl Samples for TableSamples {
    type Host = (fireclay_data::Batch, Option<Memberships>);
    type Batch = Batch<TableInput>;

    fn len(&self) -> usize {
        self.split.len()
    }

    fn arrange(&self, order: EpochOrder, _batch_size: usize, key: (u64, u64)) -> EpochOrder {
        self.split.arrange(order, key)
    }

    fn ahead(&self, samples: Upcoming) -> Option<Ahead> {
        self.split.ahead(samples)
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        let groups = self.groups.as_ref().map(|groups| groups.at(indices));
        let batch = self.split.gather(indices).map_err(DatasetError::new)?;
        Ok((batch, groups))
    }

    fn upload(&self, (batch, groups): Self::Host, device: &Device) -> Self::Batch {
        Batch {
            input: upload(batch.features, device),
            labelled: Labelled {
                truth: batch.labels,
                weights: batch.weights,
                mix: None,
                groups,
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
