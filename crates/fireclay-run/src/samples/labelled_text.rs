//! Texts with labels as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use fireclay_data::{Carried, EpochOrder, PaddedTexts, TextTableBatch, TextTableSplit, by_length};

use super::text::{mask, tokens};
use crate::task::{Batch, Labelled, TextInput};
use fireclay_train::loader::Samples;

/// The texts of one split.
#[derive(Clone, Debug)]
pub struct TextTableSamples(TextTableSplit);

impl TextTableSamples {
    /// The texts of `split`.
    pub fn new(split: TextTableSplit) -> Self {
        Self(split)
    }

    /// What else is known of the texts.
    pub(crate) fn carried(&self) -> &Carried {
        self.0.carried()
    }
}

impl Samples for TextTableSamples {
    type Host = TextTableBatch;
    type Batch = Batch<TextInput>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn arrange(&self, order: EpochOrder, batch_size: usize, key: (u64, u64)) -> EpochOrder {
        let mut order = order.into_list();
        by_length(&mut order, batch_size, key, |text| self.0.length(text));
        EpochOrder::listed(order)
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        Ok(self.0.batch(indices))
    }

    fn upload(&self, batch: Self::Host, device: &Device) -> Self::Batch {
        Batch {
            input: upload(batch.texts, device),
            labelled: Labelled {
                truth: batch.labels,
                weights: batch.weights,
                mix: None,
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
