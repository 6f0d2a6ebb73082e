//! How well a model predicts tokens over a whole split.

use crate::predictor::Pass;
use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use burn::train::InferenceStep;
use fireclay_metrics::Report;
use fireclay_train::loader::Samples;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{Scorer, Scores};
use fireclay_train::workers::{self, each_in_order};

/// Scores a model over all of `samples`; `n` is the number of tokens that count.
///
/// # Errors
///
/// If the tokens cannot be read.
pub(crate) fn score<M, S>(
    model: &M,
    samples: S,
    mut scorer: impl Scorer<M::Output>,
    pass: Pass,
    device: &Device,
) -> Result<Report, DatasetError>
where
    M: InferenceStep<Input = S::Batch> + Clone + Send + 'static,
    M::Output: StepOutput + Send,
    S: Samples,
{
    let loader = pass.loader(samples, device);
    let mut weight = 0.0;
    let batches = loader.iter().map(|batch| Ok((model.clone(), batch?)));
    let work = |(model, batch): (M, S::Batch)| model.step(batch);
    each_in_order(workers::count(device), batches, work, |output| {
        weight += output.weight();
        scorer.add(&output);
        Ok(())
    })?;
    let metrics = scorer.finish();
    Ok(Scores { weight, metrics }.into())
}
