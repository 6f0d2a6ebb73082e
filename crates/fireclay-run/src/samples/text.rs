//! Windows of text as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use fireclay_data::{Ahead, EpochOrder, TokenSplit, Upcoming};

use crate::task::TokenBatch;
use fireclay_train::loader::Samples;

/// The windows of one split, of which there may be none.
#[derive(Clone)]
pub struct TextSamples(Option<TokenSplit>);

impl TextSamples {
    /// The windows of `split`.
    pub fn new(split: Option<TokenSplit>) -> Self {
        Self(split)
    }

    /// The windows, if there are any.
    pub fn split(&self) -> Option<&TokenSplit> {
        self.0.as_ref()
    }

    /// Tokens to a byte of the text, where that is known.
    pub fn tokens_per_byte(&self) -> Option<f64> {
        self.0.as_ref()?.tokens_per_byte()
    }
}

impl Samples for TextSamples {
    type Host = fireclay_data::TokenBatch;
    type Batch = TokenBatch;

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, TokenSplit::windows)
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

    fn assemble(&self, epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        let split = self
            .0
            .as_ref()
            .expect("a split without windows has no indices");
        split.batch(epoch, indices).map_err(DatasetError::new)
    }

    fn upload(&self, batch: Self::Host, device: &Device) -> TokenBatch {
        let [rows, time] = batch.dims;
        let count = batch.targets.iter().filter(|target| **target >= 0).count();
        let scored = (count < batch.targets.len()).then(|| {
            let scored = batch
                .targets
                .iter()
                .map(|target| f32::from(u8::from(*target >= 0)));
            Tensor::from_data(
                TensorData::new(scored.collect::<Vec<f32>>(), [rows * time]),
                device,
            )
        });
        let targets = batch.targets.iter().map(|target| (*target).max(0));
        let targets: Vec<i32> = targets.collect();
        TokenBatch {
            inputs: tokens(batch.inputs, batch.dims, device),
            starts: batch
                .starts
                .map(|starts| tokens(starts, batch.dims, device)),
            targets: Tensor::from_data(TensorData::new(targets, [rows * time]), device),
            scored,
            count,
        }
    }
}

/// Moves token ids, or one number for each token, `[batch, time]`, to the device.
pub(crate) fn tokens(ids: Vec<i32>, dims: [usize; 2], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(ids, dims), device)
}

/// Moves a mask `[batch, time]` to the device.
pub(crate) fn mask(is_token: Vec<bool>, dims: [usize; 2], device: &Device) -> Tensor<2, Bool> {
    Tensor::from_data(TensorData::new(is_token, dims), device)
}
