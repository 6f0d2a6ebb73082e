//! The quality of a translating model over a whole split.

use fireclay_metrics::{Report, bleu, chrf};

use crate::language::score;
use crate::predictor::Pass;
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
    let Some(split) = samples.split() else {
        return Ok(Report::default());
    };
    let model = Seq2Seq::new(translator.model().clone(), 0.0);
    let (scorer, device) = (TokenScorer::new(None), translator.device());
    let mut report = score(&model, samples.clone(), scorer, pass, device)?;
    let translations = translator.translate(split.source_texts())?;
    let references = split.target_texts();
    let more = [
        ("bleu".into(), bleu(&translations, references)),
        ("chrf".into(), chrf(&translations, references)),
    ];
    report.metrics.extend(more);
    report.n = split.pairs();
    Ok(report)
}
