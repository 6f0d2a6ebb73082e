//! Groups of texts and their translations as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::PairSplit;

use super::text::{mask, tokens};
use crate::task::PairBatch;
use fireclay_train::loader::{Samples, Share};

/// The groups of one split, of which there may be none; each is as large as a batch may be.
#[derive(Clone)]
pub struct PairSamples(Option<PairSplit>);

impl PairSamples {
    /// The groups of `split`.
    pub fn new(split: Option<PairSplit>) -> Self {
        Self(split)
    }

    /// The pairs, if there are any.
    pub fn split(&self) -> Option<&PairSplit> {
        self.0.as_ref()
    }
}

impl Samples for PairSamples {
    type Host = fireclay_data::PairBatch;
    type Batch = PairBatch;

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, PairSplit::groups)
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        let split = self
            .0
            .as_ref()
            .expect("a split without groups has no indices");
        Ok(split.batch(indices))
    }

    fn divisions(&self, indices: &[u32]) -> usize {
        self.0
            .as_ref()
            .map_or(0, |split| split.batch_pairs(indices))
    }

    /// Groups are what is ordered, their pairs what is shared out.
    fn assemble_part(
        &self,
        _epoch: u64,
        indices: &[u32],
        share: Share,
    ) -> Result<Self::Host, DatasetError> {
        let split = self.0.as_ref();
        let split = split.expect("a split without groups has no indices");
        Ok(split.batch_part(indices, share.rank, share.world))
    }

    fn upload(&self, batch: Self::Host, device: &Device) -> PairBatch {
        let [rows, time] = batch.target_dims;
        let is_token: Vec<bool> = batch.target_out.iter().map(|token| *token >= 0).collect();
        let scored: Vec<f32> = is_token.iter().map(|is| f32::from(u8::from(*is))).collect();
        let next: Vec<i32> = batch
            .target_out
            .iter()
            .map(|token| (*token).max(0))
            .collect();
        PairBatch {
            source: tokens(batch.source, batch.source_dims, device),
            source_mask: mask(batch.source_mask, batch.source_dims, device),
            target: tokens(batch.target_in, batch.target_dims, device),
            count: is_token.iter().filter(|is| **is).count(),
            target_mask: mask(is_token, batch.target_dims, device),
            next: Tensor::from_data(TensorData::new(next, [rows * time]), device),
            scored: Tensor::from_data(TensorData::new(scored, [rows * time]), device),
        }
    }
}
