//! The quality of a translating model over a whole split.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::train::InferenceStep;

use crate::loader::{Order, OrderedLoader, Share};
use crate::metrics::{Report, bleu, chrf};
use crate::predictor::Pass;
use crate::strategy::Scorer;
use crate::task::{PairSamples, Seq2Seq, TokenScorer};
use crate::translate::{TranslateError, Translator};

/// The mean loss of the targets' tokens in nats and its perplexity, and BLEU and chrF of what the
/// model makes of the sources; `n` is the number of pairs.
///
/// # Errors
///
/// If a text cannot be translated.
pub fn evaluate(
    translator: &Translator<'_>,
    samples: PairSamples,
    pass: Pass,
) -> Result<Report, TranslateError> {
    let mut metrics = foretold(translator, samples.clone(), pass)?;
    let Some(split) = samples.split() else {
        return Ok(Report::default());
    };
    let translations = translator.translate(split.source_texts())?;
    metrics.push(("bleu".into(), bleu(&translations, split.target_texts())));
    metrics.push(("chrf".into(), chrf(&translations, split.target_texts())));
    Ok(Report {
        n: split.pairs(),
        metrics: metrics.into_iter().collect(),
        ..Report::default()
    })
}

fn foretold(
    translator: &Translator<'_>,
    samples: PairSamples,
    pass: Pass,
) -> Result<Vec<(String, f64)>, TranslateError> {
    let order = Order {
        seed: 0,
        batch_size: 1,
        shuffle: false,
        drop_last: false,
        share: Share::WHOLE,
    };
    let device = translator.device().clone();
    let loader = OrderedLoader::new(Arc::new(samples), order, pass.threads, device);
    let model = Seq2Seq::new(translator.model().clone(), 0.0);
    let mut scorer = TokenScorer::new(None);
    for batch in loader.iter() {
        scorer.add(&InferenceStep::step(&model, batch?));
    }
    Ok(scorer.finish())
}
