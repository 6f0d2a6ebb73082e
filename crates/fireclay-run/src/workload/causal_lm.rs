//! Text, whose next token is predicted: running text or conversations.

mod run;

use std::marker::PhantomData;

use fireclay_data::{TextData, TokenSplit, Tokenizer};
use fireclay_models::{LanguageConfig, LanguageModel, LanguageShape};

use super::dissected::{dissected, judged, known};
use super::prelude::*;
use super::text::{self, Texts};
use crate::artifacts::{LANGUAGE, to_json};
use crate::breakdown::{Language, Texts as Written, write_texts};
use crate::language::score;
use crate::samples::TextSamples;
use crate::task::{
    CausalLm, CausalLmConfig, TokenBatch, TokenObjective, TokenScorer, bits_per_byte,
};
use fireclay_train::run_folder::write_whole;
use run::TextRun;

/// The workload, on data of one kind.
pub struct CausalText<D>(PhantomData<D>);

impl<D: Texts> Workload for CausalText<D> {
    type Model = NetworkConfig<LanguageConfig>;
    type Source = D::Source;
    type Data = TextData;
    type Samples = TextSamples;

    const UNIT: &'static str = "tokens";
    const SAMPLES: &'static str = "windows";
    const NEXT: Option<&'static str> = Some(D::NEXT);

    fn reads(data: &DataConfig) -> Option<&D::Source> {
        D::of(data)
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::CausalLm(_))
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Language)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        D::check(config)
    }

    fn load(config: &RunConfig) -> Result<TextData, DataError> {
        D::load(config)
    }

    fn shape(_config: &RunConfig, data: &TextData) -> LanguageShape {
        LanguageShape {
            vocabulary: data.vocabulary,
        }
    }

    fn samples(_config: &RunConfig, data: &TextData) -> [TextSamples; 3] {
        data.named()
            .map(|(_, split)| TextSamples::new(split.cloned()))
    }

    fn evaluated(_config: &RunConfig, data: &TextData, split: usize) -> TextSamples {
        let (_, split) = data.named()[split];
        TextSamples::new(split.cloned().map(TokenSplit::without_shift))
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output {
        work.with(TokenObjective {
            tokens_per_byte: target.tokens_per_byte,
            config: task(config),
        })
    }

    fn conclude(
        config: &RunConfig,
        data: &TextData,
        trained: Trained<'_, LanguageModel>,
        splits: [TextSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let model = CausalLm {
            model: trained.model,
            config: task(config),
        };
        let mut known = known(trained.valid);
        let judged = judged(&splits).filter(|_| config.eval.keep_predictions);
        if let Some((name, samples)) = judged {
            let scorer = TokenScorer::new(samples.tokens_per_byte());
            let split = (name, samples.clone());
            let place = trained.device;
            let (report, language) =
                dissected::<Self, _>((config, data), (&model, scorer), split, place)?;
            known.entry(name.into()).or_insert(report);
            let asked = (&model.model, trained.updates, place);
            let language = Language {
                texts: texts(config, data.tokenizer.as_ref(), asked, &samples)?,
                ..language
            };
            write_whole(&trained.folder.file(LANGUAGE), &to_json(&language))?;
        }
        evaluate_each::<Self>((config, data), splits, known, |_, samples| {
            evaluate(config, &model, samples, trained.device)
        })
    }

    fn baseline(
        config: &RunConfig,
        data: &TextData,
        samples: &TextSamples,
    ) -> Result<Option<Baseline>, RunError> {
        let train = Self::evaluated(config, data, 0);
        let mut baseline = unigram::baseline(&train, samples, data.vocabulary)?;
        if let (Some(baseline), Some(rate)) = (&mut baseline, samples.tokens_per_byte()) {
            let bits = bits_per_byte(baseline.metrics["loss"], rate);
            baseline.metrics.insert("bits_per_byte".into(), bits);
        }
        Ok(baseline)
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        if base.is_run() {
            lock::verified(&base.folder, &[])?;
        }
        let tokenizer = base.tokenizer()?;
        let config = Self::table(base.config());
        let (model, description) = config.load(&base.folder, &base.device)?;
        let vocabulary = description.shape.vocabulary;
        let known = tokenizer.as_ref().map_or(0, Tokenizer::vocabulary);
        if !base.is_run() && known > vocabulary {
            return Err(RunError::Usage(format!(
                "{} cannot be used: its tokenizer has {known} tokens, and its model {vocabulary}",
                base.run.display()
            )));
        }
        belong_together(&base.folder, TOKENIZER, known <= vocabulary)?;
        Ok(Box::new(TextRun::<D> {
            data: PhantomData,
            tokenizer,
            vocabulary,
            model: CausalLm {
                model,
                config: task(base.config()),
            },
            base,
            is_adapted: false,
        }))
    }

    fn input_spec(config: &RunConfig, data: &TextData) -> InputSpec {
        text::input_spec(D::row(config), data)
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<LanguageShape> {
        let (vocabulary, spec) = text::assume::<D>(config, given)?;
        Ok((LanguageShape { vocabulary }, spec))
    }

    fn blank_batch(blank: &Blank<'_, LanguageShape>, device: &Device) -> TokenBatch {
        let (rows, time) = (blank.rows, blank.spec.lengths[0]);
        TokenBatch {
            inputs: Tensor::zeros([rows, time], device),
            targets: Tensor::zeros([rows * time], device),
            scored: None,
            starts: None,
            count: rows * time,
        }
    }
}

/// How losses are computed.
fn task(config: &RunConfig) -> CausalLmConfig {
    *held!(&config.task, TaskConfig::CausalLm).expect("checked: the task is causal_lm")
}

/// Texts that are written to be looked at, unless `eval.texts` says how many.
const TEXTS: usize = 3;

/// What the model writes after pieces of a split; nothing without a tokenizer, or where the run wants none.
fn texts(
    config: &RunConfig,
    tokenizer: Option<&Tokenizer>,
    (model, updates, device): (&LanguageModel, u64, &Device),
    samples: &TextSamples,
) -> Result<Option<Written>, DataError> {
    let count = config.eval.texts.unwrap_or(TEXTS);
    let (Some(tokenizer), Some(split)) = (tokenizer, samples.split()) else {
        return Ok(None);
    };
    let asked = (model, tokenizer, device);
    let written = (count > 0).then(|| write_texts(asked, split, count, updates));
    written.transpose()
}

/// The mean loss of every token in nats, its perplexity, and bits per byte of text, where it is known
/// how many bytes the tokens stand for; `n` is the number of tokens.
fn evaluate(
    config: &RunConfig,
    model: &CausalLm,
    samples: TextSamples,
    device: &Device,
) -> Result<Report, RunError> {
    let scorer = TokenScorer::new(samples.tokens_per_byte());
    let pass = pass::<TextSamples>(config);
    Ok(score(model, samples, scorer, pass, device)?)
}
