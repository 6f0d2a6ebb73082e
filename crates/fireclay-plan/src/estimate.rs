//! The parts of an estimate.

use fireclay_train::cluster::most_owned;
use fireclay_train::config::Precision;
use serde::Serialize;

use crate::subject::TensorShape;

/// What a run will take.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// The name of the run.
    pub name: String,
    /// The `type` of the model.
    pub model: String,
    /// Every tensor of the weights file, running statistics included.
    pub tensors: Vec<TensorShape>,
    /// The numbers that gradients could move, as PyTorch counts parameters.
    pub parameters: u64,
    /// Those that training moves.
    pub trainable: u64,
    /// Floating point operations.
    pub flops: Flops,
    /// Processes that train together, each of which takes the memory that is said here.
    pub processes: usize,
    /// Whether each of them remembers what the optimizer keeps of a share of the parameters.
    pub shares_optimizer: bool,
    /// How often they wait for each other while a micro-batch is computed: in each batch norm that takes its statistics over
    /// all of them, forward and backward, and at the end.
    #[serde(skip)]
    pub meets: usize,
    /// What forward and backward compute in.
    pub precision: Precision,
    /// Memory while training.
    pub memory: MemoryUse,
    /// The same on a device of another kind, where every operation keeps what it needs for itself.
    #[serde(skip)]
    pub elsewhere: MemoryUse,
    /// The most samples of a batch for which the device has room, if it is known how much it has.
    pub largest_batch: Option<u64>,
    /// Bytes that pass through the device's memory for all that leads to one update, if no operations
    /// are fused.
    pub traffic_per_step: u64,
    /// One checkpoint on disk, in bytes.
    pub checkpoint_bytes: u64,
    /// How long the run is.
    pub length: Length,
    /// What is not known and was assumed, in words.
    pub assumed: Vec<String>,
}

/// Floating point operations, two for each multiply-add; matrix products, convolutions and attention
/// over all pairs of positions alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flops {
    /// Forward for one sample, as in an evaluation.
    pub forward_per_sample: u64,
    /// The same for each of its tokens, where samples are texts.
    pub forward_per_token: Option<f64>,
    /// Forward and backward for one sample of the training.
    pub training_per_sample: f64,
    /// The same for each of its tokens.
    pub training_per_token: Option<f64>,
    /// Forward and backward for all that leads to one update.
    pub training_per_step: f64,
}

/// Bytes that a training holds on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// Parameters and running statistics.
    pub weights: u64,
    /// The copy of the weights that forward and backward compute with, where that has half precision.
    pub halves: u64,
    /// One gradient for each parameter that is trained.
    pub gradients: u64,
    /// What the optimizer remembers.
    pub optimizer: u64,
    /// The moving average of the weights.
    pub average: u64,
    /// What numbers pass through on their way to other processes and back.
    pub exchange: u64,
    /// What the backward pass needs, and whatever else there is at the peak.
    pub activations: u64,
    /// All of it at once, at the worst moment of an update.
    pub peak: u64,
    /// What the peak of large batches would be without a sample.
    pub without_samples: u64,
    /// What each sample of a large batch adds to it.
    pub per_sample: u64,
    /// Bytes while held-out samples are evaluated, if there are any.
    pub evaluation: Option<EvaluationUse>,
    /// All that the program holds in main memory, where the run computes there, from reading the data to
    /// the last evaluation.
    pub resident: Option<u64>,
}

/// Bytes that an evaluation holds on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EvaluationUse {
    /// Samples of a batch.
    pub batch: usize,
    /// Whether they are as many as in the training.
    #[serde(skip)]
    pub follows: bool,
    /// Batches that are computed at once.
    pub at_once: usize,
    /// What all of them take.
    pub activations: u64,
    /// What the search for a batch of translations takes, where there is one.
    pub search: Option<u64>,
    /// All of it with weights, their average, what the optimizer remembers and what numbers pass through on their way to
    /// other processes, at the worst moment.
    pub peak: u64,
}

impl Estimate {
    /// Numbers that so many processes exchange in a pass. Where each owns whole parameters, all send as many as the one that
    /// has most.
    pub(crate) fn exchanged(&self, processes: u64) -> u64 {
        let trained = self.tensors.iter().filter(|tensor| tensor.trainable);
        let owned = || most_owned(trained.map(TensorShape::count), processes as usize);
        match self.shares_optimizer {
            true => processes * owned(),
            false => self.trainable,
        }
    }

    /// How many blocks in a row the model has, by the numbers in the names of its tensors.
    pub fn blocks(&self) -> u64 {
        let names = self
            .tensors
            .iter()
            .flat_map(|tensor| tensor.name.split('.'));
        let numbers = names.filter_map(|part| part.parse::<u64>().ok());
        numbers.max().map_or(1, |last| last + 1)
    }
}

impl MemoryUse {
    /// The peak of training and evaluation.
    pub fn most(&self) -> u64 {
        let evaluation = self.evaluation.map_or(0, |evaluation| evaluation.peak);
        self.peak.max(evaluation)
    }

    /// The most samples of a batch with which training and evaluation stay within `bytes`, if there is
    /// one.
    pub fn largest_batch(&self, bytes: u64) -> Option<u64> {
        let trained = self.largest_trained(bytes)?;
        match self.evaluation {
            Some(evaluation) => evaluation.bound(trained, bytes),
            None => Some(trained),
        }
    }

    /// The same of the training alone.
    pub(crate) fn largest_trained(&self, bytes: u64) -> Option<u64> {
        let left = bytes.checked_sub(self.without_samples)?;
        Some(left / self.per_sample).filter(|samples| *samples > 0)
    }
}

impl EvaluationUse {
    /// As many of `samples` of a batch as it stays within `bytes` with, if there are any, where as many
    /// batches are computed at once.
    fn bound(&self, samples: u64, bytes: u64) -> Option<u64> {
        if !self.follows {
            return (self.peak <= bytes).then_some(samples);
        }
        let search = self.search.unwrap_or(0);
        let left = bytes.checked_sub(self.peak - self.activations.max(search))?;
        let each = self.activations.div_ceil(self.batch as u64).max(1);
        let fit = samples.min(left / each);
        (search <= left && fit > 0).then_some(fit)
    }
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Length {
    /// Samples that go through the model at once.
    pub batch: usize,
    /// Batches that make up an update.
    pub accumulation: usize,
    /// Samples to train on, if that is known.
    pub samples: Option<u64>,
    /// Updates of an epoch, if the number of samples is known.
    pub steps_per_epoch: Option<u64>,
    /// Updates in all, at most.
    pub steps: Option<u64>,
    /// Samples that the whole run sees, at most.
    pub samples_seen: Option<f64>,
    /// Tokens that it sees, padding left out, where samples are texts.
    pub tokens_seen: Option<f64>,
}
