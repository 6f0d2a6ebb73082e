//! Runs of translating models: how they are trained and judged.

use burn::train::metric::LossMetric;
use fireclay_data::{PairData, Tokenizer};
use fireclay_models::{TranslationModel, TranslationShape};
use fireclay_train::strategy::Finished;

use super::task::{Job, Launch, Work};
use super::{Evaluations, RunError, Trained, evaluate_each, pass};
use crate::config::{RunConfig, TaskConfig};
use crate::task::{PairSamples, Seq2Seq, TokenScorer};
use crate::translate::Translator;
use crate::translation;

/// What pairs of texts determine of a model: one vocabulary serves both sides.
pub(super) fn shape(data: &PairData) -> TranslationShape {
    TranslationShape {
        source_vocabulary: data.vocabulary,
        target_vocabulary: data.vocabulary,
    }
}

/// Trains a translating model.
pub(super) fn train(
    config: &RunConfig,
    work: Work<TranslationModel, PairSamples>,
    launch: Launch<'_>,
) -> Result<(Finished<TranslationModel>, ()), RunError> {
    let TaskConfig::Seq2Seq(task) = &config.task else {
        unreachable!("checked: pairs of texts are for seq2seq");
    };
    let job = Job { config, launch };
    let wrap = |model| Seq2Seq::new(model, task.label_smoothing);
    let finished = job.run(work.map(wrap), TokenScorer::new(None), |training| {
        training.metrics((LossMetric::new(),))
    })?;
    Ok((finished.map(|seq2seq| seq2seq.model), ()))
}

/// Evaluates a translating model, by what it foretells and by what it writes.
pub(super) fn conclude(
    config: &RunConfig,
    tokenizer: &Tokenizer,
    trained: Trained<'_, TranslationModel, ()>,
    splits: [PairSamples; 2],
) -> Result<Evaluations, RunError> {
    let TaskConfig::Seq2Seq(task) = &config.task else {
        unreachable!("checked: pairs of texts are for seq2seq");
    };
    let translator = Translator::new(&trained.model, tokenizer, trained.device, task);
    let pass = pass::<PairSamples>(config);
    evaluate_each(splits, None, |split| {
        Ok(translation::evaluate(&translator, split, pass)?)
    })
}
