//! Pairs of answers, of which one is better: a model learns to give the better ones, or to tell them.

mod data;
mod judge;
mod reference;
mod run;

use std::marker::PhantomData;

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
    RewardLoss,
};
use data::Rated;
use run::Finished;

/// The workload, for models of one kind.
pub struct Preferences<K>(PhantomData<K>);

/// What becomes of a model: what tells the kinds apart.
pub trait Kind: Send + Sync + 'static {
    /// The command that a finished run is asked with, see [`Workload::NEXT`].
    const NEXT: &'static str;
    /// Whether texts are read to their last token.
    const READS_WHOLE: bool;

    /// Whether it comes of this task.
    fn does(task: &TaskConfig) -> bool;

    /// The finished run.
    fn run(finished: Finished<Self>) -> Box<dyn Run>
    where
        Self: Sized;
}

/// A model that answers.
pub struct Answering;

impl Kind for Answering {
    const NEXT: &'static str = "generate {} --prompt TEXT";
    const READS_WHOLE: bool = false;

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::Dpo(_) | TaskConfig::Orpo(_))
    }

    fn run(finished: Finished<Self>) -> Box<dyn Run> {
        Box::new(run::AnsweringRun(finished))
    }
}

/// A model that tells how good answers are.
pub struct Judging;

impl Kind for Judging {
    const NEXT: &'static str = "predict {} PAIRS.jsonl -o rewards.csv";
    const READS_WHOLE: bool = true;

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::Reward(_))
    }

    fn run(finished: Finished<Self>) -> Box<dyn Run> {
        Box::new(judge::JudgingRun(finished))
    }
}

impl<K: Kind> Workload for Preferences<K> {
    type Model = NetworkConfig<LanguageConfig>;
    type Source = PreferenceSource;
    type Data = Rated;
    type Samples = PreferenceSamples;

    const UNIT: &'static str = "pairs";
    const NEXT: Option<&'static str> = Some(K::NEXT);

    fn reads(data: &DataConfig) -> Option<&PreferenceSource> {
        held!(data, DataConfig::Preferences)
    }

