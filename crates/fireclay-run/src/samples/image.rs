//! Images as samples.

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::{Ahead, EpochOrder, ImageBatch, ImageSplit, Upcoming};

use crate::task::{Batch, Labelled};
use fireclay_train::loader::Samples;

/// The images of one split.
#[derive(Clone)]
pub struct ImageSamples(ImageSplit);

impl ImageSamples {
    /// The images of `split`.
    pub fn new(split: ImageSplit) -> Self {
        Self(split)
    }
}

impl Samples for ImageSamples {
    type Host = ImageBatch;
    type Batch = Batch<Tensor<4>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    /// One for each core, up to eight, each of which may hold two batches: decoding and augmenting
    /// takes longer than many a step.
    fn threads() -> usize {
        std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8))
    }

    /// Where archives are fetched, a few of them are at hand at a time.
    fn arrange(&self, order: EpochOrder, _batch_size: usize, key: (u64, u64)) -> EpochOrder {
        self.0.arrange(order, key)
    }

    fn ahead(&self, samples: Upcoming) -> Option<Ahead> {
        self.0.ahead(samples)
    }

    /// Images that are mixed need each other.
    fn divisions(&self, indices: &[u32]) -> usize {
        match self.0.mixes() {
            true => 1,
            false => indices.len(),
        }
    }

    fn assemble(&self, epoch: u64, indices: &[u32]) -> Result<ImageBatch, DatasetError> {
        self.0.batch(epoch, indices).map_err(DatasetError::new)
    }

    fn upload(&self, batch: ImageBatch, device: &Device) -> Self::Batch {
        Batch {
            input: upload(batch.pixels, batch.dims, device),
            labelled: Labelled {
                truth: batch.labels,
                weights: None,
                groups: None,
                mix: batch.mix,
            },
        }
    }
}

/// Moves normalised pixels `[batch, channels, height, width]` to the device.
pub(crate) fn upload(pixels: Vec<f32>, dims: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(pixels, dims), device)
}
