//! Runs of masked language models.

use burn::train::metric::LossMetric;
use fireclay_data::{MaskedSplit, Masking, TextData, TokenSplit};
use fireclay_metrics::Report;
use fireclay_models::{EncoderModel, EncoderShape};
use fireclay_train::strategy::Finished;

use super::data::RunData;
use super::task::{Job, Launch, Work};
use super::{Evaluations, RunError, Trained, evaluate_each, pass};
use crate::config::{RunConfig, TaskConfig};
use crate::language;
use crate::task::{HiddenScorer, MaskedLm, MaskedSamples};

/// What text determines of a masked language model.
pub(super) fn shape(data: &TextData) -> EncoderShape {
    EncoderShape {
        vocabulary: data.vocabulary,
        outputs: None,
    }
}

/// How the run hides tokens, if it is its task; the error is a key and what is wrong with it.
pub(super) fn masking(
    config: &RunConfig,
    data: &RunData,
) -> Result<Option<Masking>, (String, String)> {
    let (TaskConfig::MaskedLm(task), RunData::Text(data)) = (&config.task, data) else {
        return Ok(None);
    };
    let tokenizer = data.tokenizer.as_ref();
    let tokenizer = tokenizer.expect("checked: a run that hides tokens has a tokenizer");
    Masking::new(tokenizer, task.mask_probability, task.whole_word)
        .map(Some)
        .map_err(|error| ("tokenizer".to_owned(), error.to_string()))
}

/// The splits of `data`: for training, other tokens are hidden in every epoch.
pub(super) fn samples(config: &RunConfig, data: &RunData) -> [MaskedSamples; 3] {
    let masking = masking(config, data).ok().flatten();
    let masking = masking.expect("checked: the run hides tokens");
    let RunData::Text(data) = data else {
        unreachable!("what hides tokens is on text");
    };
    data.named().map(|(name, split)| {
        let seed = (name == "train").then_some(config.seed);
        let hide = |split: &TokenSplit| MaskedSplit::new(split.clone(), masking.clone(), seed);
        MaskedSamples::new(split.map(hide))
    })
}

/// Trains a masked language model; with it, how it did on the validation split.
pub(super) fn train(
    config: &RunConfig,
    work: Work<EncoderModel, MaskedSamples>,
    launch: Launch<'_>,
) -> Result<(Finished<EncoderModel>, Option<Report>), RunError> {
    let job = Job { config, launch };
    let finished = job.run(
        work.map(MaskedLm::new),
        HiddenScorer::default(),
        |training| training.metrics((LossMetric::new(),)),
    )?;
    let valid = finished.valid.clone().map(Report::from);
    Ok((finished.map(|masked_lm| masked_lm.model), valid))
}

/// Evaluates a masked language model.
pub(super) fn conclude(
    config: &RunConfig,
    trained: Trained<'_, EncoderModel, Option<Report>>,
    splits: [MaskedSamples; 2],
) -> Result<Evaluations, RunError> {
    let pass = pass::<MaskedSamples>(config);
    evaluate_each(splits, trained.answer, |split| {
        Ok(language::evaluate_masked(
            &trained.model,
            split,
            pass,
            trained.device,
        )?)
    })
}
