//! Windows of text with masked tokens as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::{Ahead, EpochOrder, MaskedBatch, MaskedSplit, Upcoming};

use super::labelled_text::upload;
use crate::task::MaskedTokens;
use fireclay_train::loader::Samples;

/// The windows of one split, of which there may be none.
#[derive(Clone, Debug)]
pub struct MaskedSamples(Option<MaskedSplit>);

impl MaskedSamples {
    /// The windows of `split`.
    pub fn new(split: Option<MaskedSplit>) -> Self {
        Self(split)
    }
}

impl Samples for MaskedSamples {
    type Host = MaskedBatch;
    type Batch = MaskedTokens;

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, MaskedSplit::windows)
    }

    fn arrange(&self, order: EpochOrder, _batch_size: usize, key: (u64, u64)) -> EpochOrder {
        match &self.0 {
            Some(split) => split.arrange(order, key),
            None => order,
        }
    }

    fn ahead(&self, samples: Upcoming) -> Option<Ahead> {
        self.0.as_ref()?.ahead(samples)
    }

    fn assemble(&self, epoch: u64, indices: &[u32]) -> Result<MaskedBatch, DatasetError> {
        let split = self.0.as_ref();
        let split = split.expect("a split without windows has no indices");
        split.batch(epoch, indices).map_err(DatasetError::new)
    }

    fn upload(&self, batch: MaskedBatch, device: &Device) -> MaskedTokens {
        let count = batch.positions.len();
        // No backend takes a tensor without elements everywhere.
        let put = |mut ids: Vec<i32>| {
            ids.resize(count.max(1), 0);
            Tensor::from_data(TensorData::new(ids, [count.max(1)]), device)
        };
        MaskedTokens {
            positions: put(batch.positions),
            truth: put(batch.truth),
            input: upload(batch.texts, device),
            count,
        }
    }
}
