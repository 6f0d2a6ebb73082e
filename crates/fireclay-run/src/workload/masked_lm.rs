//! Masked language modelling on running text.

mod run;

use fireclay_data::{MaskedSplit, Masking, TextData, TokenSplit, Tokenizer};
use fireclay_models::{EncoderConfig, EncoderModel, EncoderShape};

use super::dissected::{dissected, judged, known};
use super::labelled_text::blank_text;
use super::prelude::*;
use super::text::{self, Running, Texts};
use crate::artifacts::{LANGUAGE, to_json};
use crate::config::TextSource;
use crate::language::score;
use crate::samples::MaskedSamples;
use crate::task::{MaskedLm, MaskedLmConfig, MaskedObjective, MaskedScorer, MaskedTokens};
use fireclay_train::run_folder::write_whole;
use run::MaskedRun;

/// The workload.
pub struct MaskedText;

impl Workload for MaskedText {
    type Model = NetworkConfig<EncoderConfig>;
    type Source = TextSource;
    type Data = TextData;
    type Samples = MaskedSamples;

    const UNIT: &'static str = "tokens";
    const SAMPLES: &'static str = "windows";
    /// The run is a start for other runs.
    const NEXT: Option<&'static str> = None;

    fn reads(data: &DataConfig) -> Option<&TextSource> {
        held!(data, DataConfig::Text)
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::MaskedLm(_))
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Encoder)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if text::packs_documents(config) {
            let message = "\"documents\" needs the task \"causal_lm\"";
            problems.push(("data.packing", message.into()));
        }
        let model = Self::model(&config.model);
        if model.is_some_and(|model| !model.network.has_token_head()) {
            let (task, model) = (config.task.name(), config.model.section().name);
            let message = format!(
                "\"{task}\" needs a model that says something of each token, which \"{model}\" does not"
            );
            problems.push(("task.type", message));
        }
        problems
    }

    fn load(config: &RunConfig) -> Result<TextData, DataError> {
        let data = text::load(config, TextData::load_unmarked)?;
        data.with_room_for_marks(config.model.section().context)
    }

    fn shape(_config: &RunConfig, data: &TextData) -> EncoderShape {
        EncoderShape {
            vocabulary: data.vocabulary,
            outputs: None,
        }
    }

    fn check_data(config: &RunConfig, data: &TextData) -> Vec<Refusal> {
        let problem = |error: DataError| ("tokenizer".to_owned(), error.to_string());
        Vec::from_iter(masking(config, data.tokenizer.as_ref()).err().map(problem))
    }

    /// For training, other tokens are masked in every epoch.
    fn samples(config: &RunConfig, data: &TextData) -> [MaskedSamples; 3] {
        data.named().map(|(name, split)| {
            let seed = (name == "train").then_some(config.seed);
            masked(config, data, split.cloned(), seed)
        })
    }

    fn evaluated(config: &RunConfig, data: &TextData, split: usize) -> MaskedSamples {
        let (_, split) = data.named()[split];
        let split = split.cloned().map(TokenSplit::without_shift);
        masked(config, data, split, None)
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        _config: &RunConfig,
        _target: &Target,
        work: W,
    ) -> W::Output {
        work.with(MaskedObjective)
    }

    fn conclude(
        config: &RunConfig,
        data: &TextData,
        trained: Trained<'_, EncoderModel>,
        splits: [MaskedSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let model = MaskedLm {
            model: trained.model,
        };
        let mut known = known(trained.valid);
        let judged = judged(&splits).filter(|_| config.eval.keep_predictions);
        if let Some(judged) = judged {
            let (name, asked) = (judged.0, (&model, MaskedScorer::default()));
            let (report, language) =
                dissected::<Self, _>((config, data), asked, judged, trained.device)?;
            known.entry(name.into()).or_insert(report);
            write_whole(&trained.folder.file(LANGUAGE), &to_json(&language))?;
        }
        evaluate_each::<Self>((config, data), splits, known, |_, samples| {
            evaluate(config, &model, samples, trained.device)
        })
    }

    fn baseline(
        config: &RunConfig,
        data: &TextData,
        samples: &MaskedSamples,
    ) -> Result<Option<Baseline>, RunError> {
        let train = Self::evaluated(config, data, 0);
        unigram::baseline(&train, samples, data.vocabulary)
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        match base.is_run() {
            true => Ok(Box::new(MaskedRun::trained(base)?)),
            false => Ok(Box::new(MaskedRun::published(base)?)),
        }
    }

    fn input_spec(config: &RunConfig, data: &TextData) -> InputSpec {
        text::input_spec(Running::row(config), data)
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<EncoderShape> {
        let (vocabulary, spec) = text::assume::<Running>(config, given)?;
        let shape = EncoderShape {
            vocabulary,
            outputs: None,
        };
        Ok((shape, spec))
    }

    fn blank_batch(blank: &Blank<'_, EncoderShape>, device: &Device) -> MaskedTokens {
        let (rows, time) = (blank.rows, blank.spec.lengths[0]);
        let share = task(blank.config).mask_probability;
        let count = ((rows * time) as f64 * share).round().max(1.0) as usize;
        MaskedTokens {
            input: blank_text(rows, time, device),
            positions: Tensor::zeros([count], device),
            truth: Tensor::zeros([count], device),
            count,
        }
    }
}

fn task(config: &RunConfig) -> &MaskedLmConfig {
    held!(&config.task, TaskConfig::MaskedLm).expect("checked: the task is of this workload")
}

/// How the run masks tokens.
fn masking(config: &RunConfig, tokenizer: Option<&Tokenizer>) -> Result<Masking, DataError> {
    let tokenizer = tokenizer.expect("checked: a run that masks tokens has a tokenizer");
    let task = task(config);
    Masking::new(tokenizer, task.mask_probability, task.whole_word)
}

fn masked(
    config: &RunConfig,
    data: &TextData,
    split: Option<TokenSplit>,
    seed: Option<u64>,
) -> MaskedSamples {
    let masking = masking(config, data.tokenizer.as_ref());
    let masking = masking.expect("checked: the tokenizer has a mask");
    MaskedSamples::new(split.map(|split| MaskedSplit::new(split, masking, seed)))
}

/// The mean loss of every masked token in nats, its perplexity, and the share of them that the model
/// predicts; `n` is the number of masked tokens.
fn evaluate(
    config: &RunConfig,
    model: &MaskedLm,
    samples: MaskedSamples,
    device: &Device,
) -> Result<Report, RunError> {
    let (scorer, pass) = (MaskedScorer::default(), pass::<MaskedSamples>(config));
    Ok(score(model, samples, scorer, pass, device)?)
}
