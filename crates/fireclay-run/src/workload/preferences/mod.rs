//! Pairs of answers, of which one is better.

mod data;
mod reference;
mod run;

use fireclay_data::{
    PreferenceData, PreferenceDataConfig, PreferenceSplit, Tokenizer, TokenizerKind,
};
use fireclay_models::{LanguageConfig, LanguageModel, LanguageShape};

use super::dissected::known;
use super::prelude::*;
use super::reference::Reference;
use crate::config::PreferenceSource;
use crate::language::score;
use crate::samples::PreferenceSamples;
use crate::task::{
    PreferenceBatch, PreferenceLoss, PreferenceModel, PreferenceObjective, PreferenceScorer,
};
use run::PreferenceRun;

/// The workload.
pub struct Preferences;

impl Workload for Preferences {
    type Model = NetworkConfig<LanguageConfig>;
    type Source = PreferenceSource;
    type Data = PreferenceData;
    type Samples = PreferenceSamples;

    const UNIT: &'static str = "pairs";
    const NEXT: Option<&'static str> = Some("chat {}");

    fn reads(data: &DataConfig) -> Option<&PreferenceSource> {
        held!(data, DataConfig::Preferences)
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::Dpo(_) | TaskConfig::Orpo(_))
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Language)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let (context, row) = (config.model.section().context, row(config));
        let kind = config.tokenizer.as_ref().map(|tokenizer| tokenizer.kind);
        let made = kind.filter(|kind| !matches!(kind, TokenizerKind::File | TokenizerKind::Byte));
        let made = made.map(|kind| {
            let message = format!(
                "\"{}\" is made from text; preferences need a tokenizer that is there: \"file\" or \"byte\"",
                kind.name()
            );
            ("tokenizer.type", message)
        });
        let longer = (row > context).then(|| {
            let message = format!("is {row}, but the model reads {context} tokens at once");
            ("data.max_length", message)
        });
        made.into_iter().chain(longer).collect()
    }

    fn load(config: &RunConfig) -> Result<PreferenceData, DataError> {
        let tokenizer = config.tokenizer.as_ref();
        let tokenizer = tokenizer.expect("checked: preferences need a tokenizer");
        let tokenizer = (tokenizer.kind, &tokenizer.config);
        let context = config.model.section().context;
        PreferenceData::load(source(config), tokenizer, context, config.seed)
    }

    fn shape(_config: &RunConfig, data: &PreferenceData) -> LanguageShape {
        LanguageShape {
            vocabulary: data.vocabulary,
        }
    }

    fn samples(_config: &RunConfig, data: &PreferenceData) -> [PreferenceSamples; 3] {
        let splits = data.named().map(|(_, split)| split.cloned());
        let mut number = 0..;
        splits.map(|split| PreferenceSamples::new(split, number.next()))
    }

    fn reference(config: &RunConfig) -> Option<Reference<Self>> {
        reference::needed(config).then_some(Reference {
            of: reference::of,
            with: PreferenceSamples::referring,
        })
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        _target: &Target,
        work: W,
    ) -> W::Output {
        work.with(PreferenceObjective { loss: loss(config) })
    }

    fn conclude(
        config: &RunConfig,
        data: &PreferenceData,
        trained: Trained<'_, LanguageModel>,
        splits: [PreferenceSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let known = known(trained.valid);
        let model = PreferenceModel::new(trained.model, loss(config));
        evaluate_each::<Self>((config, data), splits, known, |_, samples| {
            evaluate(config, &model, samples, trained.device)
        })
    }

    /// A model that has not moved.
    fn baseline(
        config: &RunConfig,
        _data: &PreferenceData,
        _samples: &PreferenceSamples,
    ) -> Result<Option<Baseline>, RunError> {
        Ok(match loss(config) {
            PreferenceLoss::Orpo(_) => None,
            PreferenceLoss::Dpo(task) => Some(Baseline {
                answer: "the model before its training".into(),
                metrics: [("loss".to_owned(), task.loss_at_start())].into(),
            }),
        })
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let config = Self::table(base.config());
        let (model, description) = config.load(&base.folder, &base.device)?;
        let fits = tokenizer.vocabulary() <= description.shape.vocabulary;
        belong_together(&base.folder, TOKENIZER, fits)?;
        Ok(Box::new(PreferenceRun {
            model: PreferenceModel::new(model, loss(base.config())),
            base,
            tokenizer,
            shape: description.shape,
        }))
    }

    fn input_spec(_config: &RunConfig, data: &PreferenceData) -> InputSpec {
        let splits = data.named().into_iter().filter_map(|(_, split)| split);
        let longest = splits.map(PreferenceSplit::longest).max().unwrap_or(0);
        let pairs = data.train.pairs().max(1) as f64;
        InputSpec {
            tokens: Some(data.train.tokens() as f64 / pairs),
            varies: true,
            ..InputSpec::of_data(data.sizes(), [longest, 0])
        }
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<LanguageShape> {
        check_unread(config, given, None, Some("the configuration says it"))?;
        let mut assumed = Assumed::default();
        let vocabulary = assumed.vocabulary(config, given);
        let row = row(config);
        let spec = InputSpec::assumed(config, given, (None, [row, 0]), assumed);
        let spec = InputSpec {
            tokens: Some(2.0 * row as f64),
            ..spec
        };
        Ok((LanguageShape { vocabulary }, spec))
    }

    fn blank_batch(blank: &Blank<'_, LanguageShape>, device: &Device) -> PreferenceBatch {
        let (pairs, time) = (blank.rows, blank.spec.lengths[0]);
        let rows = 2 * pairs;
        PreferenceBatch {
            inputs: Tensor::zeros([rows, time], device),
            targets: Tensor::zeros([rows * time], device),
            scored: Tensor::zeros([rows, time], device),
            lengths: Tensor::zeros([rows], device),
            reference: reference::needed(blank.config).then(|| Tensor::zeros([rows], device)),
            pairs,
            tokens: rows * time,
        }
    }
}

fn source(config: &RunConfig) -> &PreferenceDataConfig {
    &Preferences::source(config).config
}

/// Tokens of a prompt with an answer, at most.
fn row(config: &RunConfig) -> usize {
    source(config).row(config.model.section().context)
}

fn loss(config: &RunConfig) -> PreferenceLoss {
    match &config.task {
        TaskConfig::Dpo(task) => PreferenceLoss::Dpo(*task),
        TaskConfig::Orpo(task) => PreferenceLoss::Orpo(*task),
        _ => unreachable!("checked: the task is of this workload"),
    }
}

/// The metrics of a split; `n` is the number of pairs.
fn evaluate(
    config: &RunConfig,
    model: &PreferenceModel,
    samples: PreferenceSamples,
    device: &Device,
) -> Result<Report, RunError> {
    let scorer = PreferenceScorer::default();
    let pass = pass::<PreferenceSamples>(config);
    Ok(score(model, samples, scorer, pass, device)?)
}
