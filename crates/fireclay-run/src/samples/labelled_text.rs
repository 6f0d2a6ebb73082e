//! Texts with labels as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use fireclay_data::{Carried, EpochOrder, PaddedTexts, TextTableBatch, TextTableSplit, by_length};

use super::text::{mask, tokens};
use crate::fairness::Indicators;
use crate::task::{Batch, Labelled, Memberships, TextInput};
use fireclay_train::loader::Samples;

/// The texts of one split.
#[derive(Clone, Debug)]
pub struct TextTableSamples {
    split: TextTableSplit,
    groups: Option<Indicators>,
}

impl TextTableSamples {
    /// The texts of `split`.
    pub fn new(split: TextTableSplit) -> Self {
        Self {
            split,
            groups: None,
        }
    }

    /// The same, in groups that the loss asks for.
    pub(crate) fn in_groups(self, groups: Option<Indicators>) -> Self {
        Self { groups, ..self }
    }

    /// What else is known of the texts.
    pub(crate) fn carried(&self) -> &Carried {
        self.split.carried()
    }
}

impl Samples for TextTableSamples {
    type Host = (TextTableBatch, Option<Memberships>);
    type Batch = Batch<TextInput>;

    fn len(&self) -> usize {
        self.split.len()
    }

    fn arrange(&self, order: EpochOrder, batch_size: usize, key: (u64, u64)) -> EpochOrder {
        let mut order = order.into_list();
        by_length(&mut order, batch_size, key, |text| self.split.length(text));
        EpochOrder::listed(order)
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        let groups = self.groups.as_ref().map(|groups| groups.at(indices));
        Ok((self.split.batch(indices), groups))
    }

    fn upload(&self, (batch, groups): Self::Host, device: &Device) -> Self::Batch {
        Batch {
            input: upload(batch.texts, device),
            labelled: Labelled {
                truth: batch.labels,
                weights: batch.weights,
                mix: None,
                groups,
            },
        }
    }
}

/// Moves padded texts `[batch, time]` to the device.
pub(crate) fn upload(texts: PaddedTexts, device: &Device) -> TextInput {
    TextInput {
        tokens: tokens(texts.tokens, texts.dims, device),
        mask: mask(texts.mask, texts.dims, device),
    }
}
