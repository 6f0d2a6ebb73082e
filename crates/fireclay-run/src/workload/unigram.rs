//! The trivial baseline of models that predict tokens: how often each token occurs, whatever stands before it.

use burn::data::dataset::DatasetError;
use fireclay_data::{MaskedBatch, PairBatch, TokenBatch};
use fireclay_metrics::{Baseline, unigram_baseline};
use fireclay_train::loader::Samples;

use crate::run::RunError;

/// Training tokens that are counted at most, so that a large text is not read once more for it.
const MOST: u64 = 10_000_000;
/// Windows, or groups of pairs, that are read at once.
const TOGETHER: usize = 64;

/// A batch whose targets are tokens.
pub(super) trait Targets {
    /// The targets; where one is negative, nothing is predicted.
    fn targets(&self) -> &[i32];
}

impl Targets for TokenBatch {
    fn targets(&self) -> &[i32] {
        &self.targets
    }
}

impl Targets for MaskedBatch {
    fn targets(&self) -> &[i32] {
        &self.truth
    }
}

impl Targets for PairBatch {
    fn targets(&self) -> &[i32] {
        &self.target_out
    }
}

/// What the shares of the tokens in `train` reach on `samples`.
pub(super) fn baseline<S>(
    train: &S,
    samples: &S,
    vocabulary: usize,
) -> Result<Option<Baseline>, RunError>
where
    S: Samples<Host: Targets>,
{
    let truth = counts(samples, vocabulary, u64::MAX)?;
    let metrics = unigram_baseline(&truth, &counts(train, vocabulary, MOST)?);
    Ok(metrics.map(|metrics| Baseline {
        answer: "each token by its share of the training tokens".into(),
        metrics,
    }))
}

/// How often each token is a target, until `most` are counted.
pub(super) fn counts<S>(samples: &S, vocabulary: usize, most: u64) -> Result<Vec<u64>, DatasetError>
where
    S: Samples<Host: Targets>,
{
    let mut counts = vec![0; vocabulary];
    let mut total = 0;
    let indices: Vec<u32> = (0..samples.len() as u32).collect();
    for some in indices.chunks(TOGETHER) {
        if total >= most {
            break;
        }
        let batch = samples.assemble(0, some)?;
        for token in batch.targets().iter().filter(|token| **token >= 0) {
            counts[*token as usize] += 1;
            total += 1;
        }
    }
    Ok(counts)
}
