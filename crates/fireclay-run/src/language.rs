//! How well a model predicts tokens over a whole split.

use std::cell::RefCell;

use crate::predictor::Pass;
use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use burn::train::InferenceStep;
use fireclay_metrics::Report;
use fireclay_train::cluster::each_in_company;
use fireclay_train::loader::Samples;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{Scorer, Scores};
use fireclay_train::workers;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Scores a model over all of `samples`; `n` is the number of tokens that count.
///
/// # Errors
///
/// If the tokens cannot be read.
pub(crate) fn score<M, S>(
    model: &M,
    samples: S,
    scorer: impl Scorer<M::Output>,
    pass: Pass,
    device: &Device,
) -> Result<Report, DatasetError>
where
    M: InferenceStep<Input = S::Batch> + Clone + Send + 'static,
    M::Output: StepOutput + Send,
    S: Samples,
{
    let scorer = RefCell::new(scorer);
    let taken = |output: &M::Output| scorer.borrow().taken(output);
    let put = |taken| scorer.borrow_mut().put(taken);
    let weight = each_batch(model, samples, (taken, put), pass, device)?;
    let metrics = scorer.into_inner().finish();
    Ok(Scores { weight, metrics }.into())
}

/// Puts what is taken of the output of each batch of `samples`, in their order; the sum of their weights. Several processes
/// share the batches out.
///
/// # Errors
///
/// If the tokens cannot be read.
pub(crate) fn each_batch<M, S, T>(
    model: &M,
    samples: S,
    (taken, mut put): (impl Fn(&M::Output) -> T, impl FnMut(T)),
    pass: Pass,
    device: &Device,
) -> Result<f64, DatasetError>
where
    M: InferenceStep<Input = S::Batch> + Clone + Send + 'static,
    M::Output: StepOutput + Send,
    S: Samples,
    T: Serialize + DeserializeOwned,
{
    let loader = pass.loader(samples, device);
    let mut sum = 0.0;
    let batches = loader.iter().map(|batch| Ok((model.clone(), batch?)));
    let work = |(model, batch): (M, S::Batch)| model.step(batch);
    let taken = |output: M::Output| (output.weight(), taken(&output));
    let put = |(weight, taken): (f64, T)| {
        sum += weight;
        put(taken);
        Ok::<_, DatasetError>(())
    };
    each_in_company(workers::count(device), batches, work, taken, put)?;
    Ok(sum)
}
