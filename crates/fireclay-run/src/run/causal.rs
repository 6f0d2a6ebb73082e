//! Runs of language models: how they are trained and judged.

use burn::train::metric::LossMetric;
use fireclay_data::TextData;
use fireclay_metrics::Report;
use fireclay_models::{LanguageModel, LanguageShape};
use fireclay_train::strategy::Finished;

use super::task::{Job, Launch, Work};
use super::{Evaluations, RunError, Trained, evaluate_each, pass};
use crate::config::RunConfig;
use crate::language;
use crate::task::{CausalLm, TextSamples, TokenScorer};

/// What text determines of a model.
pub(super) fn shape(data: &TextData) -> LanguageShape {
    LanguageShape {
        vocabulary: data.vocabulary,
    }
}

/// Trains a language model; with it, how it did on the validation split.
pub(super) fn train(
    config: &RunConfig,
    work: Work<LanguageModel, TextSamples>,
    launch: Launch<'_>,
) -> Result<(Finished<LanguageModel>, Option<Report>), RunError> {
    let job = Job { config, launch };
    let scorer = TokenScorer::new(work.valid.tokens_per_byte());
    let finished = job.run(work.map(CausalLm::new), scorer, |training| {
        training.metrics((LossMetric::new(),))
    })?;
    let valid = finished.valid.clone().map(Report::from);
    Ok((finished.map(|causal_lm| causal_lm.model), valid))
}

/// Evaluates a language model.
pub(super) fn conclude(
    config: &RunConfig,
    trained: Trained<'_, LanguageModel, Option<Report>>,
    splits: [TextSamples; 2],
) -> Result<Evaluations, RunError> {
    let pass = pass::<TextSamples>(config);
    evaluate_each(splits, trained.answer, |split| {
        Ok(language::evaluate(
            &trained.model,
            split,
            pass,
            trained.device,
        )?)
    })
}
