//! The quality of a language model, or a masked one, over a whole split.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use burn::train::InferenceStep;
use fireclay_metrics::Report;
use fireclay_models::{EncoderModel, LanguageModel};
use fireclay_train::loader::{Order, OrderedLoader, Samples, Share};
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{Scorer, Scores};
use fireclay_train::workers::{self, each_in_order};

use crate::predictor::Pass;
use crate::task::{CausalLm, HiddenScorer, MaskedLm, MaskedSamples, TextSamples, TokenScorer};

/// The mean loss of every token of `samples` in nats, its perplexity, and bits per byte of text,
/// where it is known how many bytes the tokens stand for; `n` is the number of tokens.
///
/// # Errors
///
/// If the tokens cannot be read.
pub fn evaluate(
    model: &LanguageModel,
    samples: TextSamples,
    pass: Pass,
    device: &Device,
) -> Result<Report, DatasetError> {
    let scorer = TokenScorer::new(samples.tokens_per_byte());
    score(&CausalLm::new(model.clone()), samples, scorer, pass, device)
}

/// The mean loss of every hidden token of `samples` in nats, its perplexity, and the share of the
/// tokens that were found; `n` is the number of hidden tokens.
///
/// # Errors
///
/// If the tokens cannot be read.
pub fn evaluate_masked(
    model: &EncoderModel,
    samples: MaskedSamples,
    pass: Pass,
    device: &Device,
) -> Result<Report, DatasetError> {
    let model = MaskedLm::new(model.clone());
    score(&model, samples, HiddenScorer::default(), pass, device)
}

/// Scores a model over all of `samples`; `n` is the number of tokens that count.
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
    let order = Order {
        seed: 0,
        batch_size: pass.batch_size,
        shuffle: false,
        drop_last: false,
        share: Share::WHOLE,
    };
    let loader = OrderedLoader::new(Arc::new(samples), order, pass.threads, device.clone());
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
