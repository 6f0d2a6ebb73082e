//! The quality of a language model over a whole split.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use burn::train::InferenceStep;
use fireclay_models::LanguageModel;

use crate::loader::{Order, OrderedLoader, Share};
use crate::metrics::Report;
use crate::predictor::Pass;
use crate::strategy::Scorer;
use crate::task::{CausalLm, TextSamples, TokenScorer};

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
    let order = Order {
        seed: 0,
        batch_size: pass.batch_size,
        shuffle: false,
        drop_last: false,
        share: Share::WHOLE,
    };
    let mut scorer = TokenScorer::new(samples.tokens_per_byte());
    let loader = OrderedLoader::new(Arc::new(samples), order, pass.threads, device.clone());
    let model = CausalLm::new(model.clone());
    let mut tokens = 0;
    for batch in loader.iter() {
        let batch = batch?;
        tokens += batch.count;
        scorer.add(&InferenceStep::step(&model, batch));
    }
    Ok(Report {
        n: tokens,
        metrics: scorer.finish().into_iter().collect(),
        ..Report::default()
    })
}
