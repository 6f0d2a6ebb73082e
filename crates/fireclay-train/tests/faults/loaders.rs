//! Samples whose loading panics: an error that names the sample, and never a short epoch.

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use fireclay_train::Samples;
use fireclay_train::loader::{Order, OrderedLoader, Share};

/// Samples of which one cannot be loaded.
struct Bad(u32);

impl Samples for Bad {
    type Host = Vec<u32>;
    type Batch = Vec<u32>;

    fn len(&self) -> usize {
        64
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Vec<u32>, DatasetError> {
        assert!(!indices.contains(&self.0), "on purpose");
        Ok(indices.into())
    }

    fn upload(&self, host: Vec<u32>, _device: &Device) -> Vec<u32> {
        host
    }
}

#[test]
fn a_panic_names_the_sample() {
    for threads in [0, 1, 4] {
        let order = Order {
            seed: 3,
            batch_size: 8,
            shuffle: true,
            drop_last: false,
            share: Share::WHOLE,
        };
        let loader = OrderedLoader::new(Bad(37).into(), order, threads, Device::flex());
        let batches: Vec<_> = loader.iter().collect();
        let (last, whole) = batches.split_last().unwrap();
        assert!(whole.iter().all(Result::is_ok));
        let said = last.as_ref().unwrap_err().to_string();
        let words = format!(
            "loading batch {}, sample 37, panicked: on purpose",
            whole.len()
        );
        assert_eq!(said, words, "{threads} threads");
    }
}
