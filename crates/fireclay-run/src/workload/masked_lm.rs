//! Masked language modelling on running text.

use fireclay_data::{
    MaskedSplit, Masking, ReadOptions, TableFormat, TextData, TokenSplit, Tokenizer,
};
use fireclay_models::{EncoderConfig, EncoderModel, EncoderShape, Family};

use super::dissected::{dissected, judged, known};
use super::labelled_text::blank_text;
use super::prelude::*;
use super::text::{self, Reads, Running, Texts};
use crate::artifacts::{LANGUAGE, to_json};
use crate::config::TextSource;
use crate::embedding::{Embedder, Embedding};
use crate::language::score;
use crate::samples::MaskedSamples;
use crate::start::encoder;
use crate::task::{MaskedLm, MaskedLmConfig, MaskedObjective, MaskedScorer, MaskedTokens};
use fireclay_train::run_folder::write_whole;

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

/// A finished run of a masked language model, or an encoder of others.
struct MaskedRun {
    base: Base,
    tokenizer: Tokenizer,
    vocabulary: usize,
    context: usize,
    model: MaskedLm,
    head: Head,
    embedding: Embedding,
}

/// What the files of an encoder have beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// Logits of tokens.
    Tokens,
    /// Logits of classes.
    Classes,
    None,
}

impl MaskedRun {
    fn trained(base: Base) -> Result<Self, RunError> {
        lock::verified(&base.folder, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let config = MaskedText::table(base.config());
        let (model, description) = config.load(&base.folder, &base.device)?;
        let shape = description.shape;
        let fits = shape.outputs.is_none() && tokenizer.vocabulary() <= shape.vocabulary;
        belong_together(&base.folder, TOKENIZER, fits)?;
        let context = description.config.context_length();
        Ok(Self {
            tokenizer,
            vocabulary: shape.vocabulary,
            context,
            model: MaskedLm { model },
            head: Head::Tokens,
            embedding: Embedding::usual(context),
            base,
        })
    }

    fn published(base: Base) -> Result<Self, RunError> {
        let tokenizer = base.tokenizer()?.expect("checked: it has a tokenizer");
        let config = MaskedText::table(base.config());
        let ((model, description), is_whole) = encoder(config, &base.folder, &base.device)?;
        let shape = description.shape;
        let (known, run) = (tokenizer.vocabulary(), base.run.display());
        if known > shape.vocabulary {
            return Err(RunError::Usage(format!(
                "{run} cannot be used: its tokenizer has {known} tokens, and its model {}",
                shape.vocabulary
            )));
        }
        let head = match shape.outputs {
            Some(_) => Head::Classes,
            None if is_whole => Head::Tokens,
            None => Head::None,
        };
        let context = description.config.context_length();
        Ok(Self {
            tokenizer,
            vocabulary: shape.vocabulary,
            context,
            model: MaskedLm { model },
            head,
            embedding: Embedding::of(&base.folder, context)?,
            base,
        })
    }

    fn embedder<'a>(&'a self, options: &'a dyn Fn(TableFormat) -> ReadOptions) -> Embedder<'a> {
        Embedder {
            run: self,
            model: &self.model.model,
            tokenizer: &self.tokenizer,
            embedding: &self.embedding,
            column: TEXT,
            id: None,
            format: TableFormat::Csv,
            options,
        }
    }
}

/// The column of the texts that become vectors.
const TEXT: &str = "text";

fn options(format: TableFormat) -> ReadOptions {
    ReadOptions {
        is_settled: true,
        wanted: vec![TEXT.to_owned()],
        ..ReadOptions::new(format)
    }
}

impl Run for MaskedRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.embedding.most();
        InputSchema::one(TEXT, InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        if self.head != Head::Tokens {
            return Err(RunError::Usage(format!(
                "{} has no head that predicts masked tokens; `predict` writes the vectors that it makes of texts",
                self.base.run.display()
            )));
        }
        let config = self.base.config();
        let read = |path: &str| {
            let tokenizer = self.tokenizer.clone().without_start();
            let reads = Reads {
                tokenizer: Some(&tokenizer),
                vocabulary: self.vocabulary,
                context: self.tokenizer.room(self.context)?,
            };
            let (windows, notes) = Running::windows(config, path, &reads)?;
            let masking = masking(config, Some(&self.tokenizer))?;
            let split = MaskedSplit::new(windows, masking, None);
            Ok((MaskedSamples::new(Some(split)), notes))
        };
        evaluate_on::<MaskedText>(&self.base, on, read, |samples| {
            evaluate(config, &self.model, samples, &self.base.device)
        })
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        self.embedder(&options).answers(rows)
    }

    /// Vectors of texts. Of a classifier its classes would be meant, whose names and thresholds no training here
    /// has kept.
    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        if self.head == Head::Classes {
            return Err(RunError::Usage(format!(
                "{} classifies texts, and its classes are not answered here: start a training from it, by \
                 model.pretrained; with --embeddings its encoder makes vectors of texts",
                self.base.run.display()
            )));
        }
        self.embed(job)
    }

    fn embed(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        self.embedder(&options).predict(job)
    }
}