    fn does(task: &TaskConfig) -> bool {
        K::does(task)
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Language)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let context = config.model.section().context;
        let length = source(config).row(context);
        let kind = config.tokenizer.as_ref().map(|tokenizer| tokenizer.kind);
        let made = kind.filter(|kind| !matches!(kind, TokenizerKind::File | TokenizerKind::Byte));
        let made = made.map(|kind| {
            let message = format!(
                "\"{}\" is made from text; preferences need a tokenizer that is there: \"file\" or \"byte\"",
                kind.name()
            );
            ("tokenizer.type", message)
        });
        let longer = (length > context).then(|| {
            let message = format!("is {length}, but the model reads {context} tokens at once");
            ("data.max_length", message)
        });
        made.into_iter().chain(longer).collect()
    }

    fn load(config: &RunConfig) -> Result<Rated, DataError> {
        let tokenizer = config.tokenizer.as_ref();
        let tokenizer = tokenizer.expect("checked: preferences need a tokenizer");
        let tokenizer = (tokenizer.kind, &tokenizer.config);
        let row = row::<K>(config);
        let pairs = PreferenceData::load(source(config), tokenizer, row, config.seed)?;
        let token = reward_token(config, &pairs.tokenizer)?;
        Ok(Rated { pairs, token })
    }

    fn shape(_config: &RunConfig, data: &Rated) -> LanguageShape {
        LanguageShape {
            vocabulary: data.pairs.vocabulary,
        }
    }

    fn samples(_config: &RunConfig, data: &Rated) -> [PreferenceSamples; 3] {
        let splits = data.pairs.named().map(|(_, split)| split.cloned());
        let mut number = 0..;
        splits.map(|split| samples::<K>(split, number.next()))
    }

    fn reference(config: &RunConfig) -> Option<Reference<Self>> {
        reference::needed(config).then_some(Reference {
            of: reference::of,
            each: 2,
            with: PreferenceSamples::referring,
        })
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output {
        let loss = loss(config, target.token);
        work.with(PreferenceObjective { loss })
    }

    fn conclude(
        config: &RunConfig,
        data: &Rated,
        trained: Trained<'_, LanguageModel>,
        splits: [PreferenceSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let known = known(trained.valid);
        let loss = loss(config, data.token);
        let model = PreferenceModel::new(trained.model, loss);
        evaluate_each::<Self>((config, data), splits, known, |_, samples| {
            evaluate(config, &model, samples, trained.device)
        })
    }

    /// A model that has not moved.
    fn baseline(
        config: &RunConfig,
        _data: &Rated,
        _samples: &PreferenceSamples,
    ) -> Result<Option<Baseline>, RunError> {
        let (answer, loss) = match &config.task {
            TaskConfig::Dpo(task) => ("the model before its training", task.loss_at_start()),
            TaskConfig::Reward(_) => ("the same reward for all", std::f64::consts::LN_2),
            _ => return Ok(None),
        };
        Ok(Some(Baseline {
            answer: answer.into(),
            metrics: [("loss".to_owned(), loss)].into(),
        }))
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let config = Self::table(base.config());
        let (model, description) = config.load(&base.folder, &base.device)?;
        let fits = tokenizer.vocabulary() <= description.shape.vocabulary;
        belong_together(&base.folder, TOKENIZER, fits)?;
        let token = reward_token(base.config(), &tokenizer)?;
        Ok(K::run(Finished {
            kind: PhantomData,
            model: PreferenceModel::new(model, loss(base.config(), token)),
            base,
            tokenizer,
            shape: description.shape,
        }))
    }

    fn input_spec(_config: &RunConfig, data: &Rated) -> InputSpec {
        let named = data.pairs.named().into_iter();
        let splits = named.filter_map(|(_, split)| split);
        let longest = splits.map(PreferenceSplit::longest).max().unwrap_or(0);
        let longest = longest + usize::from(K::READS_WHOLE);
        let train = &data.pairs.train;
        InputSpec {
            tokens: Some(train.tokens() as f64 / train.pairs().max(1) as f64),
            varies: true,
            ..InputSpec::of_data(data.sizes(), [longest, 0])
        }
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<LanguageShape> {
        check_unread(config, given, None, Some("the configuration says it"))?;
        let mut assumed = Assumed::default();
        let vocabulary = assumed.vocabulary(config, given);
        let row = source(config).row(config.model.section().context);
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
    let source = held!(&config.data, DataConfig::Preferences);
    &source
        .expect("checked: the data is pairs of answers")
        .config
}

/// Tokens that are read of a prompt with an answer before the last one, at most.
fn row<K: Kind>(config: &RunConfig) -> usize {
    let length = source(config).row(config.model.section().context);
    match K::READS_WHOLE {
        true => length.saturating_sub(1),
        false => length,
    }
}

fn samples<K: Kind>(split: Option<PreferenceSplit>, number: Option<usize>) -> PreferenceSamples {
    let samples = PreferenceSamples::new(split, number);
    match K::READS_WHOLE {
        true => samples.whole(),
        false => samples,
    }
}

/// What is made of a pair; `token` is that of [`Target`].
fn loss(config: &RunConfig, token: Option<u32>) -> PreferenceLoss {
    match &config.task {
        TaskConfig::Dpo(task) => PreferenceLoss::Dpo(*task),
        TaskConfig::Orpo(task) => PreferenceLoss::Orpo(*task),
        TaskConfig::Reward(task) => PreferenceLoss::Reward(RewardLoss {
            // A plan asks for no number.
            token: token.unwrap_or_default(),
            center: task.center,
        }),
        _ => unreachable!("checked: the task is of this workload"),
    }
}

/// The token whose logit is the reward, if the task has one.
///
/// # Errors
///
/// If the tokenizer does not have it.
pub(crate) fn reward_token(
    config: &RunConfig,
    tokenizer: &Tokenizer,
) -> Result<Option<u32>, DataError> {
    let TaskConfig::Reward(task) = &config.task else {
        return Ok(None);
    };
    let found = match &task.token {
        Some(name) => tokenizer.token(name),
        None => tokenizer.end_of_text(),
    };
    let wanted = task.token.as_deref().unwrap_or("that ends a text");
    let lacks = || format!("it has no token {wanted}, whose logit is the reward (task.token)");
    found.map(Some).ok_or_else(|| DataError::Tokenizer(lacks()))
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
