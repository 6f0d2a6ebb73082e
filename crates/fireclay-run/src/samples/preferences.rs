//! Pairs of answers as samples.

use std::sync::Arc;

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use fireclay_data::PreferenceSplit;

use super::text::tokens;
use crate::task::PreferenceBatch;
use fireclay_train::loader::Samples;

/// The pairs of one split, of which there may be none.
#[derive(Clone)]
pub struct PreferenceSamples {
    split: Option<PreferenceSplit>,
    /// Which of the run's own splits it is.
    number: Option<usize>,
    /// The log-probabilities of the better answer and of the other one of each pair by the model that training began
    /// with.
    reference: Option<Arc<[f32]>>,
    /// Whether texts are read to their last token, where each counts.
    whole: bool,
}

impl PreferenceSamples {
    /// The number of each pair in the order of its files, from 1.
    pub fn numbers(&self) -> Vec<u64> {
        let split = self.split.iter();
        split.flat_map(PreferenceSplit::numbers).collect()
    }

    /// The pairs of `split`, which is that of this number if it is one of the run's own.
    pub fn new(split: Option<PreferenceSplit>, number: Option<usize>) -> Self {
        Self {
            split,
            number,
            reference: None,
            whole: false,
        }
    }

    /// The same, whose texts are read to their last token, where each counts.
    pub(crate) fn whole(self) -> Self {
        Self {
            whole: true,
            ..self
        }
    }

    /// The same, with two log-probabilities for each pair.
    pub(crate) fn referring(self, reference: Arc<[f32]>) -> Self {
        Self {
            reference: Some(reference),
            ..self
        }
    }

    /// Which of the run's own splits it is.
    pub(crate) fn number(&self) -> Option<usize> {
        self.number
    }
}

/// Pairs in host memory.
pub struct HostPairs {
    tokens: fireclay_data::TokenBatch,
    reference: Option<Vec<f32>>,
}

impl Samples for PreferenceSamples {
    type Host = HostPairs;
    type Batch = PreferenceBatch;

    fn len(&self) -> usize {
        self.split.as_ref().map_or(0, PreferenceSplit::pairs)
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<HostPairs, DatasetError> {
        let split = self.split.as_ref();
        let split = split.expect("a split without pairs has no indices");
        let of_side = |numbers: &Arc<[f32]>| {
            let sides = [0, 1].into_iter();
            let at = |side| indices.iter().map(move |index| 2 * *index as usize + side);
            sides.flat_map(at).map(|at| numbers[at]).collect()
        };
        Ok(HostPairs {
            tokens: match self.whole {
                true => split.whole(indices).map_err(DatasetError::new)?,
                false => split.batch(indices).map_err(DatasetError::new)?,
            },
            reference: self.reference.as_ref().map(of_side),
        })
    }

    fn upload(&self, host: HostPairs, device: &Device) -> PreferenceBatch {
        let batch = host.tokens;
        let [rows, time] = batch.dims;
        let scored = batch.targets.iter();
        let scored: Vec<f32> = scored
            .map(|target| f32::from(u8::from(*target >= 0)))
            .collect();
        let lengths: Vec<f32> = scored
            .chunks(time.max(1))
            .map(|row| row.iter().sum())
            .collect();
        let targets = batch.targets.iter().map(|target| (*target).max(0));
        let targets: Vec<i32> = targets.collect();
        let row = |numbers| Tensor::from_data(TensorData::new(numbers, [rows]), device);
        PreferenceBatch {
            inputs: tokens(batch.inputs, batch.dims, device),
            targets: Tensor::from_data(TensorData::new(targets, [rows * time]), device),
            tokens: lengths.iter().sum::<f32>() as usize,
            lengths: row(lengths),
            scored: Tensor::from_data(TensorData::new(scored, [rows, time]), device),
            reference: host.reference.map(row),
            pairs: rows / 2,
        }
    }
}
